//! What nobody can judge now, and what is owed to a level.

use super::*;

/// What the database does not tell is neither well nor over: the database itself is judged by its answer alone.
#[test]
fn figures_that_can_not_be_read_are_a_finding_of_their_own() {
    let host = Figures { disk: Some(Disk { free: 1 << 40, total: 1 << 41 }), ..figures(quiet()) };
    let host = Figures { memory: Some(Memory { resident: 1, available: 1 << 30, total: 1 << 31 }), ..host };
    let report = assess(&Figures { stored: None, ..host.clone() });
    assert_eq!((report.level, kinds(&report).len()), (Degraded, 0), "{report:#?}");
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.check, finding.level)).collect();
    assert!(found.contains(&("figures", Degraded)) && found.contains(&("database", Healthy)), "{found:?}");
    assert!(report.may_be_worse() && report.unjudged.contains(&AlertKind::ProcessingBacklog));
    let well = assess(&host);
    assert_eq!((well.unjudged.as_slice(), well.may_be_worse()), (&[][..], false));
    assert!(well.findings.iter().all(|finding| finding.check != "figures"), "{well:?}");
    let blind = assess(&Figures { disk: None, memory: None, ..host.clone() });
    assert_eq!(blind.unjudged, [AlertKind::DiskLow, AlertKind::MemoryLow]);
    assert!(!blind.may_be_worse(), "a disk that hangs must not keep the level where it is for ever");
}

/// Shortly after a standstill nothing is called late, and nothing that was late is called done.
#[test]
fn lateness_is_judged_when_things_have_settled() {
    let late = LateJob { name: "discovery".to_owned(), late_seconds: 7_200 };
    let figures = figures(Stored { late_jobs: vec![late], ..quiet() });
    let report = assess_settling(&figures);
    assert_eq!(kinds(&report), [] as [&str; 0]);
    for kind in [AlertKind::SyncOverdue, AlertKind::RuleBehind, AlertKind::JobOverdue] {
        assert!(report.unjudged.contains(&kind), "{kind:?}");
    }
    assert!(report.may_be_worse());
    assert_eq!(kinds(&assess(&figures)), ["job_overdue"]);
}

/// What a level asks for is owed until it is done; who was to be brought forward still is at a level that is not well again.
#[test]
fn what_is_owed_to_a_level() {
    use Response::{Maintain, PollEverybody, RelyOnPush, SuspendFailing};
    let by = |from, to, before: Option<&Owed>| Owed::by(Change { from, to }, "because".to_owned(), before);
    let critical = by(Healthy, Critical, None);
    assert_eq!(critical.left, [PollEverybody, SuspendFailing]);
    let begun = critical.clone().done();
    assert_eq!(begun.next(), Some(SuspendFailing));
    for (before, to, left) in [
        (&critical, Degraded, &[PollEverybody, Maintain][..]),
        (&begun, Degraded, &[Maintain]),
        (&critical, Healthy, &[RelyOnPush]),
        (&by(Critical, Degraded, Some(&critical)), Critical, &[PollEverybody, SuspendFailing]),
    ] {
        assert_eq!(by(Critical, to, Some(before)).left, left, "{to}");
    }
    let paid = Owed { noted: true, ..begun.done() };
    assert!(paid.is_paid() && paid.next().is_none() && !Owed { noted: false, ..paid.clone() }.is_paid());
    let kept = serde_json::to_value(&critical).unwrap();
    assert_eq!(serde_json::from_value::<Owed>(kept).unwrap(), critical);
}

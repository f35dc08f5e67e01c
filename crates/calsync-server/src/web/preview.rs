//! What changes would do, as pages show it: counts, the first times, how long it takes, and what could not be known. Pure.

use calsync_core::calendar::Calendar;
use calsync_core::ids::CalendarId;
use calsync_core::names::Names;
use calsync_core::preview::{Blocks, TargetPreview};
use calsync_core::time::Span;
use calsync_engine::RulesPreview;
use calsync_pages::Tone;
use calsync_pages::start::{Preview, Target};
use calsync_pages::words::{count, span};

use super::home;

/// What would be.
pub(super) fn of(would: &RulesPreview, calendars: &[Calendar], names: &Names) -> Preview {
    let name = |id: CalendarId| names.get(id).to_owned();
    let zone = home::zone(calendars.iter());
    let when = |of: Span| match of {
        Span::AllDay { start, .. } => format!("{}, all day", start.strftime("%a %-d %b")),
        timed @ Span::Timed { .. } => {
            let (from, _) = timed.instants(&zone);
            from.to_jiff().to_zoned(zone.clone()).strftime("%a %-d %b, %H:%M").to_string()
        }
    };
    let target = |one: &TargetPreview| {
        let first = |what: &str, blocks: &Blocks| -> Vec<String> {
            blocks.first.iter().map(|b| format!("{what}: {}, for {}", when(b.span), name(b.source))).collect()
        };
        let samples =
            [first("new", &one.created), first("changed", &one.changed), first("removed", &one.deleted)];
        Target {
            name: name(one.target),
            comes: one.created.count as u64,
            changes: one.changed.count as u64,
            goes: one.deleted.count as u64,
            stays: one.kept as u64,
            takes: match (one.writes, &one.held) {
                (0, None) => "nothing to write".to_owned(),
                (0, Some(_)) => "waits until it is approved".to_owned(),
                (writes, None) => count(writes as u64, "write"),
                (writes, Some(_)) => format!("{}; the rest waits", count(writes as u64, "write")),
            },
            held: one.held.clone(),
            samples: samples.concat(),
        }
    };
    let unread = would.unread.iter().map(|one| {
        (
            Tone::Warn,
            format!(
                "{} could not be read ({}): what follows from it is missing here.",
                name(one.calendar),
                one.because
            ),
        )
    });
    Preview {
        summary: summary(would),
        targets: would.targets.iter().map(target).collect(),
        remarks: unread.collect(),
        can_begin: true,
    }
}

/// All of it in a sentence. What is held is not written now, and does not stand as it should.
fn summary(would: &RulesPreview) -> String {
    let writes: usize = would.targets.iter().map(|one| one.writes).sum();
    let seconds = u64::try_from(would.writing.as_secs()).unwrap_or_default();
    let held = would.targets.iter().any(|one| one.held.is_some());
    match (writes, seconds) {
        (0, _) if held => "Nothing would be written before what is held is approved.".to_owned(),
        (0, _) if !would.unread.is_empty() => "Nothing would be written, as far as could be seen.".to_owned(),
        (0, _) => "Nothing would be written: all stands as it should.".to_owned(),
        (writes, seconds) => {
            let writes = count(writes as u64, "write");
            let rest = if held { " The rest waits until it is approved." } else { "" };
            match seconds {
                0 => format!("{writes}, within seconds.{rest}"),
                seconds => format!(
                    "{writes}, about {} within what the providers allow; the nearest days first.{rest}",
                    span(seconds)
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use calsync_engine::Unread;
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_is_held_does_not_stand_as_it_should() {
        let id = CalendarId(Uuid::nil());
        let target = |writes, held: Option<&str>| TargetPreview {
            target: id,
            created: Blocks { count: 1, first: Vec::new() },
            changed: Blocks { count: 1, first: Vec::new() },
            deleted: Blocks::default(),
            kept: 0,
            held: held.map(str::to_owned),
            writes,
        };
        let would = |targets: Vec<TargetPreview>, unread: Vec<Unread>| RulesPreview {
            targets,
            read: Vec::new(),
            unread,
            writing: SignedDuration::ZERO,
        };
        let unread = || vec![Unread { calendar: id, because: "it is away".to_owned() }];
        let table = [
            (would(vec![], vec![]), "Nothing would be written: all stands as it should."),
            (would(vec![], unread()), "Nothing would be written, as far as could be seen."),
            (
                would(vec![target(0, Some("held"))], vec![]),
                "Nothing would be written before what is held is approved.",
            ),
            (would(vec![target(2, None)], vec![]), "2 writes, within seconds."),
            (
                would(vec![target(2, None), target(0, Some("held"))], vec![]),
                "2 writes, within seconds. The rest waits until it is approved.",
            ),
        ];
        for (would, words) in table {
            assert_eq!(summary(&would), words);
        }
        let takes = |writes, held| {
            of(&would(vec![target(writes, held)], vec![]), &[], &Names::default()).targets[0].takes.clone()
        };
        assert_eq!(takes(0, None), "nothing to write");
        assert_eq!(takes(0, Some("held")), "waits until it is approved");
        assert_eq!(takes(1, Some("held")), "1 write; the rest waits");
    }
}

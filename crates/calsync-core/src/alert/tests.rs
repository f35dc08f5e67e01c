//! What is told when, by tables and properties.

use proptest::prelude::*;

use super::*;

const REMINDER: SignedDuration = SignedDuration::from_hours(4);

fn at(secs: i64) -> Ts {
    Ts::from_secs(1_000_000 + secs)
}

fn group(count: u64, level: AlertLevel) -> Group {
    Group {
        kind: "subscription_suspended".to_owned(),
        count,
        level,
        first_seen: at(0),
        subject: "a calendar".to_owned(),
        message: "It broke.".to_owned(),
        action: "Mend it.".to_owned(),
    }
}

const LOUD: Rules = Rules { floor: AlertLevel::Warning, reminder: REMINDER, silent: false };

/// Tells the same person again and again.
#[derive(Default)]
struct Ear {
    told: Option<Telling>,
    ids: u128,
}

impl Ear {
    fn hear(&mut self, group: Option<&Group>, rules: Rules, now: Ts) -> Option<AlertMessage> {
        self.ids += 2;
        let ids = (Uuid::from_u128(self.ids), Uuid::from_u128(self.ids + 1));
        let (telling, message) = tell("subscription_suspended", group, self.told.as_ref(), rules, ids, now)?;
        self.told = Some(telling);
        message
    }

    fn occasion(&mut self, group: Option<&Group>, now: Ts) -> Option<Occasion> {
        self.hear(group, LOUD, now).map(|message| message.occasion)
    }
}

#[test]
fn it_is_told_once_again_and_when_it_is_over() {
    let (mut ear, one) = (Ear::default(), group(1, AlertLevel::Error));
    let opened = ear.hear(Some(&one), LOUD, at(0)).unwrap();
    assert_eq!((opened.occasion, opened.message.as_str(), opened.count), (Occasion::Opened, "It broke.", 1));
    assert_eq!(ear.occasion(Some(&one), at(10)), None);
    assert_eq!(ear.occasion(Some(&one), at(4 * 3600 - 1)), None);
    assert_eq!(ear.occasion(Some(&one), at(4 * 3600)), Some(Occasion::Reminded));
    assert_eq!(ear.occasion(Some(&one), at(4 * 3600 + 10)), None);
    assert_eq!(ear.occasion(None, at(5 * 3600)), None, "it may come back at once");
    assert_eq!(ear.occasion(None, at(5 * 3600 + 59)), None);
    let over = ear.hear(None, LOUD, at(5 * 3600 + 60)).unwrap();
    assert_eq!((over.occasion, over.thread), (Occasion::Resolved, opened.thread));
    assert_ne!(over.id, opened.id);
    assert_eq!(ear.occasion(None, at(9 * 3600)), None);
    let anew = ear.hear(Some(&one), LOUD, at(20 * 3600)).unwrap();
    assert_eq!(anew.occasion, Occasion::Opened);
    assert_ne!(anew.thread, opened.thread);
}

#[test]
fn a_thousand_are_one_message_with_a_number() {
    let mut ear = Ear::default();
    assert_eq!(ear.occasion(Some(&group(1, AlertLevel::Error)), at(0)), Some(Occasion::Opened));
    assert_eq!(ear.occasion(Some(&group(1_000, AlertLevel::Error)), at(299)), None);
    let grown = ear.hear(Some(&group(1_000, AlertLevel::Error)), LOUD, at(300)).unwrap();
    assert_eq!((grown.occasion, grown.count), (Occasion::Reminded, 1_000));
    assert!(grown.message.starts_with("1000 push channels were taken out of use"), "{}", grown.message);
    assert_eq!(ear.occasion(Some(&group(1_999, AlertLevel::Error)), at(900)), None);
    assert_eq!(ear.occasion(Some(&group(3, AlertLevel::Error)), at(910)), None, "fewer are no news");
}

#[test]
fn one_more_is_told_of_though_the_first_still_stands() {
    let (mut ear, one) = (Ear::default(), group(1, AlertLevel::Error));
    ear.hear(Some(&one), LOUD, at(0));
    let two = group(2, AlertLevel::Error);
    assert_eq!(ear.occasion(Some(&two), at(899)), None);
    assert_eq!(ear.occasion(Some(&two), at(900)), Some(Occasion::Reminded));
    assert_eq!(ear.occasion(Some(&two), at(1_800)), None);
    // One heals, and later another breaks.
    assert_eq!(ear.occasion(Some(&one), at(2_000)), None);
    assert_eq!(ear.occasion(Some(&one), at(2_060)), None);
    assert_eq!(ear.occasion(Some(&two), at(2_100)), Some(Occasion::Reminded));
    assert_eq!(ear.occasion(Some(&one), at(2_200)), None);
    assert_eq!(ear.occasion(Some(&one), at(2_260)), None);
    // In one look the one healed and the other broke.
    let other = Group { subject: "another calendar".to_owned(), ..one };
    assert_eq!(ear.occasion(Some(&other), at(9_000)), Some(Occasion::Reminded));
}

#[test]
fn since_when_is_told_from_the_opening_to_the_end() {
    let mut ear = Ear::default();
    ear.hear(Some(&group(1, AlertLevel::Error)), LOUD, at(0)).unwrap();
    // The first one was mended meanwhile, and another one stays.
    let later = Group { first_seen: at(9_000), ..group(1, AlertLevel::Error) };
    let reminded = ear.hear(Some(&later), LOUD, at(4 * 3600)).unwrap();
    ear.hear(None, LOUD, at(5 * 3600));
    let over = ear.hear(None, LOUD, at(5 * 3600 + 60)).unwrap();
    assert_eq!((reminded.first_seen, over.first_seen), (at(0), at(0)));
}

/// For how long it must be over before that is told, after it was there at these seconds, each time for ten.
fn over_told_after(there: &[i64]) -> i64 {
    let (mut ear, one) = (Ear::default(), group(1, AlertLevel::Error));
    let (mut last, end) = (None, there.last().unwrap() + 10);
    for now in (there[0]..end + 8_000).step_by(10) {
        let is_there = there.iter().any(|from| (*from..from + 10).contains(&now));
        let said = ear.occasion(is_there.then_some(&one), at(now));
        if said == Some(Occasion::Resolved) {
            last = Some(now);
        }
    }
    last.unwrap() - end
}

#[test]
fn what_comes_and_goes_is_over_the_later_the_oftener_it_came_back() {
    assert_eq!(over_told_after(&[0]), 60);
    // Before its end was told, it comes back quietly, and counts.
    assert_eq!(over_told_after(&[0, 40]), 120);
    assert_eq!(over_told_after(&[0, 40, 80]), 240);
    // After its end was told it opens anew, and counts as well.
    assert_eq!(over_told_after(&[0, 600]), 120);
    assert_eq!(over_told_after(&[0, 600, 7_200]), 60, "that was long ago");
    let storm: Vec<i64> = (0..30).map(|n| n * 40).collect();
    assert_eq!(over_told_after(&storm), 3_600, "at most");
    let (mut ear, one) = (Ear::default(), group(1, AlertLevel::Error));
    (0..20).for_each(|n| drop(ear.hear(Some(&one), LOUD, at(n * 10))));
    assert_eq!(ear.occasion(Some(&group(100, AlertLevel::Error)), at(1_000)), Some(Occasion::Reminded));
    assert_eq!(ear.told.unwrap().swings, 0, "what stays does not come back");
}

#[test]
fn what_becomes_louder_is_told_at_once() {
    let mut ear = Ear::default();
    let first = ear.hear(Some(&group(1, AlertLevel::Warning)), LOUD, at(0)).unwrap();
    let louder = ear.hear(Some(&group(1, AlertLevel::Critical)), LOUD, at(1)).unwrap();
    assert_eq!((first.occasion, louder.occasion), (Occasion::Opened, Occasion::Opened));
    assert_eq!((first.id, louder.thread), (first.thread, first.thread));
    assert_ne!(louder.id, first.id, "whoever drops what they have seen must not drop this one");
    assert_eq!(ear.occasion(Some(&group(1, AlertLevel::Warning)), at(2)), None);
    // Back at once it was never gone; after a minute it is news. Whoever heard the loudest hears the end.
    assert_eq!(ear.occasion(Some(&group(1, AlertLevel::Critical)), at(3)), None);
    assert_eq!(ear.occasion(Some(&group(1, AlertLevel::Warning)), at(100)), None);
    assert_eq!(ear.occasion(Some(&group(1, AlertLevel::Warning)), at(220)), None);
    assert_eq!(ear.occasion(Some(&group(1, AlertLevel::Critical)), at(300)), Some(Occasion::Opened));
    assert_eq!(ear.occasion(Some(&group(1, AlertLevel::Warning)), at(5 * 3600)), Some(Occasion::Reminded));
    assert_eq!(ear.occasion(None, at(6 * 3600)), None);
    let over = ear.hear(None, LOUD, at(7 * 3600)).unwrap();
    assert_eq!((over.occasion, over.level), (Occasion::Resolved, AlertLevel::Critical));
}

#[test]
fn what_nobody_may_hear_is_told_when_they_may() {
    let (mut ear, warning) = (Ear::default(), group(1, AlertLevel::Warning));
    let quiet = Rules { floor: AlertLevel::Error, ..LOUD };
    let silent = Rules { silent: true, ..LOUD };
    assert_eq!(ear.hear(Some(&warning), quiet, at(0)), None);
    assert_eq!(ear.hear(Some(&warning), silent, at(0)), None);
    assert_eq!(ear.occasion(Some(&warning), at(60)), Some(Occasion::Opened));
    assert_eq!(ear.hear(Some(&warning), silent, at(5 * 3600)), None, "no reminder either");
    assert_eq!(ear.occasion(Some(&warning), at(5 * 3600 + 1)), Some(Occasion::Reminded));
    // Over in a silence: nobody is told, then or later.
    assert_eq!(ear.hear(None, silent, at(6 * 3600)), None);
    assert_eq!(ear.hear(None, silent, at(6 * 3600 + 60)), None);
    assert_eq!(ear.occasion(None, at(7 * 3600)), None);

    // It came back while nobody might hear of it: it was not over all the while.
    let mut ear = Ear::default();
    ear.hear(Some(&warning), LOUD, at(0));
    assert_eq!(ear.hear(None, LOUD, at(5 * 3600)), None);
    assert_eq!(ear.hear(Some(&warning), silent, at(5 * 3600 + 30)), None);
    assert_eq!(ear.hear(None, LOUD, at(6 * 3600)), None, "only now it ends");
}

#[test]
fn a_clock_that_was_ahead_silences_nobody() {
    let (mut ear, one) = (Ear::default(), group(1, AlertLevel::Error));
    ear.hear(Some(&one), LOUD, at(30 * 86_400));
    assert_eq!(ear.occasion(Some(&one), at(0)), None);
    assert_eq!(
        ear.occasion(Some(&one), at(4 * 3600)),
        Some(Occasion::Reminded),
        "from the first sane look on"
    );
    assert_eq!(ear.occasion(None, at(30 * 86_400)), None);
    assert_eq!(ear.occasion(None, at(5 * 3600)), None);
    assert_eq!(ear.occasion(None, at(5 * 3600 + 120)), Some(Occasion::Resolved));
}

#[test]
fn silences_are_of_a_kind_and_a_time() {
    let silence = |kind: Option<&str>| Silence {
        id: Uuid::nil(),
        kind: kind.map(str::to_owned),
        from: at(10),
        until: at(20),
        who: "ops".to_owned(),
        why: "moving house".to_owned(),
    };
    for (kind, now, silent) in [
        (Some("cache_down"), 9, false),
        (Some("cache_down"), 10, true),
        (Some("cache_down"), 19, true),
        (Some("cache_down"), 20, false),
        (Some("disk_low"), 15, false),
        (None, 15, true),
    ] {
        assert_eq!(is_silent(&[silence(kind)], "cache_down", at(now)), silent, "{kind:?} {now}");
    }
}

#[test]
fn kinds_are_told_apart_by_their_names() {
    let names: std::collections::BTreeSet<&str> = AlertKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), AlertKind::ALL.len());
    for kind in AlertKind::ALL {
        assert_eq!(AlertKind::parse(kind.as_str()), Some(kind));
    }
}

#[test]
fn a_delivery_is_tried_for_half_a_day() {
    let mut ear = Ear::default();
    let message = ear.hear(Some(&group(1, AlertLevel::Error)), LOUD, at(0)).unwrap();
    let mut delivery = Delivery::new(DeliveryId(Uuid::nil()), "slack", message);
    let (mut now, mut tries) = (at(0), vec![]);
    while delivery.state == DeliveryState::Pending {
        now = delivery.next_try_at.unwrap();
        tries.push(now.since(at(0)).as_secs());
        delivery = delivery.failed("503".to_owned(), Again::Later(None), now);
    }
    assert_eq!(&tries[..4], &[0, 5, 20, 80], "three tries within half a minute");
    assert!(tries.len() == 10 && *tries.last().unwrap() > 10 * 3600, "{tries:?}");
    assert_eq!((delivery.state, delivery.finished_at), (DeliveryState::Failed, Some(now)));
    let asked = |wait| {
        let fresh = Delivery { attempts: 0, ..delivery.clone() };
        let again = Again::Later(Some(SignedDuration::from_secs(wait)));
        fresh.failed(String::new(), again, at(0)).next_try_at.unwrap().since(at(0)).as_secs()
    };
    assert_eq!((asked(1), asked(60), asked(999_999)), (5, 60, 6 * 3600));
    let never = Delivery { attempts: 0, ..delivery.clone() }.failed("404".to_owned(), Again::Never, at(0));
    assert_eq!((never.state, never.next_try_at), (DeliveryState::Failed, None));
    let taken = delivery.delivered(at(9));
    assert_eq!((taken.state, taken.error), (DeliveryState::Delivered, None));
}

proptest! {
    /// Whatever comes and goes, nobody hears of it all day long: and what is open was told, what is over too.
    #[test]
    fn nobody_is_stormed(swings in prop::collection::vec(1_i64..5_000, 1..400)) {
        let (mut ear, one) = (Ear::default(), group(1, AlertLevel::Error));
        let (mut now, mut there, mut said) = (0, false, vec![]);
        for stretch in swings {
            there = !there;
            let end = (now + stretch).min(86_400);
            while now < end {
                if let Some(message) = ear.hear(there.then_some(&one), LOUD, at(now)) {
                    said.push(message.occasion);
                }
                prop_assert!(!there || ear.told.as_ref().is_some_and(|told| told.open), "open and untold at {now}");
                now += 10;
            }
        }
        let opened = said.iter().filter(|occasion| **occasion == Occasion::Opened).count();
        let over = said.iter().filter(|occasion| **occasion == Occasion::Resolved).count();
        prop_assert!(opened - over <= 1, "each opening has its end: {said:?}");
        prop_assert!(said.len() <= 2 * (7 + 24) + 6, "{} messages in a day", said.len());
    }
}

#[test]
fn every_kind_has_its_entry_in_the_runbook() {
    let runbook = include_str!("../../../../docs/runbook.md");
    for kind in AlertKind::ALL {
        let heading = format!("\n### {}\n", kind.as_str());
        assert!(runbook.contains(&heading), "docs/runbook.md lacks {}", kind.as_str());
    }
    assert_eq!(runbook.matches("\n### ").count(), AlertKind::ALL.len(), "and nothing else");
}

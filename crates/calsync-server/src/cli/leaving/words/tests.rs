//! What people and programs are told.

use uuid::Uuid;

use super::*;

fn id(n: u128) -> CalendarId {
    CalendarId(Uuid::from_u128(n))
}

fn names(leaving: &[u128]) -> Names {
    let all = [(id(1), "Work".to_owned()), (id(2), "Private".to_owned())].into();
    Names { leaving: leaving.iter().map(|n| id(*n)).collect(), all }
}

fn share(source: u128, target: u128, blocks: usize) -> Share {
    Share { source: id(source), target: id(target), blocks }
}

fn outcome(why: Leaving, waits: bool, left: &[(u128, usize, Obstacle)]) -> Outcome {
    let left = left.iter().cloned();
    let left = left.map(|(target, blocks, obstacle)| Left { target: id(target), blocks, obstacle }).collect();
    Outcome { why, waits, before: vec![share(1, 2, 7), share(2, 1, 5)], left }
}

#[test]
fn what_would_go_is_told_by_calendar() {
    let shares = [share(1, 2, 7), share(9, 1, 1)];
    assert_eq!(
        would(Leaving::Disabled, &names(&[1]), &shares),
        "This would disable Work; 8 blocks that calendar-sync made would be removed, and nothing else:\n  \
         7 in Private, for events of Work\n  \
         1 in Work, for events of a calendar that is not known here any more"
    );
    let stop = would(Leaving::Stopped, &names(&[1, 2]), &shares[..1]);
    assert!(stop.starts_with("This would stop 2 calendars; 7 blocks would stay as they are:"), "{stop}");
    let none = would(Leaving::Reset, &names(&[1]), &[]);
    assert!(none.contains("0 blocks") && none.contains("forgotten"), "{none}");
}

#[test]
fn what_is_left_is_told_with_its_reason_and_its_exit() {
    use Leaving::{Disabled, Reset, Stopped};
    let refused = Obstacle::Provider("503".to_owned());
    let table = [
        (outcome(Disabled, true, &[]), "Work is disabled: 12 blocks removed, 0 left", Exit::Ok),
        (outcome(Reset, true, &[(2, 3, refused)]), "Work is reset: 9 blocks removed, 3 left", Exit::Provider),
        (outcome(Reset, true, &[(2, 3, Obstacle::NeedsReconnect)]), "connected again", Exit::Provider),
        (outcome(Reset, true, &[(2, 3, Obstacle::Missing)]), "no longer lists", Exit::Failed),
        (outcome(Reset, true, &[(2, 3, Obstacle::Held)]), "by itself", Exit::Failed),
        (outcome(Disabled, false, &[(2, 3, Obstacle::UnderWay)]), "left to the running service", Exit::Ok),
        (outcome(Stopped, false, &[(2, 3, Obstacle::Stopped)]), "Work is stopped: 3 blocks", Exit::Ok),
    ];
    for (outcome, words, exit) in table {
        let text = outcome.text(&names(&[1]));
        assert!(text.contains(words), "{words:?} is missing in {text}");
        assert_eq!(outcome.exit(), exit, "{text}");
    }
}

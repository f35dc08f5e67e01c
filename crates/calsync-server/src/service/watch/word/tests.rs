//! What is told without a database, over restarts and into the database's own keeping.

use calsync_store::MemoryStore;

use super::*;

const REMINDER: SignedDuration = SignedDuration::from_hours(4);

fn at(seconds: i64) -> Ts {
    Ts::from_secs(1_800_000_000 + seconds)
}

fn down() -> Group {
    Group {
        kind: KIND.as_str().to_owned(),
        count: 1,
        level: AlertLevel::Critical,
        first_seen: at(0),
        subject: String::new(),
        message: "The database does not answer: it is away.".to_owned(),
        action: "Start it.".to_owned(),
    }
}

fn channels() -> Channels {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings =
        crate::config::tests_settings(&[("CALENDAR_SYNC__ALERTS__WEBHOOK", "https://example.com/hooks/x")]);
    Channels::from_settings(&settings).unwrap()
}

fn said(word: &Word) -> Vec<calsync_core::alert::Occasion> {
    word.on_their_way.iter().map(|delivery| delivery.message.occasion).collect()
}

#[test]
fn it_is_said_once_over_all_restarts_and_forgotten_when_the_database_knows() {
    let dir = tempfile::tempdir().unwrap();
    let (file, channels) = (Word::file(dir.path()), channels());
    for run in 0..5 {
        let mut word = Word::load(&file);
        assert_eq!(word.say(Some(&down()), &channels, REMINDER, at(300 * run)), run == 0);
        assert_eq!(said(&word).len(), 1, "run {run}");
        word.keep(&file).unwrap();
    }
    let kept = Word::load(&file);
    assert!(kept.is_untold());
    Word { untold: false, ..kept }.keep(&file).unwrap();
    assert!(!file.exists());
    Word::default().keep(&file).unwrap();
    std::fs::write(&file, "no document").unwrap();
    assert_eq!(Word::load(&file), Word::default());
}

#[tokio::test]
async fn what_was_said_and_what_is_on_its_way_are_handed_over_once() {
    let (store, channels) = (MemoryStore::new(), channels());
    let mut word = Word::default();
    word.say(Some(&down()), &channels, REMINDER, at(10));
    let before = word.clone();
    word.hand_over(&store, &channels, REMINDER, at(60)).await.unwrap();
    assert!(!word.is_untold() && word.on_their_way.is_empty());
    // The answer was lost, or another process had the same file.
    let mut again = before.clone();
    again.hand_over(&store, &channels, REMINDER, at(61)).await.unwrap();
    assert!(!again.is_untold());
    let told = store.tellings().await.unwrap();
    assert_eq!((told.len(), told[0].telling.open), (1, true), "the fleet says that it is over");
    let sent = store.claim_deliveries(at(99), at(99), 9).await.unwrap().deliveries;
    assert_eq!(sent, [Delivery { next_try_at: Some(at(99)), ..before.on_their_way[0].clone() }]);
    let alerts = store.alerts(9).await.unwrap();
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert!(alerts.iter().all(|alert| alert.resolved_at.is_some() && alert.first_seen == at(0)));
    // It fails again within the minute: no new alert, and what was told goes on.
    again.hand_over(&store, &channels, REMINDER, at(62)).await.unwrap();
    again.say(Some(&down()), &channels, REMINDER, at(65));
    assert_eq!(said(&again), []);
}

#[tokio::test]
async fn of_two_that_told_each_has_its_end() {
    let (store, channels) = (MemoryStore::new(), channels());
    let (mut one, mut two) = (Word::default(), Word::default());
    one.say(Some(&down()), &channels, REMINDER, at(10));
    two.say(Some(&down()), &channels, REMINDER, at(40));
    one.hand_over(&store, &channels, REMINDER, at(60)).await.unwrap();
    two.on_their_way.clear();
    for second in [61, 66, 130, 135] {
        two.hand_over(&store, &channels, REMINDER, at(second)).await.unwrap();
    }
    assert_eq!(said(&two), [calsync_core::alert::Occasion::Resolved]);
    two.on_their_way.clear();
    two.hand_over(&store, &channels, REMINDER, at(140)).await.unwrap();
    assert!(!two.is_untold(), "that was all");
    assert_eq!(store.tellings().await.unwrap()[0].telling.thread, one.telling.unwrap().thread);
}

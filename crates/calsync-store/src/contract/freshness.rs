//! What is known of rules as steps end: kept, added up, found when it is behind, and gone with what it was about.

use std::sync::Arc;

use calsync_core::delivery::Unannounced;
use calsync_core::freshness::{Freshness, RuleDelay, Standing};
use calsync_core::ids::{CalendarId, RuleId};
use calsync_core::ports::{Awaited, NextDue, Prunable, StepEnd, Store};
use calsync_core::time::Ts;

use super::world::*;

const HOUR: i64 = 3_600;

/// A rule that is trusted until `until`, if anything is promised.
pub(crate) fn fresh(n: u64, source: CalendarId, target: CalendarId, until: Option<i64>) -> Freshness {
    Freshness {
        rule: RuleId(id(n)),
        source,
        target,
        standing: if until.is_some() { Standing::Right } else { Standing::Held },
        since: t(3),
        right_at: until.map(|_| t(4)),
        promised_until: until.map(t),
    }
}

/// Delays of the hour with this number.
pub(crate) fn delay(n: u64, hour: i64, bucket: u8, count: u64) -> RuleDelay {
    // The first instant of an hour, whatever `t(0)` is.
    let from = t(0).micros().div_euclid(HOUR * 1_000_000) * HOUR * 1_000_000;
    let hour = Ts::from_micros(from + hour * HOUR * 1_000_000);
    RuleDelay { hour, bucket, rule: RuleId(id(n)), count }
}

async fn end(w: &World, step: StepEnd) {
    let lease = w.lease(20).await;
    w.store.end_step(&lease, &step).await.unwrap();
}

/// The last word counts; and a step's end is a release.
pub async fn what_a_step_showed_of_rules_is_kept(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (one, two) = (fresh(60, w.a, w.b, Some(500)), fresh(61, w.b, w.a, None));
    let seen_generation = w.get(w.a).await.dirty_generation;
    let next = vec![NextDue { calendar: w.a, seen_generation, due_at: Some(t(900)) }];
    end(&w, StepEnd { next, rules: vec![two, one], ..StepEnd::default() }).await;
    assert_eq!(w.get(w.a).await.due_at, Some(t(900)));
    assert_eq!(w.store.freshness(w.user).await.unwrap(), [one, two]);
    // The lease is free.
    let waiting =
        Freshness { standing: Standing::Waiting, promised_until: Some(t(90)), right_at: None, ..one };
    let stranger = fresh(62, w.a, CalendarId(id(77)), Some(1));
    end(
        &w,
        StepEnd {
            rules: vec![waiting, stranger],
            gone: vec![two.rule, RuleId(id(99))],
            ..StepEnd::default()
        },
    )
    .await;
    assert_eq!(
        w.store.freshness(w.user).await.unwrap(),
        [waiting],
        "one of a calendar that is gone has no row"
    );
}

/// From the instant after its promise, the longest ago first; never what nothing is promised of.
pub async fn rules_behind_are_found(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (late, later) = (fresh(60, w.a, w.b, Some(500)), fresh(61, w.b, w.a, Some(400)));
    let rules = vec![late, later, fresh(62, w.c, w.a, None), fresh(63, w.c, w.b, Some(9_000))];
    end(&w, StepEnd { rules, ..StepEnd::default() }).await;
    let behind = async |now, limit| w.store.rules_behind(t(now), limit).await.unwrap();
    assert_eq!(behind(400, 9).await, []);
    assert_eq!(behind(401, 9).await, [later]);
    assert_eq!(behind(501, 9).await, [later, late]);
    assert_eq!(behind(501, 1).await, [later]);
    assert_eq!(w.store.count_behind(t(501)).await.unwrap(), 2);
    w.store.remove_account(w.account).await.unwrap();
    assert_eq!((behind(9_999, 9).await, w.store.count_behind(t(9_999)).await.unwrap()), (vec![], 0));
}

/// By rule for a day, and for all together; what is old goes.
pub async fn delays_add_up(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let rules = vec![fresh(60, w.a, w.b, Some(500)), fresh(61, w.b, w.a, Some(400))];
    let first = vec![delay(60, 0, 7, 2), delay(60, 0, 9, 1), delay(61, 0, 7, 5)];
    end(&w, StepEnd { rules, delays: first, ..StepEnd::default() }).await;
    // Nobody knows the third rule: it counts for all together only.
    let second = vec![delay(60, 1, 7, 1), delay(60, 0, 9, 3), delay(62, 1, 3, 1)];
    end(&w, StepEnd { delays: second, ..StepEnd::default() }).await;
    let since = |hour| delay(0, hour, 0, 0).hour;
    let of_rules = async |hour| w.store.rule_delays(w.user, since(hour)).await.unwrap();
    let (one, two) = (delay(60, 0, 7, 2), delay(61, 0, 7, 5));
    assert_eq!(of_rules(0).await, [one, two, delay(60, 0, 9, 4), delay(60, 1, 7, 1)]);
    assert_eq!(of_rules(1).await, [delay(60, 1, 7, 1)]);
    let all = async |hour| w.store.delays(since(hour)).await.unwrap();
    assert_eq!(all(0).await, [(3, 1), (7, 8), (9, 4)].into_iter().collect());
    assert_eq!(all(1).await, [(3, 1), (7, 1)].into_iter().collect());
    // More than a day later: its own are forgotten as it adds to them, others' are not.
    end(&w, StepEnd { delays: vec![delay(60, 25, 1, 1)], ..StepEnd::default() }).await;
    assert_eq!(of_rules(0).await, [two, delay(60, 1, 7, 1), delay(60, 25, 1, 1)]);
    assert_eq!(
        w.store.prunable(Prunable::Figures, since(1)).await.unwrap(),
        w.store.prune(Prunable::Figures, since(1), 900).await.unwrap()
    );
    assert_eq!(of_rules(0).await, [delay(60, 1, 7, 1), delay(60, 25, 1, 1)]);
    assert_eq!(all(0).await, [(1, 1), (3, 1), (7, 1)].into_iter().collect());
    end(&w, StepEnd { gone: vec![RuleId(id(60))], ..StepEnd::default() }).await;
    assert_eq!(of_rules(0).await, []);
    assert_eq!(all(0).await, [(1, 1), (3, 1), (7, 1)].into_iter().collect(), "what happened has happened");
}

/// Once: what is awaited since earlier stays so.
pub async fn what_was_written_is_awaited_from_the_channel(store: Arc<dyn Store>) {
    let w = World::new(store).await;
    let (s, out_of_use) = (w.watch(20, w.a).await, w.watch(21, w.b).await);
    let expired = calsync_core::subscription::SubscriptionStatus::Expired;
    w.store.set_subscription_status(out_of_use.id, expired, None).await.unwrap();
    let awaited =
        |since| [s.id, out_of_use.id].map(|subscription| Awaited { subscription, since: t(since) }).into();
    end(&w, StepEnd { awaited: awaited(30), ..StepEnd::default() }).await;
    end(&w, StepEnd { awaited: awaited(40), ..StepEnd::default() }).await;
    let open = Some(Unannounced { found_at: t(30), changes: 1 });
    assert_eq!(w.subscription(&s).await.delivery.unannounced, open);
    assert_eq!(w.subscription(&out_of_use).await.delivery.unannounced, None);
}

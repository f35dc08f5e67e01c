//! The budget under a paused clock.

use super::*;

const LIMITS: Limits = Limits {
    per_user: 600,
    per_project: 10_000,
    per_calendar_writes: 120,
    concurrent: 2,
    max_wait: Duration::from_secs(3),
};

fn budget() -> AccountBudget {
    AccountBudget::new(LIMITS, AccountBudget::project_bucket(&LIMITS))
}

const READ: Ask<'static> = Ask { units: 1, writes_to: None };
const WRITE: Ask<'static> = Ask { units: 1, writes_to: Some("a") };

#[tokio::test(start_paused = true)]
async fn no_minute_sees_more_than_the_limit() {
    let budget = budget();
    let mut times = vec![];
    for _ in 0..2_000 {
        drop(budget.enter(READ).await.unwrap());
        times.push(Instant::now());
    }
    for (n, first) in times.iter().enumerate() {
        let within = times[n..].iter().take_while(|t| **t < *first + Duration::from_secs(60)).count();
        assert!(within <= 601, "{within} calls in the minute after call {n}");
    }
    let all = times[1_999] - times[0];
    assert!(all < Duration::from_secs(240), "and it is not much slower than the limit: {all:?}");
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_told_and_takes_nothing() {
    let budget = budget();
    budget.refused(Throttled::User, READ, Duration::from_secs(30));
    let error = budget.enter(READ).await.map(drop).unwrap_err();
    assert_eq!(error.class, ErrorClass::RateLimited);
    assert!(error.retry_after.unwrap() >= SignedDuration::from_secs(29), "{error:?}");
    tokio::time::advance(Duration::from_secs(31)).await;
    drop(budget.enter(READ).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_halves_the_pace_for_a_while() {
    let time_of_100 = async |budget: &AccountBudget| {
        let start = Instant::now();
        for _ in 0..100 {
            drop(budget.enter(READ).await.unwrap());
        }
        start.elapsed()
    };
    let fresh = budget();
    let normal = time_of_100(&fresh).await;
    let slowed = budget();
    slowed.refused(Throttled::User, READ, Duration::from_millis(10));
    let slow = time_of_100(&slowed).await;
    assert!(slow > 2 * normal, "{normal:?} {slow:?}");
    tokio::time::advance(Duration::from_secs(180)).await;
    assert_eq!(time_of_100(&slowed).await, normal, "it recovers");
}

#[tokio::test(start_paused = true)]
async fn writes_to_one_calendar_are_slower_than_reads() {
    let budget = budget();
    let start = Instant::now();
    for _ in 0..48 {
        drop(budget.enter(WRITE).await.unwrap());
    }
    let one = start.elapsed();
    assert!(one > Duration::from_secs(15), "{one:?}");
    let start = Instant::now();
    drop(budget.enter(Ask { units: 1, writes_to: Some("b") }).await.unwrap());
    drop(budget.enter(READ).await.unwrap());
    assert_eq!(start.elapsed(), Duration::ZERO, "others are not held up");
}

#[tokio::test(start_paused = true)]
async fn a_user_who_may_not_write_still_reads() {
    let budget = budget();
    budget.refused(Throttled::Writes, WRITE, Duration::from_secs(3_600));
    assert_eq!(budget.enter(WRITE).await.map(drop).unwrap_err().class, ErrorClass::RateLimited);
    drop(budget.enter(READ).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_bounded() {
    let budget = budget();
    let _one = budget.enter(READ).await.unwrap();
    let two = budget.enter(READ).await.unwrap();
    let error = budget.enter(READ).await.map(drop).unwrap_err();
    assert_eq!(error.class, ErrorClass::RateLimited);
    drop(two);
    drop(budget.enter(READ).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn written_calendars_are_forgotten_in_time() {
    let budget = budget();
    for n in 0..CALENDARS_MAX * 2 {
        let _ = budget.calendar(&n.to_string());
    }
    assert!(budget.calendars.lock().unwrap().len() <= CALENDARS_MAX);
}

#[tokio::test(start_paused = true)]
async fn the_project_is_shared() {
    let limits = Limits { per_project: 60, ..LIMITS };
    let project = AccountBudget::project_bucket(&limits);
    let (a, b) = (AccountBudget::new(limits, project.clone()), AccountBudget::new(limits, project));
    let start = Instant::now();
    for n in 0..12 {
        drop(if n % 2 == 0 { a.enter(READ).await.unwrap() } else { b.enter(READ).await.unwrap() });
    }
    assert!(start.elapsed() > Duration::from_secs(5), "{:?}", start.elapsed());
}

/// So many writes at once, as the engine makes them, on a clock that jumps from wait to wait.
async fn fill(limits: Limits, into: &[(&str, usize)]) -> Duration {
    use futures_util::{StreamExt, stream};
    let budget = AccountBudget::new(limits, AccountBudget::project_bucket(&limits));
    let start = Instant::now();
    let one = |calendar: &'static str| {
        let budget = &budget;
        async move {
            let ask = Ask { units: 1, writes_to: Some(calendar) };
            // Told to come back, the engine comes back.
            while let Err(error) = budget.enter(ask).await {
                let wait = error.retry_after.and_then(|wait| Duration::try_from(wait).ok());
                tokio::time::sleep(wait.unwrap_or(Duration::from_secs(1))).await;
            }
        }
    };
    let lanes = into.iter().map(|(calendar, count)| {
        let calendar: &'static str = Box::leak((*calendar).to_owned().into_boxed_str());
        let writes: Vec<_> = (0..*count).map(|_| one(calendar)).collect();
        stream::iter(writes).buffered(usize::from(limits.concurrent)).collect::<Vec<_>>()
    });
    futures_util::future::join_all(lanes.collect::<Vec<_>>()).await;
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_pace_tells_how_long_a_fill_takes() {
    use calsync_core::ids::{AccountId, CalendarId};
    use calsync_core::preview::{Writer, writing_time};
    use uuid::Uuid;
    let google = Limits { per_user: 600, per_calendar_writes: 240, concurrent: 4, ..LIMITS };
    let table: [(Limits, &[(&str, usize)]); 6] = [
        (google, &[("a", 100)]),
        (google, &[("a", 700)]),
        (google, &[("a", 300), ("b", 60)]),
        (google, &[("a", 250), ("b", 250), ("c", 250), ("d", 250)]),
        (LIMITS, &[("a", 90)]),
        (Limits { per_user: 900, per_project: 100_000, ..google }, &[("a", 400), ("b", 400)]),
    ];
    for (limits, into) in table {
        let took = fill(limits, into).await.as_secs_f64();
        let account = AccountId(Uuid::nil());
        let calendar = |n: usize| CalendarId(Uuid::from_u128(n as u128));
        let writes =
            into.iter().enumerate().map(|(n, (_, count))| ((account, calendar(n)), *count)).collect();
        let writer = Writer { pace: limits.pace(), call: jiff::SignedDuration::ZERO };
        let told = writing_time(&writes, &[(account, writer)].into()).as_secs_f64();
        assert!((told - took).abs() <= 0.1 * took, "{into:?}: told {told} s, took {took} s");
    }
}

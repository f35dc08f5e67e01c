//! What anybody may ask for and that costs the database, or somebody else, something: each is computed once and told to
//! everybody for a moment. One value per cache in this process. Never for anything that decides about a write, and never for who is
//! let in: those ask the database each time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// One value that is computed at most once in its life, however many ask for it at the same time.
#[derive(Debug)]
pub struct Fresh<T> {
    life: Life<T>,
    held: Arc<Mutex<Option<(Instant, T)>>>,
}

/// How long values live.
#[derive(Debug)]
enum Life<T> {
    Fixed(Duration),
    By(fn(&T) -> Duration),
}

impl<T> Life<T> {
    fn of(&self, value: &T) -> Duration {
        match self {
            Life::Fixed(life) => *life,
            Life::By(life) => life(value),
        }
    }
}

impl<T: Clone + Send + 'static> Fresh<T> {
    /// Values live this long from when they are known.
    pub fn new(life: Duration) -> Fresh<T> {
        Fresh { life: Life::Fixed(life), held: Arc::new(Mutex::new(None)) }
    }

    /// Each value lives as long as it says itself: an error is mostly over sooner than what is known lasts.
    pub fn by(life: fn(&T) -> Duration) -> Fresh<T> {
        Fresh { life: Life::By(life), held: Arc::new(Mutex::new(None)) }
    }

    /// The value, computed only if there is no fresh one. Whoever asks meanwhile waits for it and gets the same.
    /// `None`: the computation broke; the next to ask begins anew.
    ///
    /// It goes on when the one who asked goes away: else people who ask and hang up could have it begun again and again.
    pub async fn get(&self, compute: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let mut held = self.held.clone().lock_owned().await;
        if let Some((_, value)) = held.as_ref().filter(|(at, value)| at.elapsed() < self.life.of(value)) {
            return Some(value.clone());
        }
        let computed = tokio::spawn(async move {
            let value = compute.await;
            *held = Some((Instant::now(), value.clone()));
            value
        });
        computed.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn count(times: Arc<AtomicU32>) -> u32 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        times.fetch_add(1, Ordering::SeqCst)
    }

    #[tokio::test]
    async fn many_who_ask_at_once_and_soon_after_share_one_computation() {
        let (fresh, times) = (Arc::new(Fresh::new(Duration::from_secs(60))), Arc::new(AtomicU32::new(0)));
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (fresh, times) = (fresh.clone(), times.clone());
            asking.spawn(async move { fresh.get(count(times)).await });
        }
        assert!(asking.join_all().await.iter().all(|value| *value == Some(0)));
        assert_eq!((fresh.get(count(times.clone())).await, times.load(Ordering::SeqCst)), (Some(0), 1));
    }

    #[tokio::test]
    async fn a_value_is_computed_again_when_its_life_is_over() {
        let (fresh, times) = (Fresh::new(Duration::from_millis(50)), Arc::new(AtomicU32::new(0)));
        assert_eq!(fresh.get(count(times.clone())).await, Some(0));
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(fresh.get(count(times)).await, Some(1));
    }

    #[tokio::test]
    async fn a_value_may_say_itself_how_long_it_lives() {
        let fresh = Fresh::by(
            |value: &Result<u32, ()>| {
                if value.is_ok() { Duration::from_secs(60) } else { Duration::ZERO }
            },
        );
        assert_eq!(fresh.get(async { Err(()) }).await, Some(Err(())));
        assert_eq!(fresh.get(async { Ok(1) }).await, Some(Ok(1)));
        assert_eq!(fresh.get(async { Ok(2) }).await, Some(Ok(1)));
    }

    #[tokio::test]
    async fn whoever_hangs_up_begins_nothing_twice() {
        let (fresh, times) = (Fresh::new(Duration::from_secs(60)), Arc::new(AtomicU32::new(0)));
        for _ in 0..10 {
            let asked = tokio::time::timeout(Duration::from_millis(1), fresh.get(count(times.clone())));
            assert!(asked.await.is_err());
        }
        assert_eq!((fresh.get(count(times.clone())).await, times.load(Ordering::SeqCst)), (Some(0), 1));
    }

    #[tokio::test]
    async fn a_computation_that_breaks_is_begun_anew() {
        let fresh = Fresh::new(Duration::from_secs(60));
        assert_eq!(fresh.get(async { panic!("this is a test") }).await, None);
        assert_eq!(fresh.get(async { 7 }).await, Some(7));
    }
}

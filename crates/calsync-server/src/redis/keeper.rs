//! Keeps the connection: makes it, feels its pulse, and makes it again when it was lost, ever more slowly while that
//! fails. The one place that tells the log of Redis: a line when it goes and a line when it comes back.

use std::sync::Arc;
use std::time::Duration;

use calsync_core::ports::IdGen;
use tokio::time::Instant;

use super::{Link, Trouble};

/// How often a connection is tried that nobody uses: so long may its end stay unnoticed.
const PULSE: Duration = Duration::from_secs(1);
/// Rest before the first new try.
const FIRST_REST: Duration = Duration::from_millis(250);
/// Longest rest between two tries.
const LONGEST_REST: Duration = Duration::from_secs(10);
/// A connection that held this long was a good one. A shorter one does not shorten the rests: Redis that comes and goes
/// must not fill the log.
const STEADY: Duration = Duration::from_secs(60);

/// What the log was told last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    There,
    Gone,
}

/// Keeps it, for as long as it is polled. `random` spreads the tries of several instances.
pub async fn keep(link: Arc<Link>, random: Arc<dyn IdGen>) {
    let mut told = Told::Nothing;
    let mut rest = FIRST_REST;
    loop {
        let trouble = match link.open().await {
            Ok(line) => {
                link.restore(line);
                told = tell_there(&link, told);
                let since = Instant::now();
                let trouble = held(&link).await;
                if since.elapsed() >= STEADY {
                    rest = FIRST_REST;
                }
                trouble
            }
            Err(trouble) => trouble,
        };
        told = tell_gone(&link, told, trouble);
        tokio::time::sleep(spread(rest, random.as_ref())).await;
        rest = (rest * 2).min(LONGEST_REST);
    }
}

/// Feels the pulse until there is none, or somebody else has noticed.
async fn held(link: &Link) -> Trouble {
    let ping = ::redis::cmd("PING");
    loop {
        if let Ok(trouble) = tokio::time::timeout(PULSE, link.until_lost()).await {
            return trouble;
        }
        // What comes of it is the link's to note.
        let _: Result<String, _> = link.ask(&ping).await;
    }
}

/// Between half of it and all of it.
fn spread(rest: Duration, random: &dyn IdGen) -> Duration {
    let half = rest / 2;
    let millis = u64::try_from(half.as_millis()).unwrap_or(0);
    half + Duration::from_millis(random.below(millis + 1))
}

fn tell_there(link: &Link, told: Told) -> Told {
    let redis = link.address();
    match told {
        Told::There => {}
        Told::Nothing => {
            tracing::info!(%redis, "the limit on failed authentications is shared through Redis");
        }
        Told::Gone => {
            tracing::info!(%redis, "Redis is back: the limit on failed authentications is shared again");
        }
    }
    Told::There
}

fn tell_gone(link: &Link, told: Told, trouble: Trouble) -> Told {
    let redis = link.address();
    if told == Told::Gone {
        tracing::debug!(%redis, why = %trouble, "Redis is still gone");
    } else {
        tracing::warn!(
            %redis,
            why = %trouble,
            "Redis is gone: the limit on failed authentications is held in this process until it is back"
        );
    }
    Told::Gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    #[test]
    fn rests_are_spread_over_their_second_half() {
        for _ in 0..100 {
            let rest = spread(LONGEST_REST, &SystemRandom);
            assert!(rest >= LONGEST_REST / 2 && rest <= LONGEST_REST, "{rest:?}");
        }
    }
}

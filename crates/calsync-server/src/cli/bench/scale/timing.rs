//! How long something takes that is asked again and again.

use std::time::Instant;

use super::super::figures::{per_mille, rounded};
use crate::cli::exit::Failure;

/// How long it took.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize)]
pub(super) struct Timing {
    /// The first time, which finds nothing prepared.
    pub(super) first_ms: f64,
    /// All other times.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Asks so many times; the last answer.
pub(super) async fn timed<T>(
    times: u32,
    mut ask: impl AsyncFnMut(u32) -> Result<T, Failure>,
) -> Result<(Timing, T), Failure> {
    let began = Instant::now();
    let mut answer = ask(0).await?;
    let first = micros(began);
    let mut took = Vec::new();
    for time in 1..=times {
        let began = Instant::now();
        answer = ask(time).await?;
        took.push(micros(began));
    }
    Ok((of(first, took), answer))
}

/// Of these times, in microseconds.
pub(super) fn of(first: u32, mut took: Vec<u32>) -> Timing {
    took.sort_unstable();
    let ms = |micros: u32| rounded(f64::from(micros) / 1000.0);
    Timing { first_ms: ms(first), p50_ms: ms(per_mille(&took, 500)), p99_ms: ms(per_mille(&took, 990)) }
}

/// Since then.
pub(super) fn micros(began: Instant) -> u32 {
    u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX)
}

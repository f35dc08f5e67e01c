//! How a webhook's host is doing (microsoft.md §8.2 "slow", "drop"): a pure count of how long it took to answer within
//! the last ten minutes. It sends nothing and knows no clock: times are handed in.

use std::collections::VecDeque;
use std::time::Duration;

/// Answers that are remembered at most.
const ANSWERS_MAX: usize = 10_000;

/// What is done with notices to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// They are sent.
    Normal,
    /// They are sent later.
    Slow,
    /// They are thrown away.
    Drop,
}

/// The rules by which hosts are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointRules {
    /// How far back answers count, and how long a judgement stands.
    pub window: Duration,
    /// Longer than this is slow.
    pub slow: Duration,
    /// Longer than this is lost.
    pub lost: Duration,
    /// Below so many answers there is no judgement.
    pub least: usize,
}

impl Default for EndpointRules {
    fn default() -> EndpointRules {
        EndpointRules {
            window: Duration::from_secs(600),
            slow: Duration::from_secs(3),
            lost: Duration::from_secs(10),
            least: 10,
        }
    }
}

/// One host.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    answers: VecDeque<(Duration, Duration)>,
    judged: Option<(Duration, State)>,
}

impl Endpoint {
    /// Notes that an exchange ended at `at` after `took`.
    pub(super) fn note(&mut self, rules: &EndpointRules, at: Duration, took: Duration) {
        self.forget(rules, at);
        if self.answers.len() >= ANSWERS_MAX {
            self.answers.pop_front();
        }
        self.answers.push_back((at, took));
        let all = self.answers.len();
        if all < rules.least || self.state(rules, at) != State::Normal {
            return;
        }
        let over = |limit: Duration| self.answers.iter().filter(|(_, took)| *took >= limit).count();
        // More than 15 % beyond the longest wait: drop; more than 10 % late: slow.
        if over(rules.lost) * 100 > all * 15 {
            self.judged = Some((at, State::Drop));
        } else if over(rules.slow) * 100 > all * 10 {
            self.judged = Some((at, State::Slow));
        }
    }

    /// What is done with notices now. A judgement stands for one window, and then the count begins anew.
    pub(super) fn state(&self, rules: &EndpointRules, at: Duration) -> State {
        match self.judged {
            Some((since, state)) if at.saturating_sub(since) < rules.window => state,
            _ => State::Normal,
        }
    }

    fn forget(&mut self, rules: &EndpointRules, at: Duration) {
        let judged_out = self.judged.is_some_and(|(since, _)| at.saturating_sub(since) >= rules.window);
        if judged_out {
            self.judged = None;
            self.answers.clear();
        }
        while self.answers.front().is_some_and(|(then, _)| at.saturating_sub(*then) >= rules.window) {
            self.answers.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn more_than_a_tenth_late_is_slow_for_ten_minutes() {
        let (rules, mut host) = (EndpointRules::default(), Endpoint::default());
        for n in 0..18 {
            host.note(&rules, secs(n), secs(1));
        }
        host.note(&rules, secs(18), secs(4));
        host.note(&rules, secs(19), secs(4));
        assert_eq!(host.state(&rules, secs(20)), State::Normal, "just a tenth");
        host.note(&rules, secs(20), secs(4));
        assert_eq!(host.state(&rules, secs(21)), State::Slow);
        assert_eq!(host.state(&rules, secs(620)), State::Normal);
    }

    #[test]
    fn more_than_three_in_twenty_lost_is_drop() {
        let (rules, mut host) = (EndpointRules::default(), Endpoint::default());
        for n in 0..9 {
            host.note(&rules, secs(n), secs(12));
        }
        assert_eq!(host.state(&rules, secs(9)), State::Normal, "too few to judge");
        host.note(&rules, secs(9), secs(12));
        assert_eq!(host.state(&rules, secs(10)), State::Drop);
    }
}

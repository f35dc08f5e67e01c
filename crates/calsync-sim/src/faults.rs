//! What goes wrong, and when: every fault has its own die, thrown from a seed and a counter, so that a run can be
//! repeated. It decides and counts; the skins do the damage.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::rng::roll;

/// Everything that can go wrong at a provider. The doc of each names its contract row (of google.md, where nothing else
/// is said).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A notification never comes (§8 "expect a small share to be lost").
    NoticeLost,
    /// A notification comes twice (§8 "bursts and duplicates are normal").
    NoticeDoubled,
    /// A notification comes late.
    NoticeLate,
    /// A notification comes after the one that was sent next.
    NoticeReordered,
    /// 500 or 503, and nothing was done (§9 `backendError`).
    ErrorBefore,
    /// 500 or 503, though the write took effect (§9 "outcome of a write unknown").
    ErrorAfterWrite,
    /// The connection breaks, and nothing was done.
    DropBefore,
    /// The connection breaks, though the write took effect.
    DropAfterWrite,
    /// 429 `rateLimitExceeded` (§9).
    TooManyRequests,
    /// 403 `rateLimitExceeded` or `userRateLimitExceeded` (§9).
    RateLimited,
    /// The access token is refused as expired (§9 `authError`), and stays so.
    TokenExpired,
    /// The sync token is refused (§4 rule 5, `fullSyncRequired`).
    SyncTokenLost,
    /// A page holds less than it could (§4 `maxResults`).
    ShortPage,
    /// A page holds nothing, and yet is not the last (§4 `maxResults`).
    EmptyPage,
    /// The first reading of a new event does not find it (§10 row 4).
    ReplicationLag,
    /// An event comes twice in one delta, perhaps once as it was before (§4 rule 7).
    DuplicateItem,
    /// Exceptions come before their master, or on a page without it (§4 rule 7).
    ExceptionsFirst,
    /// The server touches an event right after a write: its etag moves, and nothing else (microsoft.md §4.2).
    ServerTouch,
    /// A delta removes something that nobody ever heard of (microsoft.md §7).
    StrayRemoval,
    /// A delta lags behind the change, and its round is empty (microsoft.md §7, §10 row 15).
    DeltaLag,
    /// A delta lags behind the last change alone, and shows what came before it (microsoft.md §7, §10 row 15).
    DeltaBehind,
    /// A `transactionId` is remembered though what it made is gone (microsoft.md §4.2, §12).
    KeyKept,
    /// An item of a notification carries neither id nor etag (microsoft.md §8.2). Only in virtual time.
    NoticeBare,
    /// A thrown-away notification is owned up to by `missed` (microsoft.md §8.3). Only in virtual time: the look-alike
    /// tells it whenever it discards something.
    MissOwned,
    /// A subscription asks to be renewed out of turn (microsoft.md §8.3, "admin action"). Only in virtual time.
    RenewalAsked,
    /// A subscription is removed, with a word about it (microsoft.md §8.3). Only in virtual time.
    ChannelRemoved,
    /// The occurrences of a series that stands are asked for, and none is shown (microsoft.md §7). Only in virtual time.
    SeriesEmpty,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 27] = [
        Fault::NoticeLost,
        Fault::NoticeDoubled,
        Fault::NoticeLate,
        Fault::NoticeReordered,
        Fault::ErrorBefore,
        Fault::ErrorAfterWrite,
        Fault::DropBefore,
        Fault::DropAfterWrite,
        Fault::TooManyRequests,
        Fault::RateLimited,
        Fault::TokenExpired,
        Fault::SyncTokenLost,
        Fault::ShortPage,
        Fault::EmptyPage,
        Fault::ReplicationLag,
        Fault::DuplicateItem,
        Fault::ExceptionsFirst,
        Fault::ServerTouch,
        Fault::StrayRemoval,
        Fault::DeltaLag,
        Fault::DeltaBehind,
        Fault::KeyKept,
        Fault::NoticeBare,
        Fault::MissOwned,
        Fault::RenewalAsked,
        Fault::ChannelRemoved,
        Fault::SeriesEmpty,
    ];
}

/// How often each fault happens, per million chances. A fault that is not named never happens by chance.
pub type Rates = BTreeMap<Fault, u32>;

/// The same rate for every fault.
pub fn every_fault(per_million: u32) -> Rates {
    Fault::ALL.into_iter().map(|fault| (fault, per_million)).collect()
}

/// Whether `fault` happens at its chance number `counter`, and if so a number to choose details by.
pub fn decide(seed: u64, fault: Fault, counter: u64, per_million: u32) -> Option<u64> {
    let salt = fault as u64 * 2;
    (roll(seed, counter, salt) % 1_000_000 < u64::from(per_million)).then(|| roll(seed, counter, salt + 1))
}

#[derive(Debug, Default)]
struct Die {
    per_million: AtomicU32,
    forced: AtomicU32,
    thrown: AtomicU64,
    fired: AtomicU64,
}

/// The dice of one simulated provider.
#[derive(Debug)]
pub struct FaultPlan {
    seed: u64,
    on: AtomicBool,
    dice: [Die; Fault::ALL.len()],
}

impl FaultPlan {
    /// Dice of this seed with these rates, switched on.
    pub fn new(seed: u64, rates: &Rates) -> FaultPlan {
        let plan = FaultPlan { seed, on: AtomicBool::new(true), dice: Default::default() };
        for (fault, rate) in rates {
            plan.set_rate(*fault, *rate);
        }
        plan
    }

    /// Lets chance rule.
    pub fn switch_on(&self) {
        self.on.store(true, Ordering::SeqCst);
    }

    /// Lets nothing happen by chance any more: the quiet in which everything must converge. Forced faults still come.
    pub fn switch_off(&self) {
        self.on.store(false, Ordering::SeqCst);
    }

    /// Changes how often a fault happens.
    pub fn set_rate(&self, fault: Fault, per_million: u32) {
        self.die(fault).per_million.store(per_million, Ordering::SeqCst);
    }

    /// Makes the next `times` chances of a fault come true.
    pub fn force(&self, fault: Fault, times: u32) {
        self.die(fault).forced.store(times, Ordering::SeqCst);
    }

    /// Throws the die: `Some` with a number to choose details by if the fault happens now.
    pub fn draw(&self, fault: Fault) -> Option<u64> {
        let die = self.die(fault);
        let counter = die.thrown.fetch_add(1, Ordering::SeqCst);
        let forced =
            die.forced.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        let rate = match (forced, self.on.load(Ordering::SeqCst)) {
            (true, _) => 1_000_000,
            (false, true) => die.per_million.load(Ordering::SeqCst),
            (false, false) => 0,
        };
        let drawn = decide(self.seed, fault, counter, rate);
        if drawn.is_some() {
            die.fired.fetch_add(1, Ordering::SeqCst);
        }
        drawn
    }

    /// Whether the fault happens now.
    pub fn strikes(&self, fault: Fault) -> bool {
        self.draw(fault).is_some()
    }

    /// How often each fault has happened; those that have not are left out.
    pub fn fired(&self) -> BTreeMap<Fault, u64> {
        let counts =
            Fault::ALL.into_iter().map(|fault| (fault, self.die(fault).fired.load(Ordering::SeqCst)));
        counts.filter(|(_, n)| *n > 0).collect()
    }

    fn die(&self, fault: Fault) -> &Die {
        // `ALL` lists the variants in their order; a test below holds it to that.
        &self.dice[fault as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_own_die() {
        for (at, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, at);
        }
    }

    #[test]
    fn a_run_can_be_repeated() {
        let run = |seed| {
            let plan = FaultPlan::new(seed, &every_fault(300_000));
            (0..200).map(|n| plan.draw(Fault::ALL[n % Fault::ALL.len()])).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn rates_force_and_the_switch_are_obeyed_and_counted() {
        let plan = FaultPlan::new(5, &Rates::from([(Fault::ShortPage, 250_000)]));
        let hits = (0..4_000).filter(|_| plan.strikes(Fault::ShortPage)).count();
        assert!((850..1150).contains(&hits), "{hits}");
        assert!(!plan.strikes(Fault::EmptyPage));
        plan.switch_off();
        plan.force(Fault::EmptyPage, 2);
        assert_eq!([0; 4].map(|_| plan.strikes(Fault::EmptyPage)), [true, true, false, false]);
        assert!((0..100).all(|_| !plan.strikes(Fault::ShortPage)));
        assert_eq!(plan.fired(), BTreeMap::from([(Fault::ShortPage, hits as u64), (Fault::EmptyPage, 2)]));
    }
}

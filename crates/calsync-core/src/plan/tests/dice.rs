//! A small seeded generator (SplitMix64): the same seed, the same world.

/// Random numbers.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0..n.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    /// from..to.
    pub(crate) fn range(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(usize::try_from(to - from).unwrap())).unwrap()
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }
}

/// Runs `law` on `count` seeds: more if `CALSYNC_CASES` says how many times more, only one if `CALSYNC_SEED` names it. A
/// failing seed names itself.
pub(crate) fn seeds(count: u64, law: impl Fn(u64, &mut Dice) + std::panic::RefUnwindSafe) {
    let times: u64 = std::env::var("CALSYNC_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let only: Option<u64> = std::env::var("CALSYNC_SEED").ok().and_then(|n| n.parse().ok());
    for seed in only.map_or(0..count * times, |seed| seed..seed + 1) {
        if let Err(why) = std::panic::catch_unwind(|| law(seed, &mut Dice::new(seed))) {
            eprintln!("seed {seed} fails");
            std::panic::resume_unwind(why);
        }
    }
}

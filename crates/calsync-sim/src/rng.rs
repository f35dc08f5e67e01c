//! A tiny seeded generator for ids and for dice. It never reads the clock or the host's entropy, so the same seed
//! gives the same cloud; it is of no use for secrets that must hold against anybody.

/// The letters of Google's event ids: base32hex in small letters (google.md §5).
const BASE32HEX: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// The step of SplitMix64 (Steele, Lea, Flood 2014).
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers that depends on its seed alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// The stream of this seed.
    pub const fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number from 0 up to, and without, `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift: the bias is below 2^-32 for the small bounds used here.
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Text of `len` letters from 0-9 and a-v.
    pub fn letters(&mut self, len: usize) -> String {
        let mut out = String::with_capacity(len);
        let mut word = 0;
        for at in 0..len {
            if at % 12 == 0 {
                word = self.next_u64();
            }
            out.push(char::from(BASE32HEX[(word & 31) as usize]));
            word >>= 5;
        }
        out
    }
}

/// One decision's number: a pure function of who asks and how often it was asked.
pub fn roll(seed: u64, counter: u64, salt: u64) -> u64 {
    mix(mix(mix(seed.wrapping_add(GAMMA)) ^ counter.wrapping_mul(GAMMA))
        ^ salt.wrapping_mul(0xd6e8_feb8_6659_fd93))
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_stream_again() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        assert_eq!(a.letters(40), b.letters(40));
        assert_ne!(Rng::new(7).letters(20), Rng::new(8).letters(20));
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut rng = Rng::new(1);
        let mut seen = [0_u32; 6];
        for _ in 0..6_000 {
            seen[usize::try_from(rng.below(6)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn a_roll_depends_on_each_of_its_three_numbers() {
        let base = roll(1, 2, 3);
        assert_eq!(base, roll(1, 2, 3));
        for other in [roll(2, 2, 3), roll(1, 3, 3), roll(1, 2, 4)] {
            assert_ne!(base, other);
        }
    }
}

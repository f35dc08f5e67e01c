//! The scale at the left of a chart: from a round number to a round number, with a few marks between. Pure.

use super::Unit;

/// Marks at most, with the lowest.
const MARKS: f64 = 4.0;

/// From where to where, and how far the marks are apart.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    apart: f64,
}

impl Scale {
    /// One that holds all of these values. Shares end at 100, and begin where they must: a drop from 100 to 97 is to be seen.
    pub(super) fn of(values: &[f64], unit: Unit) -> Scale {
        let highest = values.iter().copied().fold(0.0, f64::max);
        match unit {
            Unit::Percent => {
                let lowest = values.iter().copied().fold(100.0, f64::min);
                let (low, apart) = match lowest {
                    low if low >= 90.0 => (90.0, 2.5),
                    low if low >= 50.0 => (50.0, 12.5),
                    _ => (0.0, 25.0),
                };
                Scale { low, high: 100.0, apart }
            }
            Unit::Time | Unit::Count => {
                let least = if unit == Unit::Time { 100.0 } else { MARKS };
                let apart = round_up(highest.max(least) / MARKS);
                Scale { low: 0.0, high: apart * (highest.max(least) / apart).ceil(), apart }
            }
        }
    }

    /// How far up a value is, 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// What is marked.
    pub(super) fn marks(self) -> impl Iterator<Item = f64> {
        let mark = move |n: u8| self.low + f64::from(n) * self.apart;
        (0..=5).map(mark).take_while(move |mark| *mark <= self.high + self.apart / 1_000.0)
    }
}

/// The next of 1, 2, 5, 10, 20, 50 …
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_hold_everything() {
        let table: [(&[f64], Unit, &[f64]); 8] = [
            (&[], Unit::Count, &[0.0, 1.0, 2.0, 3.0, 4.0]),
            (&[3.0], Unit::Count, &[0.0, 1.0, 2.0, 3.0, 4.0]),
            (&[17.0], Unit::Count, &[0.0, 5.0, 10.0, 15.0, 20.0]),
            (&[1_000_000.0], Unit::Count, &[0.0, 500_000.0, 1_000_000.0]),
            (&[90.0], Unit::Time, &[0.0, 50.0, 100.0]),
            (&[100.0, 99.0], Unit::Percent, &[90.0, 92.5, 95.0, 97.5, 100.0]),
            (&[60.0], Unit::Percent, &[50.0, 62.5, 75.0, 87.5, 100.0]),
            (&[0.0], Unit::Percent, &[0.0, 25.0, 50.0, 75.0, 100.0]),
        ];
        for (values, unit, marks) in table {
            let scale = Scale::of(values, unit);
            assert_eq!(scale.marks().collect::<Vec<_>>(), marks, "{values:?}");
            for value in values {
                assert!(*value <= scale.high && *value >= scale.low, "{scale:?}");
            }
        }
    }

    #[test]
    fn a_place_is_on_the_sheet() {
        let scale = Scale::of(&[10.0], Unit::Count);
        assert_eq!(
            [scale.place(0.0), scale.place(scale.high), scale.place(1e9), scale.place(-1.0)],
            [0.0, 1.0, 1.0, 0.0]
        );
    }
}

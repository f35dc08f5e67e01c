//! What becomes of measurements: medians, percentiles, and how figures are written for people.

/// The middle of these; 0 of none.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (count, middle) = (values.len(), values.len() / 2);
    match count {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The value that this many of a thousand do not exceed; 0 of none.
pub(super) fn per_mille(sorted: &[u32], share: usize) -> u32 {
    let at = (sorted.len() * share).div_ceil(1000).max(1) - 1;
    sorted.get(at).copied().unwrap_or(0)
}

/// `a / b`, and 0 where there is nothing to divide by.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// A count as a number to calculate with.
#[allow(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// Rounded for a report: no more digits than the measurement has.
pub(super) fn rounded(value: f64) -> f64 {
    let unit = if value.abs() >= 100.0 { 1.0 } else { 1000.0 };
    (value * unit).round() / unit
}

/// A large number in groups of three: `12,345`.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middles_and_shares() {
        assert_eq!(median([]), 0.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        let sorted: Vec<u32> = (1..=1000).collect();
        assert_eq!(
            (per_mille(&sorted, 500), per_mille(&sorted, 990), per_mille(&sorted, 999)),
            (500, 990, 999)
        );
        assert_eq!((per_mille(&[], 500), per_mille(&[7], 1), per_mille(&[7], 1000)), (0, 7, 7));
        assert_eq!((ratio(1.0, 4.0), ratio(1.0, 0.0)), (0.25, 0.0));
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(grouped(0.4), "0");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(1234567.0), "1,234,567");
        assert_eq!(grouped(-1234.0), "-1,234");
        assert_eq!((rounded(0.12345), rounded(12345.6)), (0.123, 12346.0));
    }
}

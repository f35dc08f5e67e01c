//! Times, spans and counts in words. Everything is told: the moment that counts as now, and the zone.

use calsync_core::time::Ts;
use jiff::tz::TimeZone;

/// A point in time as a page shows it: short in view, exact for programs and on pointing at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct When {
    /// `5 minutes ago`.
    pub short: String,
    /// `Mon 23 Nov 2026, 14:05:09 CET`.
    pub full: String,
    /// RFC 3339.
    pub machine: String,
}

/// How times are written on a page.
#[derive(Clone, Debug)]
pub struct Times {
    /// What counts as now.
    pub now: Ts,
    /// The reader's zone.
    pub zone: TimeZone,
}

impl Times {
    /// In this zone, as of now.
    pub fn new(now: Ts, zone: TimeZone) -> Times {
        Times { now, zone }
    }

    /// This point in time.
    pub fn when(&self, at: Ts) -> When {
        let zoned = at.to_jiff().to_zoned(self.zone.clone());
        let seconds = self.now.since(at).as_secs();
        let short = match seconds.unsigned_abs() {
            0..=4 => "just now".to_owned(),
            away @ ..=86_399 if seconds >= 0 => format!("{} ago", span(away)),
            away @ ..=86_399 => format!("in {}", span(away)),
            _ => zoned.strftime("%-d %b %Y, %H:%M").to_string(),
        };
        When { short, full: zoned.strftime("%a %-d %b %Y, %H:%M:%S %Z").to_string(), machine: at.to_string() }
    }

    /// The same as a point to count from, which stays true while a page is open: `14:05`, and the day if it is another one.
    pub fn since(&self, at: Ts) -> String {
        let here = |at: Ts| at.to_jiff().to_zoned(self.zone.clone());
        let (zoned, now) = (here(at), here(self.now));
        let shape = match (zoned.date() == now.date(), zoned.year() == now.year()) {
            (true, _) => "%H:%M",
            (false, true) => "%-d %b, %H:%M",
            (false, false) => "%-d %b %Y, %H:%M",
        };
        zoned.strftime(shape).to_string()
    }

    /// The same, of something that may never have been.
    pub fn when_or(&self, at: Option<Ts>, never: &str) -> When {
        at.map_or_else(
            || When { short: never.to_owned(), full: never.to_owned(), machine: String::new() },
            |at| self.when(at),
        )
    }
}

/// Seconds in words, coarse: `12 s`, `5 min`, `3 h 20 min`, `4 days`.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) if minutes % 60 == 0 => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (1, hours, _) => format!("{hours} h"),
        (days, _, _) => format!("{days} days"),
    }
}

/// Milliseconds in words: `350 ms`, `1.2 s`, then as `span`.
pub fn milliseconds(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => span(ms / 1_000),
    }
}

/// A text in pieces, of which some are to be typed as they stand: those between backticks, as the program writes them everywhere.
pub fn typed(text: &str) -> Vec<(bool, &str)> {
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        // One that begins and never ends is a backtick.
        return vec![(false, text)];
    }
    let pieces = pieces.into_iter().enumerate().map(|(place, piece)| (place % 2 == 1, piece));
    pieces.filter(|(_, piece)| !piece.is_empty()).collect()
}

/// A whole number with its noun: `1 block`, `3 blocks`, `12,400 blocks`.
pub fn count(n: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// A whole number with its thousands set apart.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
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
    fn near_times_are_told_by_their_distance_and_far_ones_by_their_date() {
        let now = Ts::from_secs(1_795_000_000);
        let times = Times::new(now, TimeZone::UTC);
        let table = [
            (0, "just now"),
            (-59, "59 s ago"),
            (-60, "1 min ago"),
            (-3_600, "1 h ago"),
            (-12_000, "3 h 20 min ago"),
            (300, "in 5 min"),
            (-86_400, "17 Nov 2026, 11:06"),
        ];
        for (away, short) in table {
            assert_eq!(times.when(Ts::from_secs(1_795_000_000 + away)).short, short);
        }
        for (away, since) in [
            (0, "11:06"),
            (-40_000, "00:00"),
            (-40_001, "17 Nov, 23:59"),
            (-31_600_000, "17 Nov 2025, 17:20"),
        ] {
            assert_eq!(times.since(Ts::from_secs(1_795_000_000 + away)), since);
        }
        assert_eq!(times.when(now).full, "Wed 18 Nov 2026, 11:06:40 UTC");
        assert_eq!(times.when_or(None, "never").short, "never");
    }

    #[test]
    fn what_is_typed_stands_apart() {
        let table: [(&str, &[(bool, &str)]); 5] = [
            ("no code", &[(false, "no code")]),
            ("run `doctor` now", &[(false, "run "), (true, "doctor"), (false, " now")]),
            ("`a` and `b`", &[(true, "a"), (false, " and "), (true, "b")]),
            ("a lone ` tick", &[(false, "a lone ` tick")]),
            ("", &[]),
        ];
        for (text, pieces) in table {
            assert_eq!(typed(text), pieces, "{text}");
        }
    }

    #[test]
    fn counts_and_spans() {
        assert_eq!(count(1, "block"), "1 block");
        assert_eq!(count(12_400, "block"), "12,400 blocks");
        assert_eq!([thousands(0), thousands(999), thousands(1_234_567)], ["0", "999", "1,234,567"]);
        assert_eq!(
            [milliseconds(999), milliseconds(1_250), milliseconds(61_000)],
            ["999 ms", "1.2 s", "1 min"]
        );
        assert_eq!([span(90_000), span(172_800)], ["25 h", "2 days"]);
    }
}

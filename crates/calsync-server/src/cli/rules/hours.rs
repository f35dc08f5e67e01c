//! Working hours as a person types them: `Europe/Vienna mon-fri 08:00-18:00`, or `off`.

use std::str::FromStr;

use calsync_core::rule::WorkingHours;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const FORM: &str =
    "write it as \"Europe/Vienna mon-fri 08:00-18:00\" (days as mon-fri or mon,wed,fri), or `off`";

/// Working hours, or none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HoursArg(pub Option<WorkingHours>);

impl FromStr for HoursArg {
    type Err = String;

    fn from_str(text: &str) -> Result<HoursArg, String> {
        if text.trim() == "off" {
            return Ok(HoursArg(None));
        }
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [zone, days, hours] = parts.as_slice() else { return Err(FORM.to_owned()) };
        let (from, to) = hours.split_once('-').ok_or(FORM)?;
        let hours = WorkingHours {
            zone: (*zone).to_owned(),
            days: week(days).ok_or(FORM)?,
            from_minute: minute(from).ok_or(FORM)?,
            to_minute: minute(to).ok_or(FORM)?,
        };
        // Whether the zone exists and the hours make sense is the rule's own judgement.
        Ok(HoursArg(Some(hours)))
    }
}

/// `mon-fri`, `mon,wed`, `fri-mon`: sorted, Monday = 1.
fn week(text: &str) -> Option<Vec<u8>> {
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let span = (last + 7 - first) % 7;
        days.extend((0..=span).map(|n| (first - 1 + n) % 7 + 1));
    }
    days.sort_unstable();
    days.dedup();
    Some(days)
}

fn day(text: &str) -> Option<u8> {
    let text = text.to_ascii_lowercase();
    let at = DAYS.iter().position(|day| *day == text)?;
    u8::try_from(at + 1).ok()
}

/// `08:00` up to `24:00`, as minutes of the day.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |s: &str| {
        if s.len() <= 2 && s.bytes().all(|b| b.is_ascii_digit()) { s.parse::<u16>().ok() } else { None }
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (minutes < 60 && (hours < 24 || (hours == 24 && minutes == 0))).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_as_people_write_them() {
        let hours = |text: &str| text.parse::<HoursArg>().unwrap().0.unwrap();
        let usual = hours("Europe/Vienna mon-fri 08:00-18:30");
        assert_eq!(
            usual,
            WorkingHours {
                zone: "Europe/Vienna".into(),
                days: vec![1, 2, 3, 4, 5],
                from_minute: 480,
                to_minute: 1110
            }
        );
        assert_eq!(hours("UTC Sat-Mon 0:00-24:00").days, [1, 6, 7]);
        assert_eq!(hours("UTC mon,wed,wed 0:00-24:00").days, [1, 3]);
        assert_eq!(hours("UTC mon-sun 0:00-24:00").days, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!("off".parse::<HoursArg>(), Ok(HoursArg(None)));
        for bad in [
            "",
            "UTC",
            "UTC mon",
            "UTC mon 8-18",
            "UTC monday 8:00-18:00",
            "UTC mon 24:01-25:00",
            "UTC mon 8:60-9:00",
            "UTC mon 08:00",
            "UTC , 8:00-9:00",
        ] {
            assert!(bad.parse::<HoursArg>().is_err(), "{bad}");
        }
    }
}

//! When people change their calendars: mostly at work, never at night, seldom at weekends, each by their own clock.

use calsync_core::time::Ts;
use calsync_core::zone;
use calsync_sim::rng::Rng;
use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, ToSpan};

/// Of ten changes on a weekday, so many come between nine and six.
const AT_WORK: u64 = 8;
/// A weekday has so many times the changes of a day at the weekend.
const WEEKDAY_TO_WEEKEND: u64 = 5;

/// Moments of one day of somebody's who makes so many changes on a weekday. Never between ten at night and seven.
pub(super) fn of_a_day(zone: &str, day: Date, changes: u32, rng: &mut Rng) -> Vec<Ts> {
    let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    let changes = u64::from(changes);
    let count = match weekend {
        true => (changes + rng.below(WEEKDAY_TO_WEEKEND)) / WEEKDAY_TO_WEEKEND,
        false => changes,
    };
    let midnight = day.to_zoned(zone::find_or_utc(zone)).map_or(Ts::MAX, |z| Ts::from_jiff(z.timestamp()));
    let moment = |_| {
        let second = match (weekend, rng.below(10) < AT_WORK) {
            (true, _) => hour(9) + rng.below(hour(13)),
            (false, true) => hour(9) + rng.below(hour(9)),
            // Two hours before, four after.
            (false, false) => match rng.below(hour(6)) {
                early if early < hour(2) => hour(7) + early,
                late => hour(16) + late,
            },
        };
        midnight.plus(SignedDuration::from_secs(i64::try_from(second).unwrap_or(0)))
    };
    (0..count).map(moment).collect()
}

/// The days of somebody's that touch a stretch of time.
pub(super) fn days(zone: &str, from: Ts, to: Ts) -> impl Iterator<Item = Date> {
    let date = |at: Ts| at.to_jiff().to_zoned(zone::find_or_utc(zone)).date();
    let last = date(to);
    std::iter::successors(Some(date(from)), |day| day.checked_add(1.day()).ok())
        .take_while(move |day| *day <= last)
}

const fn hour(hours: u64) -> u64 {
    hours * 3_600
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_work_by_day_and_rest_at_weekends() {
        let (from, to) = ("2026-09-28T00:00:00Z", "2026-10-25T23:59:59Z");
        let mut rng = Rng::new(1);
        let (mut week, mut weekend, mut at_work) = (0, 0, 0);
        for zone in ["Europe/Vienna", "Asia/Kolkata", "America/Vancouver"] {
            for day in days(zone, from.parse().unwrap(), to.parse().unwrap()) {
                for at in of_a_day(zone, day, 6, &mut rng) {
                    let local = at.to_jiff().to_zoned(zone::find_or_utc(zone));
                    assert!((7..22).contains(&local.hour()), "{local}");
                    match local.weekday() {
                        Weekday::Saturday | Weekday::Sunday => weekend += 1,
                        _ => {
                            (week, at_work) = (week + 1, at_work + i32::from((9..18).contains(&local.hour())))
                        }
                    }
                }
            }
        }
        // Four weeks of three people; a day more or less at the edge of the zones.
        assert!((350..=380).contains(&week), "{week}");
        assert!((20..=45).contains(&weekend), "{weekend}");
        assert!((270..=320).contains(&at_work), "{at_work}");
    }
}

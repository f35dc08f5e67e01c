//! What is to be known of a week before it is looked at: what it does not show, and why. Pure.

use calsync_core::time::{Ts, Window};
use calsync_core::week::{Lane, Titling};

use crate::Tone;
use crate::words::Times;

/// That these days lie outside the time that is kept in step, or reach beyond it: an empty grid says nothing of who is free. That
/// its beginning is over is no news.
pub(super) fn outside(shown: Window, kept: Window, times: &Times) -> Option<(Tone, String)> {
    let day = |at: Ts| at.to_jiff().to_zoned(times.zone.clone()).strftime("%-d %B %Y").to_string();
    let (from, to) = (day(kept.from), day(kept.to));
    if shown.intersect(kept).is_none() {
        let text = format!("This week is outside the time that is kept in step, which is {from} to {to}.");
        return Some((Tone::Info, text));
    }
    (shown.to > kept.to).then(|| {
        (Tone::Info, format!("What is later than {to} is not kept in step yet: it may be missing here."))
    })
}

/// What is to be known of a calendar on these days.
pub(super) fn remark(lane: &Lane) -> Option<(Tone, String)> {
    match &lane.titles {
        Titling::Missing { why } => {
            Some((Tone::Info, format!("{} is shown without titles just now: {why}", lane.name)))
        }
        Titling::Some => Some((
            Tone::Info,
            format!("{} holds more than can be asked for at once: some titles are missing", lane.name),
        )),
        Titling::NotAsked | Titling::Shown if lane.left_out > 0 => {
            Some((Tone::Warn, format!("{} holds {} more than fit here", lane.name, lane.left_out)))
        }
        Titling::NotAsked | Titling::Shown => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn days_that_are_not_kept_in_step_are_told() {
        let day = |n: i64| Ts::from_secs(1_795_046_400 + n * 86_400);
        let times = Times::new(day(0), TimeZone::UTC);
        let kept = Window { from: day(-7), to: day(90) };
        let told =
            |from, to| outside(Window { from: day(from), to: day(to) }, kept, &times).map(|(_, text)| text);
        assert_eq!(told(0, 7), None);
        assert_eq!(told(-10, -3), None, "what is over is no news");
        for (from, to) in [(200, 207), (90, 97), (-20, -13)] {
            let text = told(from, to).unwrap();
            assert!(
                text.contains("outside") && text.contains("12 November 2026 to 17 February 2027"),
                "{text}"
            );
        }
        assert!(told(85, 92).unwrap().contains("later than 17 February 2027"));
    }
}

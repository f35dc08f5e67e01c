//! Charts as SVG: from a series to places on a small sheet, with words and a table that say the same. Pure arithmetic; it
//! writes no style, which the policy of our pages would not let through.

use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::words::{Times, milliseconds, thousands};

mod scale;

use scale::Scale;

/// The sheet, in its own units.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 170.0;
/// What is drawn stands between these.
const LEFT: f64 = 54.0;
const RIGHT: f64 = WIDTH - 6.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = HEIGHT - 22.0;
/// Names below the sheet.
const NAMES: usize = 5;
/// Share of its place that a bar takes.
const BAR: f64 = 0.8;

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A share, 0 to 100.
    Percent,
    /// Milliseconds.
    Time,
    /// Whole things.
    Count,
}

impl Unit {
    fn words(self, value: f64) -> String {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts and times are not negative"
        )]
        let whole = value.round().max(0.0) as u64;
        match self {
            Unit::Percent if value.fract() == 0.0 => format!("{value} %"),
            Unit::Percent => format!("{value:.1} %"),
            Unit::Time => milliseconds(whole),
            Unit::Count => thousands(whole),
        }
    }
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A line; where nothing is known it is broken.
    Line,
    /// A bar for each value.
    Bars,
}

/// A series: one value for each stretch of time, the oldest first; none where nothing is known.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// A word for ids, unlike that of any other chart of the page.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What its values are.
    pub unit: Unit,
    /// How it is drawn.
    pub form: Form,
    /// When the first stretch begins.
    pub from: Ts,
    /// How long each is.
    pub width: SignedDuration,
    /// The values.
    pub values: &'a [Option<f64>],
}

/// A chart, ready to be written.
#[derive(Clone, PartialEq, Debug)]
pub struct Chart {
    /// For ids.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What it shows, in a sentence.
    pub says: String,
    /// Lines, as SVG spells their points.
    pub lines: Vec<String>,
    /// Points with nothing known beside them.
    pub dots: Vec<(String, String)>,
    /// Bars.
    pub bars: Vec<Bar>,
    /// Marks at the left.
    pub marks: Vec<Mark>,
    /// Names below.
    pub names: Vec<Name>,
    /// The same as a table, the newest first: when, and what. Stretches of which nothing is known are left out.
    pub rows: Vec<(String, String)>,
}

/// A bar.
#[derive(Clone, PartialEq, Debug)]
pub struct Bar {
    /// Left.
    pub x: String,
    /// Top.
    pub y: String,
    /// Width.
    pub width: String,
    /// Height.
    pub height: String,
}

/// A mark at the left, with its line across.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// How high.
    pub y: String,
    /// What it stands for.
    pub label: String,
}

/// A name below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// Where.
    pub x: String,
    /// How the text stands to that place.
    pub anchor: &'static str,
    /// What.
    pub label: String,
}

impl Chart {
    /// Whether there is anything to show.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A series on its sheet. Times are told in the reader's zone.
    pub fn of(series: &Series<'_>, times: &Times) -> Chart {
        let known: Vec<f64> = series.values.iter().flatten().copied().filter(|v| v.is_finite()).collect();
        let scale = Scale::of(&known, series.unit);
        let y = |value: f64| BOTTOM - scale.place(value) * (BOTTOM - TOP);
        let (mut lines, mut dots, mut bars) = (Vec::new(), Vec::new(), Vec::new());
        match series.form {
            Form::Line => {
                for stretch in stretches(series.values) {
                    let points: Vec<_> = stretch.iter().map(|(n, v)| (centre(*n, series), y(*v))).collect();
                    match points.as_slice() {
                        [(x, y)] => dots.push((number(*x), number(*y))),
                        points => lines.push(spelled(points)),
                    }
                }
            }
            Form::Bars => {
                let width = step(series) * BAR;
                let some = series.values.iter().enumerate().filter_map(|(n, v)| Some((n, (*v)?)));
                bars.extend(some.filter(|(_, value)| *value > 0.0).map(|(n, value)| Bar {
                    x: number(centre(n, series) - width / 2.0),
                    y: number(y(value)),
                    width: number(width),
                    height: number(BOTTOM - y(value)),
                }));
            }
        }
        let marks = scale.marks().map(|value| Mark { y: number(y(value)), label: series.unit.words(value) });
        Chart {
            name: series.name,
            title: series.title,
            says: says(series, &known),
            lines,
            dots,
            bars,
            marks: marks.collect(),
            names: names(series, times),
            rows: rows(series, times),
        }
    }
}

/// Where the middle of the nth stretch is.
#[allow(clippy::cast_precision_loss, reason = "a few hundred stretches at most")]
fn centre(n: usize, series: &Series<'_>) -> f64 {
    LEFT + (n as f64 + 0.5) * step(series)
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred stretches at most")]
fn step(series: &Series<'_>) -> f64 {
    (RIGHT - LEFT) / series.values.len().max(1) as f64
}

/// Neighbours of which something is known.
fn stretches(values: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let mut all: Vec<Vec<(usize, f64)>> = Vec::new();
    let mut open = false;
    for (n, value) in values.iter().enumerate() {
        let Some(value) = value.filter(|v| v.is_finite()) else {
            open = false;
            continue;
        };
        match all.last_mut().filter(|_| open) {
            Some(last) => last.push((n, value)),
            None => all.push(vec![(n, value)]),
        }
        open = true;
    }
    all
}

fn spelled(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect::<Vec<_>>().join(" ")
}

/// To a tenth: nobody sees more.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// What somebody is told who does not see it.
#[allow(clippy::cast_precision_loss, reason = "a few hundred values at most")]
fn says(series: &Series<'_>, known: &[f64]) -> String {
    let (Some(last), Some(low), Some(high)) =
        (known.last(), known.iter().copied().reduce(f64::min), known.iter().copied().reduce(f64::max))
    else {
        return "Nothing is known of this time yet.".to_owned();
    };
    let words = |value| series.unit.words(value);
    if series.unit == Unit::Count && series.form == Form::Bars {
        return format!("{} in all; {} at most at once.", words(known.iter().sum()), words(high));
    }
    if low == high {
        return format!("{} throughout.", words(low));
    }
    format!("{} last; between {} and {}.", words(*last), words(low), words(high))
}

fn names(series: &Series<'_>, times: &Times) -> Vec<Name> {
    let count = series.values.len();
    if count == 0 {
        return Vec::new();
    }
    let whole = width_of(series, count);
    let format = if whole > SignedDuration::from_hours(48) { "%-d %b" } else { "%H:%M" };
    let name = |nth: usize| {
        let n = nth * count / (NAMES - 1);
        let x = match nth {
            0 => LEFT,
            nth if nth == NAMES - 1 => RIGHT,
            _ => centre(n, series) - step(series) / 2.0,
        };
        let anchor = match nth {
            0 => "start",
            nth if nth == NAMES - 1 => "end",
            _ => "middle",
        };
        let label = local(series.from.plus(width_of(series, n)), times, format);
        Name { x: number(x), anchor, label }
    };
    (0..NAMES).map(name).collect()
}

fn width_of(series: &Series<'_>, n: usize) -> SignedDuration {
    series.width * i32::try_from(n).unwrap_or(i32::MAX)
}

fn local(at: Ts, times: &Times, format: &str) -> String {
    at.to_jiff().to_zoned(times.zone.clone()).strftime(format).to_string()
}

fn rows(series: &Series<'_>, times: &Times) -> Vec<(String, String)> {
    let row = |(n, value): (usize, &Option<f64>)| {
        let at = series.from.plus(width_of(series, n));
        Some((local(at, times, "%-d %b %Y, %H:%M"), series.unit.words((*value)?)))
    };
    let mut rows: Vec<_> = series.values.iter().enumerate().filter_map(row).collect();
    rows.reverse();
    rows
}

#[cfg(test)]
mod tests;

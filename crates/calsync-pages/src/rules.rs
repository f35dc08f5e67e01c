//! Which calendar blocks which, as a grid, and the options of one cell, with a preview of what a change would do.

use askama::Template;
use calsync_core::block::Visibility;
use calsync_core::rule::{Link, RuleOptions, Tampered, Tentative};

use crate::Frame;
use crate::start::Preview;

/// The grid.
#[derive(Template, Debug)]
#[template(path = "rules.html")]
pub struct Rules {
    /// What stands around it.
    pub frame: Frame,
    /// The calendars that blocks are written into.
    pub targets: Vec<String>,
    /// A row for each calendar that events are read from.
    pub rows: Vec<Row>,
    /// The chosen cell.
    pub panel: Option<Panel>,
    /// What new calendars begin with.
    pub defaults: Defaults,
}

/// What the events of one calendar do in the others.
#[derive(Debug)]
pub struct Row {
    /// The calendar.
    pub name: String,
    /// In each target.
    pub cells: Vec<Cell>,
}

/// One cell.
#[derive(Debug)]
pub enum Cell {
    /// A calendar with itself.
    Itself,
    /// No blocks can be written there.
    ReadOnly,
    /// A rule, or none.
    Rule {
        /// Where its options are.
        href: String,
        /// It is on.
        is_on: bool,
        /// It is the chosen one.
        is_chosen: bool,
        /// What it does, in two words.
        words: String,
    },
}

/// The options of a cell.
#[derive(Debug)]
pub struct Panel {
    /// The calendar that events are read from: id and name.
    pub source: (String, String),
    /// The calendar that blocks are written into: id and name.
    pub target: (String, String),
    /// What the form is made from: somebody else's change since is not lost.
    pub made_from: String,
    /// The options.
    pub form: Form,
    /// What is wrong with them.
    pub problems: Vec<String>,
    /// What saving would do.
    pub preview: Option<Preview>,
}

/// What new calendars begin with.
#[derive(Debug)]
pub struct Defaults {
    /// The options of new rules.
    pub form: Form,
    /// A new calendar is linked with all others.
    pub links_all: bool,
    /// What is wrong with them.
    pub problems: Vec<String>,
}

/// Options as a form shows them.
#[derive(Clone, Debug)]
pub struct Form {
    /// The options.
    pub options: RuleOptions,
    /// The zone that working hours begin with.
    pub zone: String,
}

impl Form {
    fn is_shared(&self) -> bool {
        self.options.visibility == Visibility::Calendar
    }

    fn tentative(&self) -> [(&'static str, &'static str, bool); 3] {
        let now = self.options.tentative;
        [
            ("as_tentative", "as tentative, where that can be shown", now == Tentative::AsTentative),
            ("as_busy", "as busy", now == Tentative::AsBusy),
            ("skip", "not at all", now == Tentative::Skip),
        ]
    }

    fn puts_back(&self) -> bool {
        self.options.tampered == Tampered::PutBack
    }

    fn hours(&self) -> Hours<'_> {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let hours = self.options.working_hours.as_ref();
        let (from, to) = hours.map_or((9 * 60, 17 * 60), |h| (h.from_minute, h.to_minute));
        let is_chosen = |day: u8| hours.map_or(day <= 5, |h| h.days.contains(&day));
        let days = (1..).zip(DAYS).map(|(number, name)| (number, name, is_chosen(number))).collect();
        let zone = hours.map_or(self.zone.as_str(), |h| h.zone.as_str());
        Hours { is_on: hours.is_some(), from: clock(from), to: clock(to), days, zone }
    }
}

/// Working hours as a form shows them.
struct Hours<'a> {
    is_on: bool,
    from: String,
    to: String,
    days: Vec<(u8, &'static str, bool)>,
    zone: &'a str,
}

/// Minutes of a day as `09:30`; the day's end as `24:00`.
fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// What options do, in two words.
pub fn words(options: &RuleOptions) -> String {
    let title = if options.copy_title {
        "with titles".to_owned()
    } else {
        format!("“{}”", short(&options.title))
    };
    let more = [
        options.skip_all_day,
        options.min_minutes > 0,
        options.working_hours.is_some(),
        options.buffer_before_minutes + options.buffer_after_minutes > 0,
        options.tentative != Tentative::AsTentative,
    ];
    match more.into_iter().filter(|yes| *yes).count() {
        0 => title,
        count => format!("{title} +{count}"),
    }
}

fn short(text: &str) -> String {
    let short: String = text.chars().take(14).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

/// Whether defaults link a new calendar with all others.
pub fn links_all(link: Link) -> bool {
    link == Link::All
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_in_two_words() {
        let mut options = RuleOptions::default();
        assert_eq!(words(&options), "“Busy”");
        options.skip_all_day = true;
        options.buffer_after_minutes = 15;
        assert_eq!(words(&options), "“Busy” +2");
        options.copy_title = true;
        assert_eq!(words(&options), "with titles +2");
        assert_eq!([clock(0), clock(570), clock(1440)], ["00:00", "09:30", "24:00"]);
    }
}

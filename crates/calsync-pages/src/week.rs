//! A person's week: their calendars side by side, day by day, and beside them why something stands where it does. Titles pass
//! through here to their owner's page, and are kept nowhere.

mod grid;
mod remarks;

use askama::Template;
use calsync_core::event::{ShowAs, Status};
use calsync_core::ids::{CalendarId, CorrelationId};
use calsync_core::names::Names;
use calsync_core::plan::Outcome;
use calsync_core::run::Run;
use calsync_core::time::Window;
use calsync_core::week::{Block, Days, Entry, Holds, Lane, Piece, Titling};
use calsync_engine::Week as Told;
use jiff::civil::Date;

use crate::activity::because;
use crate::words::Times;
use crate::{Frame, Tone};
use grid::{side_by_side, takes_the_day};
use remarks::{outside, remark};

/// Colours of lanes.
const COLOURS: usize = 6;

/// A person's week.
#[derive(Template, Debug)]
#[template(path = "week.html")]
pub struct Week {
    /// What stands around it.
    pub frame: Frame,
    /// Which days.
    pub title: String,
    /// The zone in which they are days.
    pub zone: String,
    /// The weeks before and after, as dates.
    pub around: (String, String),
    /// The first day.
    pub first: String,
    /// The hours that are shown: the working day, and as much more as anything takes.
    pub hours: (u16, u16),
    /// The calendars.
    pub legend: Vec<Legend>,
    /// The days.
    pub days: Vec<Day>,
    /// Something to be known.
    pub remarks: Vec<(Tone, String)>,
    /// Why the chosen one stands where it does.
    pub why: Option<Why>,
}

/// A calendar and its colour.
#[derive(Debug)]
pub struct Legend {
    /// Its class.
    pub class: String,
    /// Its name.
    pub name: String,
}

/// One day.
#[derive(Debug)]
pub struct Day {
    /// `Mon 23`.
    pub name: String,
    /// In full, for who listens.
    pub full: String,
    /// It is today.
    pub is_today: bool,
    /// What takes all of it.
    pub all_day: Vec<Item>,
    /// The rest, by calendar.
    pub lanes: Vec<Vec<Item>>,
}

/// One thing on one day.
#[derive(Debug)]
pub struct Item {
    /// Its classes.
    pub class: String,
    /// Where its explanation is.
    pub href: String,
    /// It is the chosen one.
    pub is_chosen: bool,
    /// What it is called.
    pub title: String,
    /// In which calendar, and when.
    pub detail: String,
}

/// Why something stands where it does.
#[derive(Debug)]
pub struct Why {
    /// What it is.
    pub title: String,
    /// When.
    pub when: String,
    /// What is known of it.
    pub facts: Vec<(String, String)>,
    /// The run that wrote it last: its page, and what asked for it.
    pub run: Option<(String, String)>,
    /// What becomes of it in each target: its name, how grave, in a word, why.
    pub targets: Vec<(String, Tone, &'static str, String)>,
}

/// What a page is made from.
pub struct Shown<'a> {
    /// The week.
    pub told: &'a Told,
    /// Its days.
    pub days: &'a Days,
    /// What the person's calendars are called.
    pub names: &'a Names,
    /// What is chosen, as `Item::href` names it.
    pub chosen: Option<&'a str>,
    /// Today.
    pub today: Date,
    /// How times are written.
    pub times: &'a Times,
    /// The run that wrote the chosen block last, if that is known.
    pub run: Option<&'a Run>,
    /// The time that is kept in step.
    pub kept: Window,
}

impl Week {
    /// Of what was told.
    pub fn of(frame: Frame, shown: &Shown<'_>) -> Week {
        let Shown { told, days, .. } = shown;
        let lanes: Vec<(usize, &Lane)> =
            told.lanes.iter().filter(|lane| is_shown(lane)).enumerate().collect();
        let (first, last) = (days.date(0), days.date(days.count().saturating_sub(1)));
        let week = jiff::Span::new().days(7);
        let around =
            [first.checked_sub(week), first.checked_add(week)].map(|date| date.unwrap_or(first).to_string());
        let [before, after] = around;
        Week {
            frame,
            title: format!("{} to {}", first.strftime("%-d %B"), last.strftime("%-d %B %Y")),
            zone: told.zone.clone(),
            around: (before, after),
            first: first.to_string(),
            hours: grid::hours(lanes.iter().flat_map(|(_, lane)| pieces(lane))),
            legend: lanes
                .iter()
                .map(|(n, lane)| Legend { class: colour(*n), name: lane.name.clone() })
                .collect(),
            days: (0..days.count()).map(|day| shown.day(day, &lanes)).collect(),
            remarks: outside(told.window, shown.kept, shown.times)
                .into_iter()
                .chain(lanes.iter().filter_map(|(_, lane)| remark(lane)))
                .collect(),
            why: lanes.iter().find_map(|(_, lane)| shown.why(lane)),
        }
    }

    fn from(&self) -> &str {
        &self.first
    }

    /// The date of the week before.
    pub fn before(&self) -> &str {
        &self.around.0
    }

    /// The date of the week after.
    pub fn after(&self) -> &str {
        &self.around.1
    }
}

/// Where its things stand.
fn pieces(lane: &Lane) -> impl Iterator<Item = &Piece> {
    let events = lane.events.iter().flat_map(|event| &event.pieces);
    events.chain(lane.blocks.iter().flat_map(|block| &block.pieces))
}

fn is_shown(lane: &Lane) -> bool {
    lane.takes_part || !lane.events.is_empty() || !lane.blocks.is_empty()
}

fn colour(lane: usize) -> String {
    format!("l{}", lane % COLOURS + 1)
}

/// The block that an address names: where it stands, and what ties it to what was written of it.
pub fn chosen_block(told: &Told, name: &str) -> Option<(CalendarId, CorrelationId)> {
    let named = |lane: &&Lane, block: &&Block| name_of('b', lane, block.id.as_str()) == name;
    let (lane, block) = told
        .lanes
        .iter()
        .find_map(|lane| Some((lane.calendar, lane.blocks.iter().find(|block| named(&lane, block))?)))?;
    match &block.holds {
        Holds::Event { correlation, .. } => Some((lane, *correlation)),
        Holds::Nothing | Holds::Busy => None,
    }
}

/// How a thing is named in an address.
fn name_of(kind: char, lane: &Lane, id: &str) -> String {
    format!("{kind}:{}:{id}", lane.calendar)
}

impl Shown<'_> {
    fn day(&self, day: u8, lanes: &[(usize, &Lane)]) -> Day {
        let date = self.days.date(day);
        let (mut all_day, mut columns) = (Vec::new(), Vec::new());
        for (number, lane) in lanes {
            let mut timed: Vec<(Piece, Item)> = Vec::new();
            for (piece, item) in self.items(*number, lane, day) {
                if takes_the_day(&piece) {
                    all_day.push(item);
                } else {
                    timed.push((piece, item));
                }
            }
            columns.push(side_by_side(timed));
        }
        Day {
            name: date.strftime("%a %-d").to_string(),
            full: date.strftime("%A, %-d %B %Y").to_string(),
            is_today: date == self.today,
            all_day,
            lanes: columns,
        }
    }

    fn items(&self, number: usize, lane: &Lane, day: u8) -> Vec<(Piece, Item)> {
        let on = |pieces: &[Piece]| pieces.iter().find(|piece| piece.day == day).copied();
        let item = |class: String, name: String, title: String, piece: Piece| Item {
            class,
            is_chosen: self.chosen == Some(name.as_str()),
            href: name,
            title,
            detail: format!("{}, {}", lane.name, clock(piece)),
        };
        let events = lane.events.iter().filter_map(|event| {
            let piece = on(&event.pieces)?;
            let free = if event.show_as == ShowAs::Free { " free" } else { "" };
            let class = format!("item {}{free}", colour(number));
            let name = name_of('e', lane, &event.occurrence.to_string());
            Some((piece, item(class, name, title_of(event, lane), piece)))
        });
        let blocks = lane.blocks.iter().filter_map(|block| {
            let piece = on(&block.pieces)?;
            let name = name_of('b', lane, block.id.as_str());
            Some((piece, item("item block".to_owned(), name, self.block_title(block), piece)))
        });
        let mut all: Vec<(Piece, Item)> = events.chain(blocks).collect();
        all.sort_by_key(|(piece, _)| *piece);
        all
    }

    fn block_title(&self, block: &Block) -> String {
        match &block.holds {
            Holds::Event { source, .. } => format!("Busy for {}", self.names.get(*source)),
            Holds::Nothing => "Busy (on its way out)".to_owned(),
            Holds::Busy => "Busy".to_owned(),
        }
    }

    fn why(&self, lane: &Lane) -> Option<Why> {
        let chosen = self.chosen?;
        let event = lane.events.iter().find(|e| name_of('e', lane, &e.occurrence.to_string()) == chosen);
        if let Some(event) = event {
            return Some(self.why_event(lane, event));
        }
        let block = lane.blocks.iter().find(|block| name_of('b', lane, block.id.as_str()) == chosen)?;
        Some(self.why_block(lane, block))
    }

    fn why_event(&self, lane: &Lane, event: &Entry) -> Why {
        let shows = match (event.show_as, event.status) {
            (ShowAs::Free, _) => "as free: it blocks nothing",
            (_, Status::Tentative) => "as tentative",
            _ => "as busy",
        };
        let facts = vec![("Calendar".to_owned(), lane.name.clone()), ("Shows".to_owned(), shows.to_owned())];
        let targets = event.in_targets.iter().map(|one| {
            let (tone, word) = outcome(one.outcome);
            (self.names.get(one.target).to_owned(), tone, word, one.because.clone())
        });
        Why {
            title: title_of(event, lane),
            when: self.span(&event.pieces),
            facts,
            run: None,
            targets: targets.collect(),
        }
    }

    fn why_block(&self, lane: &Lane, block: &Block) -> Why {
        let mut facts = vec![("Stands in".to_owned(), lane.name.clone())];
        match &block.holds {
            Holds::Event { source, occurrence, rule, written_at, .. } => {
                facts.push((
                    "Holds the time of".to_owned(),
                    self.event_title(*source, &occurrence.to_string()),
                ));
                facts.push(("In".to_owned(), self.names.get(*source).to_owned()));
                facts
                    .push(("By the rule".to_owned(), format!("{} → {}", self.names.get(*source), lane.name)));
                facts.push(("Rule id".to_owned(), rule.to_string()));
                facts.push(("Written".to_owned(), self.times.when_or(*written_at, "not yet confirmed").full));
            }
            Holds::Nothing => {
                facts.push((
                    "Holds the time of".to_owned(),
                    "nothing any more: it is removed by the next look".to_owned(),
                ));
            }
            Holds::Busy => {
                let text =
                    "something that is not ours: another installation's block, or a copy. It is left alone";
                facts.push(("Holds the time of".to_owned(), text.to_owned()));
            }
        }
        let run = self.run.map(|run| (format!("/activity/{}", run.id), because(run)));
        let (title, when) = (self.block_title(block), self.span(&block.pieces));
        Why { title, when, facts, run, targets: Vec::new() }
    }

    fn event_title(&self, source: CalendarId, occurrence: &str) -> String {
        let lane = self.told.lanes.iter().find(|lane| lane.calendar == source);
        let event = lane.and_then(|lane| lane.events.iter().find(|e| e.occurrence.to_string() == occurrence));
        event
            .zip(lane)
            .map_or_else(|| "an event outside these days".to_owned(), |(event, lane)| title_of(event, lane))
    }

    fn span(&self, pieces: &[Piece]) -> String {
        let one =
            |piece: &Piece| format!("{}, {}", self.days.date(piece.day).strftime("%a %-d %b"), clock(*piece));
        pieces.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

fn title_of(event: &Entry, lane: &Lane) -> String {
    match (&event.title, &lane.titles) {
        (Some(title), _) => title.expose().to_owned(),
        (None, Titling::Shown) => "(no title)".to_owned(),
        (None, _) => "Event".to_owned(),
    }
}

/// `09:00–10:30`.
fn clock(piece: Piece) -> String {
    if takes_the_day(&piece) {
        return "all day".to_owned();
    }
    let Piece { from_minute, to_minute, .. } = piece;
    format!("{:02}:{:02}–{:02}:{:02}", from_minute / 60, from_minute % 60, to_minute / 60, to_minute % 60)
}

const fn outcome(outcome: Outcome) -> (Tone, &'static str) {
    match outcome {
        Outcome::Block => (Tone::Good, "blocked"),
        Outcome::NoBlock => (Tone::Info, "not blocked"),
        Outcome::LeftAlone => (Tone::Info, "left alone"),
        Outcome::ToBeCreated => (Tone::Warn, "to be blocked"),
        Outcome::ToBeUpdated => (Tone::Warn, "to be changed"),
        Outcome::ToBeDeleted => (Tone::Warn, "to be removed"),
    }
}

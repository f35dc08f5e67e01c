//! What people keep in their calendars, in this test's own words, and how a provider tells it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::dice::Dice;
use crate::event::{Event, EventKind, EventText, Response, Series, ShowAs, Status, When};
use crate::ids::EventId;
use crate::ports::RemoteEvent;
use crate::recurrence::{OriginalStart, Recurrence};
use crate::time::Ts;
use crate::{block::Visibility, zone};

pub(crate) const ZONES: [&str; 5] =
    ["Europe/Vienna", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Midway"];
/// Words that must not be found where no rule takes them.
pub(crate) const CANARIES: [&str; 3] = ["canary-title", "canary-description", "canary-location"];

/// One entry of a calendar.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) id: String,
    pub(crate) uid: Option<String>,
    /// First start on the wall of `zone`; midnight if all day.
    pub(crate) start: DateTime,
    pub(crate) zone: String,
    pub(crate) long: Long,
    pub(crate) repeat: Option<Repeat>,
    pub(crate) changes: Vec<(i64, Change)>,
    pub(crate) shown: Shown,
    pub(crate) titled: bool,
    pub(crate) updated: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Long {
    Minutes(i64),
    Days(i64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    pub(crate) every_days: i64,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Never,
    Count(i64),
    /// The last one is this one.
    Until(i64),
}

/// What became of the nth occurrence of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Cancelled,
    /// Moved by so many minutes (all-day: so many days).
    Moved(i64),
    Shown(Shown),
}

/// How an entry shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) status: Status,
    pub(crate) show_as: ShowAs,
    pub(crate) response: Option<Response>,
    pub(crate) kind: EventKind,
}

impl Spec {
    /// Where the nth occurrence stands by the pattern, on the wall.
    pub(crate) fn wall(&self, n: i64) -> DateTime {
        let every = self.repeat.as_ref().map_or(0, |r| r.every_days);
        self.start.checked_add(jiff::Span::new().days(n * every)).unwrap()
    }

    /// The instant of that.
    pub(crate) fn instant(&self, n: i64) -> Ts {
        let there = zone::find(&self.zone).unwrap();
        Ts::from_jiff(self.wall(n).to_zoned(there).unwrap().timestamp())
    }

    fn when(&self, n: i64, moved: i64) -> When {
        match self.long {
            Long::Minutes(long) => {
                let start = self.instant(n).plus(jiff::SignedDuration::from_mins(moved));
                When::Timed {
                    start,
                    end: start.plus(jiff::SignedDuration::from_mins(long)),
                    zone: Some(self.zone.clone()),
                }
            }
            Long::Days(long) => {
                let start = self.wall(n).date().checked_add(jiff::Span::new().days(moved)).unwrap();
                When::AllDay { start, end: start.checked_add(jiff::Span::new().days(long)).unwrap() }
            }
        }
    }

    fn original(&self, n: i64) -> OriginalStart {
        match self.long {
            Long::Minutes(_) => OriginalStart::At(self.instant(n)),
            Long::Days(_) => OriginalStart::On(self.wall(n).date()),
        }
    }

    fn line(&self, repeat: &Repeat) -> String {
        let freq = if repeat.every_days == 7 { "WEEKLY" } else { "DAILY" };
        let interval = if repeat.every_days == 7 { 1 } else { repeat.every_days };
        let end = match repeat.end {
            End::Never => String::new(),
            End::Count(n) => format!(";COUNT={n}"),
            End::Until(n) => match self.long {
                Long::Days(_) => self.wall(n).strftime(";UNTIL=%Y%m%d").to_string(),
                Long::Minutes(_) => {
                    let last = TimeZone::UTC.to_datetime(self.instant(n).to_jiff());
                    last.strftime(";UNTIL=%Y%m%dT%H%M%SZ").to_string()
                }
            },
        };
        format!("RRULE:FREQ={freq};INTERVAL={interval}{end}")
    }

    /// As a provider tells it: the entry, and its changed occurrences.
    pub(crate) fn remote(&self) -> Vec<RemoteEvent> {
        let series = match &self.repeat {
            None => Series::Single,
            Some(repeat) => Series::Master { recurrence: Recurrence { lines: vec![self.line(repeat)] } },
        };
        let mut all = vec![self.event(self.id.clone(), Some(self.when(0, 0)), series, self.shown)];
        for (n, change) in &self.changes {
            let (when, shown) = match change {
                Change::Cancelled => (None, Shown { status: Status::Cancelled, ..self.shown }),
                Change::Moved(by) => (Some(self.when(*n, *by)), self.shown),
                Change::Shown(shown) => (Some(self.when(*n, 0)), *shown),
            };
            let series = Series::Instance { master: EventId(self.id.clone()), original: self.original(*n) };
            all.push(self.event(format!("{}_{n}", self.id), when, series, shown));
        }
        all
    }

    fn event(&self, id: String, when: Option<When>, series: Series, shown: Shown) -> RemoteEvent {
        let [title, description, location] = CANARIES.map(|c| Some(format!("{c} {}", self.id)));
        RemoteEvent {
            event: Event {
                id: EventId(id),
                version: Some(format!("v{}", self.updated)),
                updated: Some(Ts::from_secs(self.updated)),
                ical_uid: self.uid.clone(),
                when,
                series,
                status: shown.status,
                show_as: shown.show_as,
                response: shown.response,
                kind: shown.kind,
                text: Some(EventText { title: title.filter(|_| self.titled), description, location }),
            },
            marker: None,
            visibility: Visibility::Calendar,
            colour: None,
            has_guests: false,
        }
    }
}

pub(crate) fn busy() -> Shown {
    Shown { status: Status::Confirmed, show_as: ShowAs::Busy, response: None, kind: EventKind::Default }
}

fn shown(dice: &mut Dice) -> Shown {
    let mut shown = busy();
    match dice.below(12) {
        0 => shown.status = Status::Tentative,
        1 => shown.show_as = ShowAs::Free,
        2 => shown.show_as = ShowAs::Tentative,
        3 => {
            let all = [Response::Accepted, Response::Declined, Response::Tentative, Response::NeedsAction];
            shown.response = Some(dice.pick(&all));
        }
        4 => {
            use EventKind::{Birthday, FocusTime, FromMail, OutOfOffice, Unknown, WorkingLocation};
            shown.kind = dice.pick(&[Birthday, FocusTime, FromMail, OutOfOffice, Unknown, WorkingLocation]);
        }
        _ => {}
    }
    shown
}

/// Some entry near `today`; quarters of an hour only, so that the oracle can walk by them.
pub(crate) fn spec(dice: &mut Dice, today: DateTime, id: String, clock: i64) -> Spec {
    let all_day = dice.chance(25);
    let day = today.checked_add(jiff::Span::new().days(dice.range(-3, 16))).unwrap();
    let start = if all_day {
        day
    } else {
        day.checked_add(jiff::Span::new().minutes(15 * dice.range(0, 96))).unwrap()
    };
    let long = match (all_day, dice.below(10)) {
        (true, _) => Long::Days(dice.range(1, 4)),
        (false, 0) => Long::Minutes(0),
        (false, 1) => Long::Minutes(15 * dice.range(80, 200)),
        (false, _) => Long::Minutes(15 * dice.range(1, 9)),
    };
    let repeat = dice.chance(40).then(|| Repeat {
        every_days: dice.pick(&[1, 2, 7]),
        end: match dice.below(3) {
            0 => End::Never,
            1 => End::Count(dice.range(1, 9)),
            _ => End::Until(dice.range(0, 9)),
        },
    });
    // Some series began long ago.
    let back = if repeat.is_some() && dice.chance(30) { 7 * dice.range(1, 60) } else { 0 };
    let start = start.checked_sub(jiff::Span::new().days(back)).unwrap();
    let mut spec = Spec {
        uid: dice.chance(90).then(|| format!("{id}@example.com")),
        id,
        start,
        zone: dice.pick(&ZONES).to_owned(),
        long,
        repeat,
        changes: Vec::new(),
        shown: shown(dice),
        titled: dice.chance(80),
        updated: clock,
    };
    if !all_day {
        // A provider tells the first start as an instant: one that a clock change swallowed is told as the one after it.
        spec.start = zone::find(&spec.zone).unwrap().to_datetime(spec.instant(0).to_jiff());
    }
    if spec.repeat.is_some() {
        for _ in 0..dice.below(4) {
            change(dice, &mut spec);
        }
    }
    spec
}

/// Changes one occurrence of a series that has it.
pub(crate) fn change(dice: &mut Dice, spec: &mut Spec) {
    let Some(repeat) = &spec.repeat else { return };
    let n = match repeat.end {
        End::Never => dice.range(0, 12),
        End::Count(count) => dice.range(0, count),
        End::Until(last) => dice.range(0, last + 1),
    };
    let by = dice.range(-6, 7);
    let change = match dice.below(4) {
        0 => Change::Cancelled,
        1 => Change::Shown(shown(dice)),
        _ => Change::Moved(if matches!(spec.long, Long::Days(_)) { by } else { by * 45 * 15 }),
    };
    spec.changes.retain(|(m, _)| *m != n);
    spec.changes.push((n, change));
}

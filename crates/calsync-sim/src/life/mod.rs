//! Life: people who make, move, cancel and edit events, decline and accept, and now and then lay hands on a block. The
//! same seed lives the same life. It acts as people do, never through a provider's interface.

mod act;
mod fill;

use calsync_core::time::Ts;

use crate::cloud::calendar::NewCalendar;
use crate::cloud::names::{CalendarId, EventId, PersonId};
use crate::cloud::watch::Provider;
use crate::cloud::{Cloud, CloudError};
use crate::rng::Rng;

/// Somebody with their calendars.
#[derive(Debug, Clone)]
pub struct Somebody {
    /// The first name.
    pub name: String,
    /// The address, which is also the main calendar.
    pub email: PersonId,
    /// The zone they live in.
    pub zone: &'static str,
    /// Their calendars, the main one first.
    pub calendars: Vec<CalendarId>,
    /// Where they are: the address above first. Each has a main calendar of its own.
    pub accounts: Vec<(Provider, PersonId)>,
}

/// Where people have their calendars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Homes {
    /// All of them at one provider.
    One(Provider),
    /// The first and every other one at Google, the rest in a second account at Microsoft.
    Both,
}

impl Homes {
    fn of(self, calendar: usize) -> Provider {
        match self {
            Homes::One(provider) => provider,
            Homes::Both if calendar.is_multiple_of(2) => Provider::Google,
            Homes::Both => Provider::Microsoft,
        }
    }
}

/// Something that somebody did.
#[derive(Debug, Clone)]
pub struct Deed {
    /// Whose calendar changed.
    pub person: PersonId,
    /// Which calendar.
    pub calendar: CalendarId,
    /// Which event.
    pub event: EventId,
    /// In words: `Ada moved "Dentist" to Tue 14:00`.
    pub words: String,
    /// What it can have touched.
    pub touches: Touches,
}

/// What a deed can have touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    /// An event's time, or how it shows.
    Event,
    /// A block.
    Block,
    /// Only words, which no block shows.
    Nothing,
}

impl Somebody {
    /// Somebody with a name, an address and a zone, and with empty calendars where `homes` says. The first one at another
    /// provider is the main calendar of an account there.
    ///
    /// # Errors
    /// As the cloud's own.
    pub fn arrive(
        cloud: &mut Cloud,
        (name, email, zone): (&str, &str, &'static str),
        calendars: usize,
        homes: Homes,
        now: Ts,
    ) -> Result<Somebody, CloudError> {
        let person = cloud.add_person(email, name, zone, now)?;
        let mut owned = vec![CalendarId::from(email)];
        let mut accounts = vec![(homes.of(0), person.clone())];
        let (local, domain) = email.split_once('@').unwrap_or((email, "example.com"));
        for at in 1..calendars {
            let provider = homes.of(at);
            let Some((_, owner)) = accounts.iter().find(|(p, _)| *p == provider).cloned() else {
                let address = format!("{local}@work.{domain}");
                accounts.push((provider, cloud.add_person(&address, name, zone, now)?));
                owned.push(CalendarId::from(address));
                continue;
            };
            let more = MORE.get(at - 1).map_or_else(|| format!("More {at}"), |more| (*more).to_owned());
            let local_id = format!("{local}-{}", more.to_ascii_lowercase().replace(' ', "-"));
            let new = NewCalendar {
                id: CalendarId::from(format!("{local_id}@group.calendar.google.com")),
                summary: format!("{name}: {more}"),
                time_zone: zone.to_owned(),
                owner,
                origin: crate::cloud::calendar::Origin::People,
            };
            owned.push(cloud.add_calendar(new, now)?);
        }
        Ok(Somebody { name: name.to_owned(), email: person, zone, calendars: owned, accounts })
    }
}

/// People and their lives.
#[derive(Debug, Clone)]
pub struct Life {
    rng: Rng,
    /// Who lives.
    pub people: Vec<Somebody>,
    /// Blocks that were touched by hand already: each only once, so that patience never runs out.
    touched: std::collections::BTreeSet<(CalendarId, EventId)>,
    number: u64,
}

/// Who may live, and where.
const CAST: [(&str, &str, &str); 6] = [
    ("Ada", "ada@example.com", "Europe/Vienna"),
    ("Grace", "grace@example.org", "America/New_York"),
    ("Noor", "noor@example.net", "Asia/Kolkata"),
    ("Linus", "linus@example.com", "Australia/Lord_Howe"),
    ("Mary", "mary@example.org", "Africa/Cairo"),
    ("Ken", "ken@example.net", "America/Vancouver"),
];
/// Names of the calendars beside the main one.
const MORE: [&str; 3] = ["Work", "Family", "Club"];

impl Life {
    /// `people` of the cast with `calendars` each, all at Google, and a past: their calendars are filled.
    ///
    /// # Errors
    /// As the cloud's own; a fresh cloud has none.
    pub fn begin(cloud: &mut Cloud, seed: u64, sizes: (usize, usize), now: Ts) -> Result<Life, CloudError> {
        Life::begin_at(cloud, seed, sizes, Homes::One(Provider::Google), now)
    }

    /// The same, with the calendars where `homes` says.
    ///
    /// # Errors
    /// As the cloud's own; a fresh cloud has none.
    pub fn begin_at(
        cloud: &mut Cloud,
        seed: u64,
        (people, calendars): (usize, usize),
        homes: Homes,
        now: Ts,
    ) -> Result<Life, CloudError> {
        let mut life =
            Life { rng: Rng::new(seed), people: Vec::new(), touched: Default::default(), number: 0 };
        for who in CAST.into_iter().take(people) {
            life.people.push(Somebody::arrive(cloud, who, calendars, homes, now)?);
        }
        fill::fill(&mut life, cloud, now)?;
        Ok(life)
    }

    /// Every ordered pair of calendars of one person: what a mesh of rules blocks.
    pub fn mesh(&self) -> Vec<(CalendarId, CalendarId)> {
        let mut pairs = Vec::new();
        for person in &self.people {
            for source in &person.calendars {
                pairs.extend(
                    person.calendars.iter().filter(|t| *t != source).map(|t| (source.clone(), t.clone())),
                );
            }
        }
        pairs
    }

    /// One of somebody's addresses.
    fn address(&mut self, of: &Somebody) -> PersonId {
        match of.accounts.as_slice() {
            [(_, only)] => only.clone(),
            several => self.pick(several).map_or_else(|| of.email.clone(), |(_, address)| address.clone()),
        }
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let bound = u64::try_from(from.len()).ok().filter(|n| *n > 0)?;
        from.get(usize::try_from(self.rng.below(bound)).unwrap_or(0))
    }

    fn range(&mut self, from: i64, to: i64) -> i64 {
        let width = u64::try_from(to - from).unwrap_or(1).max(1);
        from + i64::try_from(self.rng.below(width)).unwrap_or(0)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }
}

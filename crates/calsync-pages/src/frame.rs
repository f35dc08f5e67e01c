//! What stands around every page: who is signed in, where they are, and one notice. It decides nothing; whether a link is
//! allowed is decided where it leads.

use crate::asset;

/// The frame of a page.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Who is signed in.
    pub who: Option<Who>,
    /// Which entry of the navigation is the present one.
    pub here: Option<Place>,
    /// Something to be said first.
    pub notice: Option<Notice>,
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub struct Who {
    /// Their address.
    pub email: String,
    /// They see monitoring.
    pub is_staff: bool,
}

/// Entries of the navigation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Accounts and calendars.
    Home,
    /// Rules.
    Rules,
    /// The week.
    Week,
    /// What was done.
    Activity,
    /// How the whole system is.
    Monitoring,
    /// What the whole system needs.
    SetUp,
}

/// How a notice is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// It worked.
    Good,
    /// To be known.
    Info,
    /// To be seen to.
    Warn,
    /// It did not work.
    Bad,
}

impl Tone {
    /// Its class in the style sheet.
    pub const fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Info => "info",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
        }
    }
}

/// One thing said before everything else.
#[derive(Clone, Debug)]
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    /// What it says.
    pub text: String,
}

impl Notice {
    /// Something that worked.
    pub fn good(text: impl Into<String>) -> Notice {
        Notice { tone: Tone::Good, text: text.into() }
    }

    /// Something that did not work.
    pub fn bad(text: impl Into<String>) -> Notice {
        Notice { tone: Tone::Bad, text: text.into() }
    }

    /// Something to be known.
    pub fn info(text: impl Into<String>) -> Notice {
        Notice { tone: Tone::Info, text: text.into() }
    }
}

/// An entry of the navigation, as the template shows it.
pub(crate) struct Entry {
    pub(crate) href: &'static str,
    pub(crate) name: &'static str,
    pub(crate) here: bool,
}

impl Frame {
    /// The frame of somebody's page.
    pub fn of(who: Who, here: Place) -> Frame {
        Frame { who: Some(who), here: Some(here), notice: None }
    }

    /// The same, with this said first, if there is anything.
    #[must_use]
    pub fn saying(self, notice: Option<Notice>) -> Frame {
        Frame { notice: notice.or(self.notice), ..self }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        const EVERYBODY: [(Place, &str, &str); 4] = [
            (Place::Home, "/", "Home"),
            (Place::Rules, "/rules", "Rules"),
            (Place::Week, "/week", "Week"),
            (Place::Activity, "/activity", "Activity"),
        ];
        const STAFF: [(Place, &str, &str); 2] =
            [(Place::Monitoring, "/monitoring", "Monitoring"), (Place::SetUp, "/set-up", "Set-up")];
        let Some(who) = &self.who else { return Vec::new() };
        let staff = STAFF.iter().filter(|_| who.is_staff);
        let entry = |(place, href, name): &(Place, &'static str, &'static str)| Entry {
            href,
            name,
            here: self.here == Some(*place),
        };
        EVERYBODY.iter().chain(staff).map(entry).collect()
    }

    pub(crate) fn style(&self) -> &'static str {
        &asset::STYLE.address
    }

    pub(crate) fn icon(&self) -> &'static str {
        &asset::ICON.address
    }

    pub(crate) fn scripts(&self) -> [&'static str; 2] {
        [&asset::HTMX.address, &asset::EVENTS.address]
    }
}

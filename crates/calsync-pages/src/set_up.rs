//! What the whole system needs before people can use it: where it is reached, what it is known by at the providers, and who may
//! come in. For the staff.

use askama::Template;

use crate::words::When;
use crate::{Frame, Tone};

/// The set-up of the whole system.
#[derive(Template, Debug)]
#[template(path = "set_up.html")]
pub struct SetUp {
    /// What stands around it.
    pub frame: Frame,
    /// Where it is reached, as far as that can be told without trying.
    pub address: Vec<Check>,
    /// What the examination found, if somebody asked for it.
    pub examination: Option<Vec<Check>>,
    /// The providers.
    pub providers: Vec<Provider>,
    /// Who may come in.
    pub people: Vec<Person>,
    /// A link for somebody to choose a password, just made: whom for, and where it leads.
    pub invitation: Option<(String, String)>,
}

/// One thing that was looked at.
#[derive(Debug)]
pub struct Check {
    /// What.
    pub name: String,
    /// How it was found.
    pub tone: Tone,
    /// The same in a word.
    pub word: &'static str,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// A provider, and what it has to know of us.
#[derive(Debug)]
pub struct Provider {
    /// Its name in addresses.
    pub key: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Where the client is made.
    pub console: Console,
    /// The client's id, if there is one.
    pub client: Option<String>,
    /// When the sign-in of whoever reads this ends there by itself.
    pub ends: Option<When>,
    /// It is in the configuration, and is changed there alone.
    pub is_configured: bool,
    /// Where people are sent back to: to be entered there, to the letter.
    pub redirect_uris: Vec<String>,
    /// Where it delivers to, if it can.
    pub webhook: Option<String>,
    /// What we ask for, and why.
    pub scopes: &'static [(&'static str, &'static str)],
}

/// Where a provider's clients are made.
#[derive(Debug)]
pub struct Console {
    /// Its name.
    pub name: &'static str,
    /// Its address.
    pub url: &'static str,
    /// What to do there, in order.
    pub steps: &'static [&'static str],
    /// What goes wrong later if it is forgotten now.
    pub warning: &'static str,
}

/// A user.
#[derive(Debug)]
pub struct Person {
    /// Their id.
    pub id: String,
    /// Their address.
    pub email: String,
    /// They see monitoring and set-up.
    pub is_staff: bool,
    /// When they were added.
    pub since: When,
}

/// What Google asks people to grant.
pub const GOOGLE_SCOPES: &[(&str, &str)] = &[
    ("openid email", "to know which account this is, by an id that survives a change of address"),
    (".../auth/calendar.calendarlist.readonly", "to list calendars"),
    (".../auth/calendar.events", "to read events and to write busy blocks"),
];

/// What Microsoft asks people to grant.
pub const MICROSOFT_SCOPES: &[(&str, &str)] = &[
    ("openid email profile", "to sign in"),
    ("offline_access", "to go on while nobody is at the keyboard"),
    ("User.Read", "to know which account this is, by an id that survives a change of address"),
    ("Calendars.ReadWrite", "to list calendars, read events and write busy blocks"),
];

/// Google's console.
pub const GOOGLE_CONSOLE: Console = Console {
    name: "Google Cloud console",
    url: "https://console.cloud.google.com/apis/credentials",
    steps: &[
        "Make a project, and enable the Google Calendar API in it.",
        "OAuth consent screen: user type External, or Internal in a Workspace domain. Add the scopes below.",
        "Set the publishing status to In production. No verification is needed; people see a warning once.",
        "Credentials, then Create OAuth client ID: type Web application, with the redirect URI below.",
        "Copy the client id and the client secret to here.",
    ],
    warning: "Left in Testing, Google ends every sign-in after 7 days. calendar-sync then tells each owner, with the date, and asks \
        to connect again: week after week.",
};

/// Microsoft's.
pub const MICROSOFT_CONSOLE: Console = Console {
    name: "Microsoft Entra admin center",
    url: "https://entra.microsoft.com",
    steps: &[
        "App registrations, then New registration. Supported account types decide who may connect.",
        "Redirect URI: platform Web (not Single-page application, whose sign-ins end after a day), with the address below.",
        "Certificates & secrets, then New client secret. Copy its value at once, not the Secret ID beside it.",
        "API permissions, Microsoft Graph, Delegated: the scopes below.",
        "Copy the Application (client) ID and the secret's value to here.",
    ],
    warning: "A client secret ends on the date that Microsoft shows beside it: from then on nobody is synced until a new one is \
        entered here.",
};

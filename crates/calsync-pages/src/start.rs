//! The way from nothing to the first block: connect, choose, look at what will be, begin.

use askama::Template;

use crate::{Frame, Tone};

/// The way to the first block.
#[derive(Template, Debug)]
#[template(path = "start.html")]
pub struct Start {
    /// What stands around it.
    pub frame: Frame,
    /// Providers that an account can be connected at: name in addresses, name.
    pub providers: Vec<(&'static str, &'static str)>,
    /// They set the system up.
    pub is_staff: bool,
    /// Accounts with their calendars.
    pub accounts: Vec<Account>,
    /// What would be, once calendars were chosen.
    pub preview: Option<Preview>,
}

/// An account.
#[derive(Debug)]
pub struct Account {
    /// Its address.
    pub email: String,
    /// Its provider's name.
    pub provider: &'static str,
    /// Its calendars.
    pub calendars: Vec<Calendar>,
}

/// A calendar that can be chosen.
#[derive(Debug)]
pub struct Calendar {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// It is chosen.
    pub is_chosen: bool,
    /// It takes part already.
    pub is_on: bool,
    /// Something to know of it.
    pub remark: Option<&'static str>,
}

/// What would be.
#[derive(Debug)]
pub struct Preview {
    /// In a sentence.
    pub summary: String,
    /// Per calendar that blocks are written into: its name, how many come, change and go.
    pub targets: Vec<Target>,
    /// Something to be known.
    pub remarks: Vec<(Tone, String)>,
    /// Whether it can begin.
    pub can_begin: bool,
}

/// What would be written into one calendar.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Blocks that come.
    pub comes: u64,
    /// That change.
    pub changes: u64,
    /// That go.
    pub goes: u64,
    /// That stay as they are.
    pub stays: u64,
    /// How long it takes.
    pub takes: String,
    /// The brake would hold it: why.
    pub held: Option<String>,
    /// The first of them, in words.
    pub samples: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_one_address_are_told_apart_by_their_providers() {
        let account =
            |provider| Account { email: "ada@example.com".to_owned(), provider, calendars: Vec::new() };
        let page = Start {
            frame: Frame::default(),
            providers: vec![("google", "Google")],
            is_staff: false,
            accounts: vec![account("Google"), account("Microsoft")],
            preview: None,
        };
        let page = crate::write(&page).unwrap();
        let legends: Vec<&str> =
            page.split("<legend>").skip(1).filter_map(|rest| rest.split("</legend>").next()).collect();
        assert!(legends[0].contains("Google") && legends[1].contains("Microsoft"), "{legends:?}");
    }
}

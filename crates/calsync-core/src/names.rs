//! What a person's calendars are called where they stand side by side. Providers give the same names to everybody: whoever has
//! two accounts has two calendars named "Calendar", or two of the same holidays.

use std::collections::{BTreeMap, BTreeSet};

use crate::calendar::{Account, Calendar};
use crate::ids::{AccountId, CalendarId};

/// A person's calendars by their names, which are told apart where they are alike.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names(BTreeMap<CalendarId, String>);

/// What a calendar is called that is not there any more.
const GONE: &str = "a calendar that is gone";

impl Names {
    /// Of one person's calendars and accounts. A name that calendars of several accounts have is followed by the account's
    /// address, and by its provider where that is the same; what is alike even then, by a number.
    pub fn of(calendars: &[Calendar], accounts: &[Account]) -> Names {
        let account = |id: AccountId| accounts.iter().find(|account| account.id == id);
        let email = |id| account(id).map_or("", |account| account.email.as_str());
        let mut called: BTreeMap<String, Vec<&Calendar>> = BTreeMap::new();
        for calendar in calendars {
            called.entry(plain(&calendar.name)).or_default().push(calendar);
        }
        let (mut names, mut taken) = (BTreeMap::new(), BTreeSet::new());
        for alike in called.into_values() {
            for one in &alike {
                let others = || alike.iter().filter(|other| other.account != one.account);
                let mut name = one.name.trim().to_owned();
                if let Some(Account { email: address, provider, .. }) =
                    account(one.account).filter(|_| others().count() > 0)
                {
                    name = match others().any(|other| email(other.account) == address) {
                        _ if address.is_empty() => format!("{name} ({})", provider.name()),
                        true => format!("{name} ({address} at {})", provider.name()),
                        false => format!("{name} ({address})"),
                    };
                }
                let (alone, mut number) = (name.clone(), 1);
                while !taken.insert(plain(&name)) {
                    number += 1;
                    name = format!("{alone} {number}");
                }
                names.insert(one.id, name);
            }
        }
        Names(names)
    }

    /// A calendar's name.
    pub fn get(&self, calendar: CalendarId) -> &str {
        self.0.get(&calendar).map_or(GONE, String::as_str)
    }
}

/// What a person does not tell apart is equal.
fn plain(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::CalendarRef;
    use crate::calendar::{AccountStatus, ProviderKind};
    use crate::ids::UserId;
    use crate::time::Ts;
    use uuid::Uuid;

    fn account(n: u128, provider: ProviderKind, email: &str) -> Account {
        Account {
            id: AccountId(Uuid::from_u128(n)),
            user: UserId(Uuid::from_u128(1)),
            provider,
            remote_id: n.to_string(),
            email: email.to_owned(),
            status: AccountStatus::Active,
            status_detail: None,
            created_at: Ts::from_secs(0),
        }
    }

    fn names(calendars: &[(u128, u128, &str)]) -> Vec<String> {
        let accounts = [
            account(1, ProviderKind::Microsoft, "ada@work.example.com"),
            account(2, ProviderKind::Microsoft, "ada@example.org"),
            account(3, ProviderKind::Google, "ada@example.org"),
            account(4, ProviderKind::Microsoft, ""),
            account(5, ProviderKind::Microsoft, ""),
        ];
        let calendar = |(id, of, name): &(u128, u128, &str)| Calendar {
            name: (*name).to_owned(),
            ..Calendar::new(
                CalendarId(Uuid::from_u128(*id)),
                AccountId(Uuid::from_u128(*of)),
                UserId(Uuid::from_u128(1)),
                CalendarRef { provider: "any".into(), account: of.to_string(), calendar: id.to_string() },
            )
        };
        let all: Vec<Calendar> = calendars.iter().map(calendar).collect();
        let names = Names::of(&all, &accounts);
        all.iter().map(|calendar| names.get(calendar.id).to_owned()).collect()
    }

    #[test]
    fn a_name_that_is_given_once_stays_as_it_is() {
        assert_eq!(names(&[(1, 1, "Calendar"), (2, 2, "Family")]), ["Calendar", "Family"]);
    }

    #[test]
    fn those_that_share_a_name_are_told_apart_by_their_accounts() {
        let two = names(&[(1, 1, "Calendar"), (2, 2, "calendar "), (3, 2, "Family")]);
        assert_eq!(two, ["Calendar (ada@work.example.com)", "calendar (ada@example.org)", "Family"]);
        let three = names(&[(1, 1, "Birthdays"), (2, 2, "Birthdays"), (3, 3, "Birthdays")]);
        assert_eq!(
            three,
            [
                "Birthdays (ada@work.example.com)",
                "Birthdays (ada@example.org at Microsoft)",
                "Birthdays (ada@example.org at Google)"
            ]
        );
    }

    #[test]
    fn those_of_one_account_are_numbered() {
        assert_eq!(names(&[(1, 1, "Family"), (2, 1, "Family")]), ["Family", "Family 2"]);
        let taken = names(&[(1, 1, "Family"), (2, 1, "Family"), (3, 1, "family 2")]);
        assert_eq!(taken, ["Family", "Family 2", "family 2 2"]);
        let both = names(&[(1, 1, "Family"), (2, 2, "Family"), (3, 2, "family")]);
        assert_eq!(
            both,
            ["Family (ada@work.example.com)", "Family (ada@example.org)", "family (ada@example.org) 2"]
        );
    }

    #[test]
    fn an_account_without_an_address_is_called_by_its_provider() {
        let all = names(&[(1, 1, "Calendar"), (2, 4, "Calendar"), (3, 5, "Calendar")]);
        assert_eq!(
            all,
            ["Calendar (ada@work.example.com)", "Calendar (Microsoft)", "Calendar (Microsoft) 2"]
        );
    }

    #[test]
    fn whatever_is_gone_has_words_too() {
        assert_eq!(Names::default().get(CalendarId(Uuid::from_u128(9))), "a calendar that is gone");
    }
}

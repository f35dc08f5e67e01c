//! What people leaf through: pages along an index, and what a page is asked for. A filter that no index serves is looked through a
//! bounded part of a listing at a time, so a page can be short, or empty, and still not be the last.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Recent;
use crate::calendar::ProviderKind;
use crate::freshness::{Delays, Freshness};
use crate::ids::{CalendarId, UserId};
use crate::notification::{Notification, ProcessingStatus};
use crate::subscription::{FAILING_FROM, Subscription, SubscriptionStatus};
use crate::time::Ts;

/// Rows that are looked through for one page at most.
pub const LOOKED_THROUGH: u32 = 1_000;

/// Where a listing goes on: after the row with this value and, among those of one value, this id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Bookmark {
    /// What the listing is ordered by.
    pub value: i64,
    /// The row.
    pub id: Uuid,
}

impl Bookmark {
    /// Before everything, where values rise.
    pub const LOWEST: Bookmark = Bookmark { value: i64::MIN, id: Uuid::nil() };
    /// Before everything, where they fall.
    pub const HIGHEST: Bookmark = Bookmark { value: i64::MAX, id: Uuid::max() };
}

/// A part of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub rows: Vec<T>,
    /// Where the next one begins; none, if this is the last.
    pub next: Option<Bookmark>,
}

impl<T> Page<T> {
    /// Of rows in their order, as many as were looked through, those that are wanted. `looked`: how many there might have been.
    pub fn of(rows: Vec<(Bookmark, T)>, wanted: impl Fn(&T) -> bool, limit: u32, looked: u32) -> Page<T> {
        let limit = limit as usize;
        let may_be_more = rows.len() >= looked as usize;
        let last = rows.last().map(|(at, _)| *at);
        let mut page = Page { rows: Vec::with_capacity(limit.min(rows.len())), next: None };
        let mut end = None;
        for (at, row) in rows {
            if !wanted(&row) {
                continue;
            }
            if page.rows.len() == limit {
                page.next = end;
                return page;
            }
            page.rows.push(row);
            end = Some(at);
        }
        page.next = last.filter(|_| may_be_more);
        page
    }
}

/// Which subscriptions, and in which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubscriptionsOf {
    /// All, the newest first.
    Everything,
    /// Those in this state: the newest first, active ones by their end, the soonest first.
    Status(SubscriptionStatus),
    /// Active ones that fail again and again, the worst first.
    Failing,
    /// Active ones that end by then, the soonest first.
    EndingBy(Ts),
    /// Active ones without a sign of life since, the longest first.
    SilentSince(Ts),
}

/// A page of subscriptions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubscriptionQuery {
    /// Which.
    pub of: SubscriptionsOf,
    /// At this provider.
    pub provider: Option<ProviderKind>,
    /// Of this person's calendars; then the newest come first, whichever they are.
    pub person: Option<UserId>,
    /// Where it goes on.
    pub after: Option<Bookmark>,
    /// Rows of a page.
    pub limit: u32,
}

impl SubscriptionQuery {
    /// Whether this one is asked for, whoever's it is.
    pub fn admits(&self, s: &Subscription) -> bool {
        let active = s.status == SubscriptionStatus::Active;
        let of = match self.of {
            SubscriptionsOf::Everything => true,
            SubscriptionsOf::Status(status) => s.status == status,
            SubscriptionsOf::Failing => active && s.failure_count >= FAILING_FROM,
            SubscriptionsOf::EndingBy(at) => active && s.expires_at <= at,
            SubscriptionsOf::SilentSince(since) => active && s.alive_at() < since,
        };
        of && self.provider.is_none_or(|provider| provider == s.provider)
    }

    /// Rows to be looked through for a page: one more than it holds, where an index serves all that is asked.
    pub fn looks_through(&self) -> u32 {
        if self.provider.is_none() && self.person.is_none() {
            self.limit.saturating_add(1)
        } else {
            LOOKED_THROUGH
        }
    }
}

/// A subscription, and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscriptionRow {
    /// The subscription.
    pub subscription: Subscription,
    /// Its calendar's name.
    pub calendar: String,
    /// Its owner's address.
    pub user: String,
}

/// A page of notifications, the newest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NotificationQuery {
    /// In this state.
    pub status: Option<ProcessingStatus>,
    /// From this provider.
    pub provider: Option<ProviderKind>,
    /// Of this calendar.
    pub calendar: Option<CalendarId>,
    /// Received then or later.
    pub from: Option<Ts>,
    /// Received before.
    pub to: Option<Ts>,
    /// Where it goes on.
    pub after: Option<Bookmark>,
    /// Rows of a page.
    pub limit: u32,
}

impl NotificationQuery {
    /// Whether this one is asked for, as far as no index says so.
    pub fn admits(&self, row: &Recent) -> bool {
        self.status.is_none_or(|status| status == row.status)
            && self.provider.is_none_or(|provider| provider == row.provider)
    }

    /// Rows to be looked through for a page: one more than it holds, where an index serves all that is asked.
    pub fn looks_through(&self) -> u32 {
        let by_index = self.provider.is_none() && (self.calendar.is_none() || self.status.is_none());
        if by_index { self.limit.saturating_add(1) } else { LOOKED_THROUGH }
    }
}

/// A notification with all that is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotificationSeen {
    /// The notification.
    pub notification: Notification,
    /// The calendar that it is about.
    pub calendar: CalendarId,
    /// That calendar's name.
    pub name: String,
    /// Its owner's address.
    pub user: String,
    /// From which provider.
    pub provider: ProviderKind,
}

/// A rule, how it stands, and how long its changes took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleRow {
    /// How it stands.
    pub freshness: Freshness,
    /// The name of its source.
    pub source: String,
    /// The name of its target.
    pub target: String,
    /// Its owner's address.
    pub user: String,
    /// How long its changes took, since the time asked for.
    pub delays: Delays,
}

/// Which rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RulesOf {
    /// Those of which something is promised, those behind for the longest time first.
    Promised,
    /// Those of which nothing is.
    Unpromised,
}

/// Lines of the audit log to be looked through for a page of what one did, or all.
pub fn audit_looks_through(who: Option<&str>, limit: u32) -> u32 {
    who.map_or_else(|| limit.saturating_add(1), |_| LOOKED_THROUGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: i64) -> Bookmark {
        Bookmark { value: n, id: Uuid::nil() }
    }

    #[test]
    fn pages_cover_a_listing_once_however_few_rows_are_wanted() {
        for (wanted_every, limit, looked) in
            [(1, 3, 4), (1, 5, 6), (3, 2, 4), (7, 2, 5), (100, 2, 5), (2, 10, 10)]
        {
            let wanted = |n: &i64| n % wanted_every == 0;
            let (mut seen, mut next, mut pages) = (Vec::new(), None::<Bookmark>, 0);
            loop {
                let from = next.map_or(0, |after| after.value + 1);
                let rows: Vec<_> = (from..23).take(looked as usize).map(|n| (at(n), n)).collect();
                let page = Page::of(rows, wanted, limit, looked);
                assert!(page.rows.len() <= limit as usize);
                seen.extend(page.rows);
                pages += 1;
                assert!(pages < 30, "it comes to an end");
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            assert_eq!(seen, (0..23).filter(wanted).collect::<Vec<_>>(), "{wanted_every} {limit} {looked}");
        }
    }

    #[test]
    fn the_last_page_says_so() {
        let rows = |count: i64| (0..count).map(|n| (at(n), n)).collect::<Vec<_>>();
        assert_eq!(Page::of(rows(3), |_| true, 3, 4).next, None);
        assert_eq!(Page::of(rows(4), |_| true, 3, 4).next, Some(at(2)));
        assert_eq!(Page::of(rows(4), |_| false, 3, 4).next, Some(at(3)));
        assert_eq!(Page::of(rows(0), |_| true, 3, 4), Page { rows: vec![], next: None });
    }
}

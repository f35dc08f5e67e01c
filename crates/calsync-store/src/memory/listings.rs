//! What people leaf through, in memory: everything is put in order, and cut where a page goes on.

use std::cmp::Reverse;

use calsync_core::ids::{CalendarId, NotificationId, RuleId};
use calsync_core::notification::{ProcessingStatus, Served};
use calsync_core::ports::{
    AuditLine, Bookmark, NotificationQuery, NotificationSeen, Page, Recent, RuleRow, RulesOf, StoreError,
    SubscriptionQuery, SubscriptionRow, SubscriptionsOf, Wish, audit_looks_through,
};
use calsync_core::subscription::SubscriptionStatus;
use calsync_core::time::Ts;
use uuid::Uuid;

use super::State;
use crate::tally::minute;

/// The order of a listing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Rising,
    Falling,
}

/// Rows in order, from where a page goes on, as many as are looked through.
fn walk<T>(
    mut rows: Vec<(Bookmark, T)>,
    order: Order,
    after: Option<Bookmark>,
    looked: u32,
) -> Vec<(Bookmark, T)> {
    match order {
        Order::Rising => rows.sort_by_key(|(at, _)| *at),
        Order::Falling => rows.sort_by_key(|(at, _)| Reverse(*at)),
    }
    let comes = |at: Bookmark| match (after, order) {
        (None, _) => true,
        (Some(after), Order::Rising) => at > after,
        (Some(after), Order::Falling) => at < after,
    };
    rows.into_iter().filter(|(at, _)| comes(*at)).take(looked as usize).collect()
}

impl State {
    pub(super) fn subscription_page(
        &self,
        query: &SubscriptionQuery,
    ) -> Result<Page<SubscriptionRow>, StoreError> {
        let looked = query.looks_through();
        let in_walk = SubscriptionQuery { provider: None, ..*query };
        let row = |s: &calsync_core::subscription::Subscription| {
            let calendar = self.calendars.get(&s.calendar)?;
            let user = self.users.get(&calendar.user)?;
            let theirs = query.person.map_or_else(|| in_walk.admits(s), |person| person == calendar.user);
            let value = match (query.person, query.of) {
                (None, SubscriptionsOf::Status(SubscriptionStatus::Active)) => s.expires_at.micros(),
                (Some(_), _) | (None, SubscriptionsOf::Everything | SubscriptionsOf::Status(_)) => 0,
                (None, SubscriptionsOf::Failing) => i64::from(s.failure_count),
                (None, SubscriptionsOf::EndingBy(_)) => s.expires_at.micros(),
                (None, SubscriptionsOf::SilentSince(_)) => s.alive_at().micros(),
            };
            let (subscription, calendar, user) = (s.clone(), calendar.name.clone(), user.email.clone());
            let row = SubscriptionRow { subscription, calendar, user };
            theirs.then_some((Bookmark { value, id: s.id.0 }, row))
        };
        let order = match (query.person, query.of) {
            (None, SubscriptionsOf::Status(SubscriptionStatus::Active))
            | (None, SubscriptionsOf::EndingBy(_) | SubscriptionsOf::SilentSince(_)) => Order::Rising,
            _ => Order::Falling,
        };
        let rows = walk(self.subscriptions.values().filter_map(row).collect(), order, query.after, looked);
        Ok(Page::of(rows, |row: &SubscriptionRow| query.admits(&row.subscription), query.limit, looked))
    }

    pub(super) fn notification_page(&self, query: &NotificationQuery) -> Result<Page<Recent>, StoreError> {
        let looked = query.looks_through();
        let in_time = |row: &Recent| {
            query.from.is_none_or(|from| row.received_at >= from)
                && query.to.is_none_or(|to| row.received_at < to)
                && query.calendar.is_none_or(|calendar| calendar == row.calendar)
                // Looked for along an index, where it is the only thing asked for.
                && (query.calendar.is_some() || query.status.is_none_or(|status| status == row.status))
        };
        let all = self.recent(Ts::MIN, u32::MAX)?.into_iter().filter(in_time);
        let rows = all.map(|row| (Bookmark { value: row.received_at.micros(), id: row.id.0 }, row)).collect();
        let rows = walk(rows, Order::Falling, query.after, looked);
        Ok(Page::of(rows, |row| query.admits(row), query.limit, looked))
    }

    pub(super) fn notification(&self, id: NotificationId) -> Result<Option<NotificationSeen>, StoreError> {
        let seen = || {
            let notification = self.notifications.get(&id)?.clone();
            let channel = self.subscriptions.get(&notification.subscription)?;
            let calendar = self.calendars.get(&channel.calendar)?;
            let user = self.users.get(&calendar.user)?.email.clone();
            let (name, provider) = (calendar.name.clone(), channel.provider);
            Some(NotificationSeen { notification, calendar: calendar.id, name, user, provider })
        };
        Ok(seen())
    }

    pub(super) fn replay_notification(
        &mut self,
        id: NotificationId,
        now: Ts,
    ) -> Result<Option<CalendarId>, StoreError> {
        use ProcessingStatus::{Completed, Failed, Retrying};
        let Some(n) = self.notifications.get_mut(&id) else { return Ok(None) };
        if !matches!(n.status, Completed | Failed | Retrying) {
            return Ok(None);
        }
        let Some(channel) = self.subscriptions.get(&n.subscription) else { return Ok(None) };
        let tally = self.tallies.entry(minute(n.received_at)).or_default();
        tally.take_back(n.status, n.processing_time_ms.unwrap_or(0), n.served);
        n.status = ProcessingStatus::Pending;
        n.processing_started_at = None;
        n.processing_completed_at = None;
        n.processing_time_ms = None;
        n.error_message = None;
        n.retry_count = 0;
        n.next_retry_at = None;
        n.run = None;
        n.served = Served::default();
        let calendar = channel.calendar;
        self.open.insert(id);
        self.raise(&[calendar], Wish::Changes, now)?;
        Ok(Some(calendar))
    }

    pub(super) fn rule_page(
        &self,
        of: RulesOf,
        since: Ts,
        after: Option<Bookmark>,
        limit: u32,
    ) -> Result<Page<RuleRow>, StoreError> {
        let looked = limit.saturating_add(1);
        let asked =
            |f: &&calsync_core::freshness::Freshness| f.promised_until.is_some() == (of == RulesOf::Promised);
        let row = |f: &calsync_core::freshness::Freshness| {
            let (source, target) = (self.calendars.get(&f.source)?, self.calendars.get(&f.target)?);
            let row = RuleRow {
                freshness: *f,
                source: source.name.clone(),
                target: target.name.clone(),
                user: self.users.get(&source.user)?.email.clone(),
                delays: self.delays_of(f.rule, since),
            };
            Some((Bookmark { value: f.promised_until.map_or(0, Ts::micros), id: f.rule.0 }, row))
        };
        let rows = self.freshness.values().filter(asked).filter_map(row).collect();
        Ok(Page::of(walk(rows, Order::Rising, after, looked), |_| true, limit, looked))
    }

    fn delays_of(&self, rule: RuleId, since: Ts) -> calsync_core::freshness::Delays {
        let theirs = self.rule_delays.range((rule, since, 0)..).take_while(|((of, ..), _)| *of == rule);
        theirs.map(|((.., bucket), count)| (*bucket, *count)).collect()
    }

    pub(super) fn audit_page(
        &self,
        who: Option<&str>,
        after: Option<Bookmark>,
        limit: u32,
    ) -> Result<Page<AuditLine>, StoreError> {
        let looked = audit_looks_through(who, limit);
        let line = |(n, (at, by, what)): (i64, &(Ts, String, String))| {
            let line = AuditLine { at: *at, who: by.clone(), what: what.clone() };
            (Bookmark { value: n, id: Uuid::nil() }, line)
        };
        let all = (1_i64..).zip(&self.audit);
        let rows = walk(all.map(line).collect(), Order::Falling, after, looked);
        let theirs = |line: &AuditLine| who.is_none_or(|who| who == line.who);
        Ok(Page::of(rows, theirs, limit, looked))
    }
}

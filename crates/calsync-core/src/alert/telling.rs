//! What people are told of a kind of alert, and when: once when it opens, again while it stays open, once when it is over. What
//! comes and goes is spoken of the less the oftener it does so. Pure.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AlertKind, AlertLevel, AlertMessage, Occasion};
use crate::time::Ts;

/// It is told that it is over when it has been for so long; twice as long after each time that it came back.
const OVER_AFTER: SignedDuration = SignedDuration::from_mins(1);
const OVER_AFTER_MAX: SignedDuration = SignedDuration::from_hours(1);
/// What comes back within this time has come back.
const SWINGS_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// People hear that it has become many more at most so often,
const GROWN_APART: SignedDuration = SignedDuration::from_mins(5);
/// and at most so often that it has become more at all, or is about something else now.
const MORE_APART: SignedDuration = SignedDuration::from_mins(15);
/// How many more are many more: so many times as many, and so many at least.
const GROWN_TIMES: u64 = 2;
const GROWN_BY: u64 = 10;
/// How far ahead of ours a stamp may lie before the clock that made it is taken for wrong.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// The open alerts of one kind, as one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Which kind.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// How loud the loudest is.
    pub level: AlertLevel,
    /// When the first was first seen.
    pub first_seen: Ts,
    /// The newest of the loudest: what it is about,
    pub subject: String,
    /// what happened,
    pub message: String,
    /// and what to do.
    pub action: String,
}

/// What people were told of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Telling {
    /// Names the alert from its opening to its end.
    pub thread: Uuid,
    /// Whether the last word was that it is open.
    pub open: bool,
    /// How loud it is taken to be: what is louder is told again.
    pub level: AlertLevel,
    /// How loud it was told at the loudest: whoever heard that hears the end.
    pub loudest: AlertLevel,
    /// Of how many.
    pub count: u64,
    /// What it was about.
    pub subject: String,
    /// The last word of what happened, for the message that it is over.
    pub message: String,
    /// Since when.
    pub first_seen: Ts,
    /// When something was last told.
    pub told_at: Ts,
    /// Since when it seems to be over, or quieter.
    #[serde(default)]
    pub over_since: Option<Ts>,
    /// How often it came back lately.
    #[serde(default)]
    pub swings: u32,
}

/// What people were told of a kind, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// Which kind.
    pub kind: String,
    /// How often this has changed: whoever changes it says what they took it for.
    pub version: i64,
    /// What they were told.
    pub telling: Telling,
}

/// How people want to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Nothing quieter is told now: warnings only while the whole system is not healthy (spec §8).
    pub floor: AlertLevel,
    /// How long between two reminders.
    pub reminder: SignedDuration,
    /// Nobody wants to hear of this kind now.
    pub silent: bool,
}

/// What is remembered of a kind from now on, and what is said of it, if anything. `None`: all stays as it is. `ids` are for a
/// new thread and for the message.
pub fn tell(
    kind: &str,
    group: Option<&Group>,
    told: Option<&Telling>,
    rules: Rules,
    ids: (Uuid, Uuid),
    now: Ts,
) -> Option<(Telling, Option<AlertMessage>)> {
    let sane = told.map(|told| mended(told, now));
    let corrected = sane.as_ref() != told;
    let next = next(kind, group, sane.as_ref(), rules, ids, now);
    next.or_else(|| sane.filter(|_| corrected).map(|told| (told, None)))
}

fn next(
    kind: &str,
    group: Option<&Group>,
    told: Option<&Telling>,
    rules: Rules,
    (thread, message_id): (Uuid, Uuid),
    now: Ts,
) -> Option<(Telling, Option<AlertMessage>)> {
    let open = told.filter(|told| told.open);
    let quiet = |telling: Telling| Some((telling, None));
    let Some(group) = group else {
        let told = open?;
        let closed = || Telling { open: false, told_at: now, ..told.clone() };
        return match told.over_since {
            None => quiet(Telling { over_since: Some(now), ..told.clone() }),
            Some(since) if now.since(since) < calm_after(told.swings) => None,
            Some(_) if rules.silent => quiet(closed()),
            Some(_) => {
                let telling = closed();
                let message = message(kind, &telling, Occasion::Resolved, None, message_id, now);
                Some((telling, Some(message)))
            }
        };
    };
    let occasion = occasion(group, open, rules, now);
    // What nobody may hear of now is told when they may.
    if let Some(occasion) = occasion.filter(|_| !rules.silent && group.level >= rules.floor) {
        let telling = Telling {
            thread: open.map_or(thread, |told| told.thread),
            open: true,
            level: group.level,
            loudest: open.map_or(group.level, |told| told.loudest.max(group.level)),
            count: group.count,
            subject: group.subject.clone(),
            message: group.message.clone(),
            first_seen: open.map_or(group.first_seen, |told| told.first_seen),
            told_at: now,
            over_since: None,
            swings: told.map_or(0, |told| swings(told, now)),
        };
        // The first message of a thread has the thread's own id, so that all others can refer to it; no other one ever has.
        let id = if open.is_none() { telling.thread } else { message_id };
        let message = message(kind, &telling, occasion, Some(group), id, now);
        return Some((telling, Some(message)));
    }
    let told = open?;
    match told.over_since {
        None if !is_calmer(group, told) => None,
        None => quiet(Telling { over_since: Some(now), ..told.clone() }),
        Some(_) if !is_calmer(group, told) => {
            quiet(Telling { over_since: None, swings: swings(told, now), ..told.clone() })
        }
        Some(since) if now.since(since) < calm_after(told.swings) => None,
        Some(_) => {
            quiet(Telling { level: group.level, count: group.count, over_since: None, ..told.clone() })
        }
    }
}

/// Not over, but so much quieter or fewer than what was told that another rise is news.
fn is_calmer(group: &Group, told: &Telling) -> bool {
    group.level < told.level || group.count.saturating_mul(GROWN_TIMES) <= told.count
}

/// What happened to an open alert that is to be told now.
fn occasion(group: &Group, open: Option<&Telling>, rules: Rules, now: Ts) -> Option<Occasion> {
    let Some(told) = open else { return Some(Occasion::Opened) };
    let apart = now.since(told.told_at);
    let many_more = group.count >= told.count.saturating_mul(GROWN_TIMES)
        && group.count >= told.count.saturating_add(GROWN_BY);
    let another = (group.count, told.count) == (1, 1) && group.subject != told.subject;
    let more = group.count > told.count || another;
    if group.level > told.level {
        Some(Occasion::Opened)
    } else if apart >= rules.reminder || many_more && apart >= GROWN_APART || more && apart >= MORE_APART {
        Some(Occasion::Reminded)
    } else {
        None
    }
}

/// How often it has come back lately, now that it is there.
fn swings(told: &Telling, now: Ts) -> u32 {
    let quieter = told.open && told.level < told.loudest;
    let came_back = !told.open || quieter || told.over_since.is_some();
    let over_since = told.over_since.unwrap_or(told.told_at);
    if !came_back {
        told.swings
    } else if now.since(over_since) <= SWINGS_WITHIN {
        told.swings.saturating_add(1)
    } else {
        0
    }
}

/// How long it must be over, or quieter, to count as that.
fn calm_after(swings: u32) -> SignedDuration {
    let doubled = 1_i32.checked_shl(swings.min(16)).unwrap_or(i32::MAX);
    OVER_AFTER.checked_mul(doubled).unwrap_or(OVER_AFTER_MAX).min(OVER_AFTER_MAX)
}

/// A stamp from the future was made by a clock that was wrong: nothing must wait for it.
fn mended(told: &Telling, now: Ts) -> Telling {
    let sane = |at: Ts| if at > now.plus(CLOCK_SLACK) { now } else { at };
    Telling { told_at: sane(told.told_at), over_since: told.over_since.map(sane), ..told.clone() }
}

fn message(
    kind: &str,
    telling: &Telling,
    occasion: Occasion,
    group: Option<&Group>,
    id: Uuid,
    now: Ts,
) -> AlertMessage {
    let (subject, message, action) = match group {
        Some(group) if group.count > 1 => (String::new(), many(kind, group), group.action.clone()),
        Some(group) => (group.subject.clone(), group.message.clone(), group.action.clone()),
        None => (
            String::new(),
            format!("It is over. It was: {}", telling.message),
            "Nothing is to be done.".to_owned(),
        ),
    };
    AlertMessage {
        id,
        thread: telling.thread,
        occasion,
        kind: kind.to_owned(),
        level: if occasion == Occasion::Resolved { telling.loudest } else { telling.level },
        subject,
        count: telling.count,
        message,
        action,
        first_seen: telling.first_seen,
        at: now,
    }
}

fn many(kind: &str, group: &Group) -> String {
    let words = AlertKind::parse(kind).and_then(AlertKind::many).unwrap_or("things are concerned");
    format!("{} {words}. The last: {}", group.count, group.message)
}

//! What runs out by itself, with nobody touching anything: certificates, sign-ins, zone data, room on the disk.

use calsync_core::calendar::{AccountStatus, ProviderKind};
use calsync_core::time::Ts;
use jiff::SignedDuration;

use crate::checks::Check;
use crate::doctor::grants::Grant;
use crate::reach::{Life, Unreached};

/// Of a certificate with this part of its life left nobody has renewed it who should have: ACME clients begin at a third.
const LEFT_OF_LIFE: i32 = 4;
/// Of one for a year that would be months.
const LEFT_MOST: SignedDuration = SignedDuration::from_hours(21 * 24);
/// So many accounts are named.
const NAMED: usize = 3;
/// Zone data is released several times a year. From a year that ended so long ago, laws are missing that are in force.
const ZONES_STALE: SignedDuration = SignedDuration::from_hours(365 * 24);
/// Bytes on the disk below which there is an alert, too (spec §8).
const DISK_LOW: u64 = 512 << 20;

/// The certificate at the public address.
pub(in crate::doctor) fn certificate(found: &Result<Option<Life>, Unreached>, now: Ts) -> Check {
    const NAME: &str = "certificate";
    let life = match found {
        Ok(Some(life)) => *life,
        Ok(None) => return Check::failed(NAME, "none is shown that is believed", "see `reachable`"),
        Err(why) => return Check::failed(NAME, why.to_string(), why.remedy()),
    };
    let (day, days) = (day(life.until), life.left(now).as_hours() / 24);
    let left = days_of(days);
    let warned_below = (life.length() / LEFT_OF_LIFE).min(LEFT_MOST);
    if life.left(now) < warned_below {
        return Check::warning(
            NAME,
            format!("it ends on {day}, in {left}: it should have been renewed by now"),
            "see why renewing fails (such as `certbot renew --dry-run`, or the log of the proxy); providers stop pushing on that day",
        );
    }
    Check::ok(NAME, format!("believed until {day} ({left})"))
}

/// Days in words.
fn days_of(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

/// Sign-ins that end by themselves.
pub(in crate::doctor) fn consents(grants: &[Grant], now: Ts) -> Check {
    const NAME: &str = "consents";
    let used = || grants.iter().filter(|grant| grant.status == AccountStatus::Active);
    let mut ending: Vec<_> = used().filter_map(|grant| Some((grant.ends?, grant))).collect();
    ending.sort_by_key(|(at, _)| *at);
    let Some((_, first)) = ending.first() else {
        return Check::ok(
            NAME,
            format!("{}, none of which ends by itself", count(used().count(), "sign-in")),
        );
    };
    let when = |(at, grant): &(Ts, &Grant)| {
        let days = at.since(now).as_hours() / 24;
        format!("{} on {} (in {})", grant.email, day(*at), days_of(days))
    };
    let verb = if ending.len() == 1 { "ends" } else { "end" };
    let detail =
        format!("{} {verb} by itself: {}", count(ending.len(), "sign-in"), named(ending.iter().map(when)));
    let remedy = match first.provider {
        ProviderKind::Google => {
            "Google ends sign-ins after 7 days while the consent screen is in status \"Testing\": in the Google Cloud console, under \
             Google Auth Platform → Audience, publish the app (\"In production\"; it need not be verified), then connect each \
             account once more"
        }
        ProviderKind::Microsoft | ProviderKind::Apple => "connect each account again before that day",
    };
    Check::warning(NAME, detail.replace("s end by itself", "s end by themselves"), remedy)
}

/// What people allowed, against what is needed.
pub(in crate::doctor) fn scopes(grants: &[Grant]) -> Check {
    const NAME: &str = "scopes";
    let lacking: Vec<_> =
        grants.iter().filter_map(|grant| grant.lacks.as_ref().map(|lacks| (grant, lacks))).collect();
    if lacking.is_empty() {
        return Check::ok(
            NAME,
            format!("{}, and each allows what is needed", count(grants.len(), "account")),
        );
    }
    let one = |(grant, lacks): &(&Grant, &String)| format!("{}: {lacks}", grant.email);
    Check::warning(
        NAME,
        format!(
            "{} did not allow all of it: {}",
            count(lacking.len(), "account"),
            named(lacking.iter().map(one))
        ),
        "connect the account again, and leave every box ticked",
    )
}

/// Accounts whose owners must act.
pub(in crate::doctor) fn accounts(grants: &[Grant]) -> Check {
    const NAME: &str = "accounts";
    let lost: Vec<_> = grants.iter().filter(|grant| grant.status == AccountStatus::NeedsReconnect).collect();
    if lost.is_empty() {
        return Check::ok(NAME, format!("{} connected", count(grants.len(), "account")));
    }
    Check::warning(
        NAME,
        format!(
            "{} must be connected again: {}",
            count(lost.len(), "account"),
            named(lost.iter().map(|g| g.email.clone()))
        ),
        "its owner connects it again under Home in the browser, or with `calendar-sync accounts connect`",
    )
}

/// The time-zone data in the program. `release`: its name by IANA, such as `2026e`.
pub(in crate::doctor) fn zones(release: Option<&str>, now: Ts) -> Check {
    const NAME: &str = "time zones";
    let year = release.and_then(|name| name.get(..4)).and_then(|year| year.parse::<i16>().ok());
    let Some((release, year)) = release.zip(year) else {
        return Check::warning(
            NAME,
            "the program does not say how old its data is",
            "use a released version of calendar-sync",
        );
    };
    let ended = jiff::civil::date(year, 12, 31).at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    let is_stale = ended.is_ok_and(|ended| now.since(Ts::from_jiff(ended.timestamp())) > ZONES_STALE);
    if is_stale {
        return Check::warning(
            NAME,
            format!(
                "the data is of IANA's release {release}: where laws changed since, blocks stand an hour off"
            ),
            "upgrade calendar-sync: the data comes with the program",
        );
    }
    Check::ok(NAME, format!("IANA's release {release}"))
}

/// The disk under the data. `None`: it can't be told.
pub(in crate::doctor) fn disk(place: &str, free: Option<u64>) -> Check {
    const NAME: &str = "disk";
    match free {
        None => Check::skipped(NAME, format!("what is free at {place} can not be told")),
        Some(free) if free < DISK_LOW => Check::failed(
            NAME,
            format!("{} MiB are free at {place}", free >> 20),
            "free some room, or move the data to a larger disk: a full disk stops all syncing",
        ),
        Some(free) => Check::ok(NAME, format!("{} MiB are free at {place}", free >> 20)),
    }
}

/// A day for people, in UTC.
fn day(at: Ts) -> String {
    at.to_jiff().strftime("%a %-d %b %Y").to_string()
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn named(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(NAMED);
    let mut text = all.take(NAMED).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests;

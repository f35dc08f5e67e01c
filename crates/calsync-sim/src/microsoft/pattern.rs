//! Graph's `recurrence` and the cloud's RRULE lines (microsoft.md §4.3 `recurrence`): one into the other and back. A rule
//! that Outlook could not hold is shown as none at all; nothing here walks a rule.

use calsync_core::zone;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde_json::{Map, Value, json};

use super::errors::GraphError;
use crate::cloud::content::{Content, When};
use crate::windows_zones::windows_name;

const DAYS: [(&str, &str); 7] = [
    ("monday", "MO"),
    ("tuesday", "TU"),
    ("wednesday", "WE"),
    ("thursday", "TH"),
    ("friday", "FR"),
    ("saturday", "SA"),
    ("sunday", "SU"),
];

const INDEXES: [(&str, i64); 5] = [("first", 1), ("second", 2), ("third", 3), ("fourth", 4), ("last", -1)];

/// The lines of a `recurrence`, for an event that starts so.
pub(super) fn lines(recurrence: &Value, start: &When) -> Result<Vec<String>, GraphError> {
    let wrong = |what: &str| GraphError::invalid(&format!("The recurrence is invalid: {what}."));
    let part = |key: &str| recurrence.get(key).and_then(Value::as_object).ok_or_else(|| wrong(key));
    let (pattern, range) = (part("pattern")?, part("range")?);
    let mut rule = rule(pattern).ok_or_else(|| wrong("pattern"))?;
    rule.push_str(&end(range, start).ok_or_else(|| wrong("range"))?);
    Ok(vec![rule])
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

fn number(map: &Map<String, Value>, key: &str) -> Option<i64> {
    map.get(key).and_then(Value::as_i64)
}

fn rule(pattern: &Map<String, Value>) -> Option<String> {
    let interval = number(pattern, "interval").filter(|n| (1..=999).contains(n))?;
    let every = format!(";INTERVAL={interval}");
    let days = || {
        let named = pattern.get("daysOfWeek").and_then(Value::as_array)?;
        let short = |v: &Value| {
            let name = v.as_str()?;
            DAYS.iter().find(|(long, _)| long.eq_ignore_ascii_case(name)).map(|(_, short)| *short)
        };
        let days: Vec<&str> = named.iter().map(short).collect::<Option<_>>()?;
        (!days.is_empty()).then(|| days.join(","))
    };
    let day = || number(pattern, "dayOfMonth").filter(|n| (1..=31).contains(n)).map(month_day);
    let month = || number(pattern, "month").filter(|n| (1..=12).contains(n));
    let index = || {
        let name = text(pattern, "index").unwrap_or("first");
        INDEXES.iter().find(|(known, _)| *known == name).map(|(_, n)| *n)
    };
    Some(match text(pattern, "type")? {
        "daily" => format!("RRULE:FREQ=DAILY{every}"),
        "weekly" => {
            let first = text(pattern, "firstDayOfWeek").unwrap_or("sunday");
            let (_, first) = DAYS.iter().find(|(long, _)| long.eq_ignore_ascii_case(first))?;
            format!("RRULE:FREQ=WEEKLY{every};BYDAY={};WKST={first}", days()?)
        }
        "absoluteMonthly" => format!("RRULE:FREQ=MONTHLY{every};{}", day()?),
        "relativeMonthly" => format!("RRULE:FREQ=MONTHLY{every};BYDAY={};BYSETPOS={}", days()?, index()?),
        "absoluteYearly" => format!("RRULE:FREQ=YEARLY{every};BYMONTH={};{}", month()?, day()?),
        "relativeYearly" => {
            format!("RRULE:FREQ=YEARLY{every};BYMONTH={};BYDAY={};BYSETPOS={}", month()?, days()?, index()?)
        }
        _ => return None,
    })
}

/// A day that a short month lacks is its last one, as in Outlook.
fn month_day(day: i64) -> String {
    if day <= 28 {
        return format!("BYMONTHDAY={day}");
    }
    let days: Vec<String> = (28..=day).map(|d| d.to_string()).collect();
    format!("BYMONTHDAY={};BYSETPOS=-1", days.join(","))
}

fn end(range: &Map<String, Value>, start: &When) -> Option<String> {
    Some(match text(range, "type")? {
        "noEnd" => String::new(),
        "numbered" => {
            format!(";COUNT={}", number(range, "numberOfOccurrences").filter(|n| (1..=9_999).contains(n))?)
        }
        "endDate" => {
            let last: Date = text(range, "endDate")?.parse().ok()?;
            match start {
                When::Day(_) => format!(";UNTIL={}", last.strftime("%Y%m%d")),
                When::At { zone: name, .. } => {
                    // The last second of that day, on the series' own clock.
                    let after = last.saturating_add(1.day()).to_zoned(zone::find_or_utc(name)).ok()?;
                    let until = after.timestamp() - jiff::SignedDuration::from_secs(1);
                    format!(";UNTIL={}", until.strftime("%Y%m%dT%H%M%SZ"))
                }
            }
        }
        _ => return None,
    })
}

/// The `recurrence` of a master; nothing if Outlook could not hold its rule.
pub(super) fn shown(content: &Content) -> Option<Value> {
    let mut rules = content.recurrence.iter().filter_map(|line| line.strip_prefix("RRULE:"));
    let (rule, None) = (rules.next()?, rules.next()) else { return None };
    let parts: Vec<(String, &str)> =
        rule.split(';').filter_map(|p| p.split_once('=')).map(|(k, v)| (k.to_ascii_uppercase(), v)).collect();
    let get = |key: &str| parts.iter().find(|(k, _)| k == key).map(|(_, v)| *v);
    let (date, zone_name) = match &content.start {
        When::Day(date) => (*date, "UTC".to_owned()),
        When::At { at, zone: name } => {
            (at.to_jiff().to_zoned(zone::find_or_utc(name)).date(), name.to_string())
        }
    };
    let mut pattern = json!({
        "type": "daily", "interval": get("INTERVAL").map_or(Some(1), |n| n.parse::<i64>().ok())?,
        "month": 0, "dayOfMonth": 0, "daysOfWeek": [], "firstDayOfWeek": "sunday", "index": "first",
    });
    fill(&mut pattern, &get, date)?;
    let range = range(&get, date, &zone_name)?;
    Some(json!({"pattern": pattern, "range": range}))
}

fn long(day: &str) -> Option<&'static str> {
    DAYS.iter().find(|(_, short)| *short == day).map(|(long, _)| *long)
}

fn weekday(date: Date) -> &'static str {
    let at = match date.weekday() {
        Weekday::Monday => 0,
        Weekday::Tuesday => 1,
        Weekday::Wednesday => 2,
        Weekday::Thursday => 3,
        Weekday::Friday => 4,
        Weekday::Saturday => 5,
        Weekday::Sunday => 6,
    };
    DAYS[at].0
}

fn fill<'a>(pattern: &mut Value, get: &impl Fn(&str) -> Option<&'a str>, start: Date) -> Option<()> {
    let by_day: Vec<&str> = get("BYDAY").map(|d| d.split(',').collect()).unwrap_or_default();
    let days = by_day.iter().map(|d| long(d.trim_start_matches(|c: char| !c.is_ascii_alphabetic())));
    let days: Vec<&str> = days.collect::<Option<_>>()?;
    let ordinal = match (get("BYSETPOS"), by_day.first()) {
        (Some(position), _) => position.parse::<i64>().ok(),
        (None, Some(first)) if by_day.len() == 1 => first[..first.len().saturating_sub(2)].parse().ok(),
        _ => None,
    };
    let frequency = get("FREQ")?;
    match frequency {
        "DAILY" if by_day.is_empty() && get("BYMONTH").is_none() && get("BYMONTHDAY").is_none() => {}
        "WEEKLY" => {
            pattern["type"] = "weekly".into();
            pattern["daysOfWeek"] = if days.is_empty() { json!([weekday(start)]) } else { json!(days) };
            pattern["firstDayOfWeek"] = long(get("WKST").unwrap_or("MO"))?.into();
        }
        "MONTHLY" | "YEARLY" => {
            let yearly = frequency == "YEARLY";
            if yearly {
                let month = get("BYMONTH").map_or(Some(i64::from(start.month())), |m| m.parse().ok())?;
                pattern["month"] = month.into();
            } else if get("BYMONTH").is_some() {
                return None;
            }
            if days.is_empty() {
                pattern["type"] = if yearly { "absoluteYearly" } else { "absoluteMonthly" }.into();
                let last = get("BYMONTHDAY")
                    .map_or(Some(i64::from(start.day())), |d| d.rsplit(',').next()?.parse().ok())?;
                pattern["dayOfMonth"] = Some(last).filter(|d| (1..=31).contains(d))?.into();
            } else {
                pattern["type"] = if yearly { "relativeYearly" } else { "relativeMonthly" }.into();
                pattern["daysOfWeek"] = json!(days);
                let index = INDEXES.iter().find(|(_, n)| Some(*n) == ordinal)?;
                pattern["index"] = index.0.into();
            }
        }
        _ => return None,
    }
    Some(())
}

fn range<'a>(get: &impl Fn(&str) -> Option<&'a str>, start: Date, zone_name: &str) -> Option<Value> {
    let label = windows_name(zone_name).map_or_else(|| zone_name.to_owned(), str::to_owned);
    let mut range = json!({
        "type": "noEnd", "startDate": start.to_string(), "endDate": "0001-01-01",
        "recurrenceTimeZone": label, "numberOfOccurrences": 0,
    });
    if let Some(count) = get("COUNT") {
        range["type"] = "numbered".into();
        range["numberOfOccurrences"] = count.parse::<i64>().ok()?.into();
    } else if let Some(until) = get("UNTIL") {
        range["type"] = "endDate".into();
        let last = match until.len() {
            8 => Date::strptime("%Y%m%d", until).ok()?,
            _ => {
                let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", until).ok()?;
                let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
                at.with_time_zone(zone::find_or_utc(zone_name)).date()
            }
        };
        range["endDate"] = last.to_string().into();
    }
    Some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> When {
        When::at("2026-11-02T08:00:00Z".parse().unwrap(), "Europe/Vienna")
    }

    #[test]
    fn patterns_come_back_as_they_went() {
        let base = json!({"interval": 2, "month": 0, "dayOfMonth": 0, "daysOfWeek": [], "firstDayOfWeek": "sunday", "index": "first"});
        let with = |more: Value| {
            let mut all = base.as_object().unwrap().clone();
            all.extend(more.as_object().unwrap().clone());
            Value::Object(all)
        };
        let range = json!({"type": "endDate", "startDate": "2026-11-02", "endDate": "2027-11-02", "recurrenceTimeZone": "W. Europe Standard Time", "numberOfOccurrences": 0});
        for pattern in [
            json!({"type": "daily"}),
            json!({"type": "weekly", "daysOfWeek": ["monday", "friday"], "firstDayOfWeek": "monday"}),
            json!({"type": "absoluteMonthly", "dayOfMonth": 2}),
            json!({"type": "absoluteMonthly", "dayOfMonth": 31}),
            json!({"type": "relativeMonthly", "daysOfWeek": ["monday"], "index": "last"}),
            json!({"type": "absoluteYearly", "dayOfMonth": 2, "month": 11}),
            json!({"type": "relativeYearly", "daysOfWeek": ["monday"], "index": "first", "month": 11}),
        ] {
            let whole = json!({"pattern": with(pattern), "range": range});
            let mut content = Content::new("", start(), start());
            content.recurrence = lines(&whole, &content.start).unwrap();
            assert_eq!(shown(&content).unwrap(), whole, "{:?}", content.recurrence);
        }
    }

    #[test]
    fn what_outlook_cannot_hold_is_no_pattern() {
        for rule in [
            "RRULE:FREQ=HOURLY",
            "RRULE:FREQ=DAILY;BYDAY=MO",
            "RRULE:FREQ=MONTHLY;BYDAY=MO;BYSETPOS=5",
            "RDATE:20261102T080000Z",
        ] {
            let content = Content::new("", start(), start()).repeating(rule);
            assert_eq!(shown(&content), None, "{rule}");
        }
        let odd = json!({"pattern": {"type": "sometimes", "interval": 1}, "range": {"type": "noEnd"}});
        assert_eq!(lines(&odd, &start()).unwrap_err().code, "ErrorInvalidRequest");
    }
}

//! The two ends of an event on Graph's wire (microsoft.md §4.3): local times without an offset beside a zone's name of
//! either family, and whole days as two midnights. Whole days have no zone and are shown on their own dates everywhere.

use std::sync::Arc;

use calsync_core::time::Ts;
use calsync_core::zone;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::errors::GraphError;
use crate::cloud::content::{Content, When};
use crate::windows_zones::iana_name;

/// One end as it is shown in `zone`, which goes by `label`.
pub(super) fn shown(when: &When, zone: &TimeZone, label: &str) -> Value {
    let local = match when {
        When::Day(date) => date.to_datetime(Time::midnight()),
        When::At { at, .. } => at.to_jiff().to_zoned(zone.clone()).datetime(),
    };
    json!({"dateTime": local.strftime("%Y-%m-%dT%H:%M:%S.0000000").to_string(), "timeZone": label})
}

/// An instant as Graph writes `createdDateTime`.
pub(super) fn stamp(at: Ts) -> String {
    at.to_jiff().strftime("%Y-%m-%dT%H:%M:%S.%6f0Z").to_string()
}

/// A local time and the zone it is meant in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Local {
    at: DateTime,
    zone: String,
}

impl Local {
    fn of(when: &When) -> Local {
        match when {
            When::Day(date) => Local { at: date.to_datetime(Time::midnight()), zone: "UTC".to_owned() },
            When::At { at, zone: name } => {
                let local = at.to_jiff().to_zoned(zone::find_or_utc(name)).datetime();
                Local { at: local, zone: name.to_string() }
            }
        }
    }

    fn midnight(&self) -> Option<Date> {
        (self.at.time() == Time::midnight()).then(|| self.at.date())
    }

    fn when(&self) -> Result<When, GraphError> {
        let zone = zone::find(&self.zone).ok_or_else(|| GraphError::time_zone(&self.zone))?;
        let at = self.at.to_zoned(zone).map_err(|_| GraphError::invalid("The time is out of range."))?;
        // Fractions of a second are not kept.
        let at = Ts::from_secs(at.timestamp().as_second());
        Ok(When::At { at, zone: Arc::from(self.zone.as_str()) })
    }
}

/// Both ends after a write: what the body names, else what stood there.
pub(super) fn ends(map: &Map<String, Value>, known: Option<&Content>) -> Result<(When, When), GraphError> {
    let all_day = match map.get("isAllDay") {
        None | Some(Value::Null) => known.is_some_and(|c| c.start.is_day()),
        Some(Value::Bool(set)) => *set,
        Some(_) => return Err(GraphError::unreadable()),
    };
    let (start, end) = (side(map, "start")?, side(map, "end")?);
    if let (Some(content), None, None, true) =
        (known, &start, &end, known.is_some_and(|c| c.start.is_day() == all_day))
    {
        return Ok((content.start.clone(), content.end.clone()));
    }
    let missing = |name: &str| GraphError::invalid(&format!("The required property '{name}' is missing."));
    let start_known = start.is_some();
    let mut start = start.or_else(|| known.map(|c| Local::of(&c.start))).ok_or_else(|| missing("start"))?;
    let end_known = end.is_some();
    let mut end = end.or_else(|| known.map(|c| Local::of(&c.end))).ok_or_else(|| missing("end"))?;
    if !all_day {
        return Ok((start.when()?, end.when()?));
    }
    // A whole day that stood there has no zone to differ in.
    match (start_known, end_known) {
        (true, false) => end.zone.clone_from(&start.zone),
        (false, true) => start.zone.clone_from(&end.zone),
        _ => {}
    }
    let (Some(first), Some(last)) = (start.midnight(), end.midnight()) else {
        return Err(GraphError::invalid(
            "The Event.Start property for an all-day event needs to be set to midnight.",
        ));
    };
    if start.zone != end.zone {
        return Err(GraphError::invalid(
            "The start and end of an all-day event must be in the same time zone.",
        ));
    }
    if last <= first {
        return Err(GraphError::invalid("The duration of an all-day event must be at least 24 hours."));
    }
    Ok((When::Day(first), When::Day(last)))
}

fn side(map: &Map<String, Value>, name: &str) -> Result<Option<Local>, GraphError> {
    let inner = match map.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(inner)) => inner,
        Some(_) => return Err(GraphError::unreadable()),
    };
    let text = |key: &str| inner.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let date_time = text("dateTime").ok_or_else(|| GraphError::invalid("The dateTime is missing."))?;
    let label = text("timeZone").ok_or_else(|| GraphError::time_zone(""))?;
    let zone = iana_name(label).ok_or_else(|| GraphError::time_zone(label))?;
    let wrong = || GraphError::invalid(&format!("The time '{date_time}' cannot be read."));
    // An offset or a `Z` wins over the zone's clock, and the zone stays the event's.
    if let Ok(at) = date_time.parse::<Ts>() {
        let local = at.to_jiff().to_zoned(zone::find_or_utc(&zone)).datetime();
        return Ok(Some(Local { at: local, zone }));
    }
    let at = date_time.parse::<DateTime>().map_err(|_| wrong())?;
    Ok(Some(Local { at, zone }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: Value) -> Result<(When, When), GraphError> {
        ends(body.as_object().unwrap(), None)
    }

    fn at(time: &str, zone: &str) -> Value {
        json!({"dateTime": time, "timeZone": zone})
    }

    #[test]
    fn times_are_read_in_zones_of_both_families() {
        for zone in ["Europe/Vienna", "W. Europe Standard Time"] {
            let (start, _) =
                of(json!({"start": at("2026-11-02T09:00:00", zone), "end": at("2026-11-02T10:00:00.0000000", zone)})).unwrap();
            assert_eq!(start.instant(&TimeZone::UTC), "2026-11-02T08:00:00Z".parse().unwrap(), "{zone}");
        }
        let odd =
            of(json!({"start": at("2026-11-02T09:00:00", "Mars"), "end": at("2026-11-02T10:00:00", "UTC")}));
        assert_eq!(odd.unwrap_err().code, "TimeZoneNotSupportedException");
    }

    #[test]
    fn whole_days_are_midnights_in_one_zone() {
        let day = |a: Value, b: Value| of(json!({"isAllDay": true, "start": a, "end": b}));
        let (start, end) =
            day(at("2026-11-02T00:00:00", "Europe/Vienna"), at("2026-11-03T00:00:00", "Europe/Vienna"))
                .unwrap();
        assert_eq!(
            (start, end),
            (When::Day(Date::constant(2026, 11, 2)), When::Day(Date::constant(2026, 11, 3)))
        );
        for (a, b) in [
            (at("2026-11-02T01:00:00", "UTC"), at("2026-11-03T00:00:00", "UTC")),
            (at("2026-11-02T00:00:00", "UTC"), at("2026-11-03T00:00:00", "Europe/Vienna")),
            (at("2026-11-02T00:00:00", "UTC"), at("2026-11-02T00:00:00", "UTC")),
        ] {
            assert_eq!(day(a, b).unwrap_err().status, 400);
        }
    }
}

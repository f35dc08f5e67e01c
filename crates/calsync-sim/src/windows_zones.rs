//! Windows' names of time zones, which Microsoft writes beside and instead of IANA's (microsoft.md §4.3 zone names). It
//! knows no rules of any zone: those are looked up by IANA's name.

use calsync_core::zone;

/// Windows name, the IANA zone that stands for it everywhere, and others that go by the same name (CLDR,
/// `windowsZones.xml`; of the others only those with many people).
const ZONES: [(&str, &str, &[&str]); 138] = [
    ("Dateline Standard Time", "Etc/GMT+12", &[]),
    ("UTC-11", "Etc/GMT+11", &[]),
    ("Aleutian Standard Time", "America/Adak", &[]),
    ("Hawaiian Standard Time", "Pacific/Honolulu", &[]),
    ("Marquesas Standard Time", "Pacific/Marquesas", &[]),
    ("Alaskan Standard Time", "America/Anchorage", &[]),
    ("UTC-09", "Etc/GMT+9", &[]),
    ("Pacific Standard Time (Mexico)", "America/Tijuana", &[]),
    ("UTC-08", "Etc/GMT+8", &[]),
    ("Pacific Standard Time", "America/Los_Angeles", &["America/Vancouver"]),
    ("US Mountain Standard Time", "America/Phoenix", &[]),
    ("Mountain Standard Time (Mexico)", "America/Mazatlan", &[]),
    ("Mountain Standard Time", "America/Denver", &["America/Edmonton", "America/Boise"]),
    ("Yukon Standard Time", "America/Whitehorse", &[]),
    ("Central America Standard Time", "America/Guatemala", &[]),
    ("Central Standard Time", "America/Chicago", &["America/Winnipeg", "America/Menominee"]),
    ("Easter Island Standard Time", "Pacific/Easter", &[]),
    ("Central Standard Time (Mexico)", "America/Mexico_City", &[]),
    ("Canada Central Standard Time", "America/Regina", &[]),
    ("SA Pacific Standard Time", "America/Bogota", &["America/Lima", "America/Panama"]),
    ("Eastern Standard Time (Mexico)", "America/Cancun", &[]),
    (
        "Eastern Standard Time",
        "America/New_York",
        &["America/Toronto", "America/Detroit", "America/Montreal"],
    ),
    ("Haiti Standard Time", "America/Port-au-Prince", &[]),
    ("Cuba Standard Time", "America/Havana", &[]),
    ("US Eastern Standard Time", "America/Indiana/Indianapolis", &[]),
    ("Turks And Caicos Standard Time", "America/Grand_Turk", &[]),
    ("Paraguay Standard Time", "America/Asuncion", &[]),
    ("Atlantic Standard Time", "America/Halifax", &["Atlantic/Bermuda"]),
    ("Venezuela Standard Time", "America/Caracas", &[]),
    ("Central Brazilian Standard Time", "America/Cuiaba", &[]),
    ("SA Western Standard Time", "America/La_Paz", &[]),
    ("Pacific SA Standard Time", "America/Santiago", &[]),
    ("Newfoundland Standard Time", "America/St_Johns", &[]),
    ("Tocantins Standard Time", "America/Araguaina", &[]),
    ("E. South America Standard Time", "America/Sao_Paulo", &[]),
    ("SA Eastern Standard Time", "America/Cayenne", &[]),
    ("Argentina Standard Time", "America/Argentina/Buenos_Aires", &[]),
    ("Greenland Standard Time", "America/Nuuk", &[]),
    ("Montevideo Standard Time", "America/Montevideo", &[]),
    ("Magallanes Standard Time", "America/Punta_Arenas", &[]),
    ("Saint Pierre Standard Time", "America/Miquelon", &[]),
    ("Bahia Standard Time", "America/Bahia", &[]),
    ("UTC-02", "Etc/GMT+2", &[]),
    ("Azores Standard Time", "Atlantic/Azores", &[]),
    ("Cape Verde Standard Time", "Atlantic/Cape_Verde", &[]),
    (
        "GMT Standard Time",
        "Europe/London",
        &[
            "Europe/Dublin",
            "Europe/Lisbon",
            "Europe/Jersey",
            "Europe/Guernsey",
            "Europe/Isle_of_Man",
            "Atlantic/Canary",
            "Atlantic/Madeira",
            "Atlantic/Faroe",
        ],
    ),
    ("Greenwich Standard Time", "Atlantic/Reykjavik", &[]),
    ("Sao Tome Standard Time", "Africa/Sao_Tome", &[]),
    ("Morocco Standard Time", "Africa/Casablanca", &[]),
    (
        "W. Europe Standard Time",
        "Europe/Berlin",
        &[
            "Europe/Vienna",
            "Europe/Zurich",
            "Europe/Amsterdam",
            "Europe/Rome",
            "Europe/Stockholm",
            "Europe/Oslo",
            "Europe/Luxembourg",
            "Europe/Vaduz",
            "Europe/Malta",
            "Europe/Monaco",
            "Europe/San_Marino",
            "Europe/Vatican",
            "Europe/Andorra",
            "Europe/Busingen",
            "Arctic/Longyearbyen",
        ],
    ),
    (
        "Central Europe Standard Time",
        "Europe/Budapest",
        &[
            "Europe/Prague",
            "Europe/Belgrade",
            "Europe/Bratislava",
            "Europe/Ljubljana",
            "Europe/Tirane",
            "Europe/Podgorica",
        ],
    ),
    (
        "Romance Standard Time",
        "Europe/Paris",
        &["Europe/Brussels", "Europe/Copenhagen", "Europe/Madrid", "Africa/Ceuta"],
    ),
    (
        "Central European Standard Time",
        "Europe/Warsaw",
        &["Europe/Sarajevo", "Europe/Skopje", "Europe/Zagreb"],
    ),
    ("W. Central Africa Standard Time", "Africa/Lagos", &[]),
    ("GTB Standard Time", "Europe/Bucharest", &["Europe/Athens", "Asia/Nicosia"]),
    ("Middle East Standard Time", "Asia/Beirut", &[]),
    ("Egypt Standard Time", "Africa/Cairo", &[]),
    ("E. Europe Standard Time", "Europe/Chisinau", &[]),
    ("West Bank Standard Time", "Asia/Hebron", &[]),
    ("South Africa Standard Time", "Africa/Johannesburg", &[]),
    (
        "FLE Standard Time",
        "Europe/Kyiv",
        &[
            "Europe/Helsinki",
            "Europe/Riga",
            "Europe/Tallinn",
            "Europe/Vilnius",
            "Europe/Sofia",
            "Europe/Mariehamn",
            "Europe/Kiev",
        ],
    ),
    ("Israel Standard Time", "Asia/Jerusalem", &[]),
    ("South Sudan Standard Time", "Africa/Juba", &[]),
    ("Kaliningrad Standard Time", "Europe/Kaliningrad", &[]),
    ("Sudan Standard Time", "Africa/Khartoum", &[]),
    ("Libya Standard Time", "Africa/Tripoli", &[]),
    ("Namibia Standard Time", "Africa/Windhoek", &[]),
    ("Jordan Standard Time", "Asia/Amman", &[]),
    ("Arabic Standard Time", "Asia/Baghdad", &[]),
    ("Syria Standard Time", "Asia/Damascus", &[]),
    ("Turkey Standard Time", "Europe/Istanbul", &[]),
    ("Arab Standard Time", "Asia/Riyadh", &[]),
    ("Belarus Standard Time", "Europe/Minsk", &[]),
    ("Russian Standard Time", "Europe/Moscow", &[]),
    ("E. Africa Standard Time", "Africa/Nairobi", &["Africa/Addis_Ababa"]),
    ("Volgograd Standard Time", "Europe/Volgograd", &[]),
    ("Iran Standard Time", "Asia/Tehran", &[]),
    ("Arabian Standard Time", "Asia/Dubai", &["Asia/Muscat"]),
    ("Astrakhan Standard Time", "Europe/Astrakhan", &[]),
    ("Azerbaijan Standard Time", "Asia/Baku", &[]),
    ("Russia Time Zone 3", "Europe/Samara", &[]),
    ("Mauritius Standard Time", "Indian/Mauritius", &[]),
    ("Saratov Standard Time", "Europe/Saratov", &[]),
    ("Georgian Standard Time", "Asia/Tbilisi", &[]),
    ("Caucasus Standard Time", "Asia/Yerevan", &[]),
    ("Afghanistan Standard Time", "Asia/Kabul", &[]),
    ("West Asia Standard Time", "Asia/Tashkent", &[]),
    ("Qyzylorda Standard Time", "Asia/Qyzylorda", &[]),
    ("Ekaterinburg Standard Time", "Asia/Yekaterinburg", &[]),
    ("Pakistan Standard Time", "Asia/Karachi", &[]),
    ("India Standard Time", "Asia/Kolkata", &["Asia/Calcutta"]),
    ("Sri Lanka Standard Time", "Asia/Colombo", &[]),
    ("Nepal Standard Time", "Asia/Kathmandu", &[]),
    ("Central Asia Standard Time", "Asia/Bishkek", &[]),
    ("Bangladesh Standard Time", "Asia/Dhaka", &[]),
    ("Omsk Standard Time", "Asia/Omsk", &[]),
    ("Myanmar Standard Time", "Asia/Yangon", &[]),
    ("SE Asia Standard Time", "Asia/Bangkok", &["Asia/Jakarta", "Asia/Ho_Chi_Minh"]),
    ("Altai Standard Time", "Asia/Barnaul", &[]),
    ("W. Mongolia Standard Time", "Asia/Hovd", &[]),
    ("North Asia Standard Time", "Asia/Krasnoyarsk", &[]),
    ("N. Central Asia Standard Time", "Asia/Novosibirsk", &[]),
    ("Tomsk Standard Time", "Asia/Tomsk", &[]),
    ("China Standard Time", "Asia/Shanghai", &["Asia/Hong_Kong", "Asia/Macau"]),
    ("North Asia East Standard Time", "Asia/Irkutsk", &[]),
    ("Singapore Standard Time", "Asia/Singapore", &["Asia/Kuala_Lumpur", "Asia/Manila"]),
    ("W. Australia Standard Time", "Australia/Perth", &[]),
    ("Taipei Standard Time", "Asia/Taipei", &[]),
    ("Ulaanbaatar Standard Time", "Asia/Ulaanbaatar", &[]),
    ("Aus Central W. Standard Time", "Australia/Eucla", &[]),
    ("Transbaikal Standard Time", "Asia/Chita", &[]),
    ("Tokyo Standard Time", "Asia/Tokyo", &[]),
    ("North Korea Standard Time", "Asia/Pyongyang", &[]),
    ("Korea Standard Time", "Asia/Seoul", &[]),
    ("Yakutsk Standard Time", "Asia/Yakutsk", &[]),
    ("Cen. Australia Standard Time", "Australia/Adelaide", &[]),
    ("AUS Central Standard Time", "Australia/Darwin", &[]),
    ("E. Australia Standard Time", "Australia/Brisbane", &[]),
    ("AUS Eastern Standard Time", "Australia/Sydney", &["Australia/Melbourne"]),
    ("West Pacific Standard Time", "Pacific/Port_Moresby", &[]),
    ("Tasmania Standard Time", "Australia/Hobart", &[]),
    ("Vladivostok Standard Time", "Asia/Vladivostok", &[]),
    ("Lord Howe Standard Time", "Australia/Lord_Howe", &[]),
    ("Bougainville Standard Time", "Pacific/Bougainville", &[]),
    ("Russia Time Zone 10", "Asia/Srednekolymsk", &[]),
    ("Magadan Standard Time", "Asia/Magadan", &[]),
    ("Norfolk Standard Time", "Pacific/Norfolk", &[]),
    ("Sakhalin Standard Time", "Asia/Sakhalin", &[]),
    ("Central Pacific Standard Time", "Pacific/Guadalcanal", &[]),
    ("Russia Time Zone 11", "Asia/Kamchatka", &[]),
    ("New Zealand Standard Time", "Pacific/Auckland", &[]),
    ("UTC+12", "Etc/GMT-12", &[]),
    ("Fiji Standard Time", "Pacific/Fiji", &[]),
    ("Chatham Islands Standard Time", "Pacific/Chatham", &[]),
    ("UTC+13", "Etc/GMT-13", &[]),
    ("Tonga Standard Time", "Pacific/Tongatapu", &[]),
    ("Samoa Standard Time", "Pacific/Apia", &[]),
    ("Line Islands Standard Time", "Pacific/Kiritimati", &[]),
];

/// The Windows name of an IANA zone, if it has one.
pub(crate) fn windows_name(iana: &str) -> Option<&'static str> {
    let found = ZONES.iter().find(|(_, main, others)| *main == iana || others.contains(&iana));
    found.map(|(name, _, _)| *name).or_else(|| is_utc(iana).then_some("UTC"))
}

/// IANA's name of a zone that goes by either name, if anybody knows it.
pub(crate) fn iana_name(name: &str) -> Option<String> {
    if is_utc(name) {
        return Some("UTC".to_owned());
    }
    let windows = ZONES.iter().find(|(windows, _, _)| windows.eq_ignore_ascii_case(name));
    if let Some((_, main, _)) = windows {
        return Some((*main).to_owned());
    }
    let zone = zone::find(name)?;
    Some(zone.iana_name().unwrap_or(name).to_owned())
}

/// All Windows names.
pub(crate) fn windows_names() -> impl Iterator<Item = &'static str> {
    std::iter::once("UTC").chain(ZONES.iter().map(|(name, _, _)| *name))
}

/// All IANA names known here.
pub(crate) fn iana_names() -> impl Iterator<Item = &'static str> {
    std::iter::once("UTC").chain(ZONES.iter().map(|(_, main, _)| *main))
}

fn is_utc(name: &str) -> bool {
    ["UTC", "Etc/UTC", "GMT", "Z", "tzone://Microsoft/Utc"].iter().any(|utc| utc.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_exists_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for (windows, main, others) in ZONES {
            for iana in std::iter::once(&main).chain(others) {
                assert!(zone::find(iana).is_some(), "{iana}");
                assert!(seen.insert(*iana), "{iana} twice");
            }
            assert_eq!(windows_name(main), Some(windows));
            assert!(iana_name(windows).is_some());
        }
    }

    #[test]
    fn names_of_both_families_are_understood() {
        assert_eq!(windows_name("Europe/Vienna"), Some("W. Europe Standard Time"));
        assert_eq!(iana_name("w. europe standard time").as_deref(), Some("Europe/Berlin"));
        assert_eq!(iana_name("Europe/Vienna").as_deref(), Some("Europe/Vienna"));
        assert_eq!(iana_name("UTC").as_deref(), Some("UTC"));
        assert_eq!(iana_name("Mars Standard Time"), None);
        assert_eq!(windows_name("Antarctica/Troll"), None);
    }
}

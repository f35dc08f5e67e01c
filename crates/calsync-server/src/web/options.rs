//! The options of a rule, out of a form. Pure: fields in, options and everything that is wrong with them out.

use calsync_core::block::Visibility;
use calsync_core::rule::{RuleOptions, RuleProblem, Tampered, Tentative, WorkingHours};

/// A field's value; empty, where the form has none.
pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

/// What is wrong with options, in the words of the form.
pub(super) fn words(problem: &RuleProblem) -> String {
    match problem {
        RuleProblem::TitleWithoutCopy => {
            "the title holds {title}, but “its title” is not ticked under what else the block carries"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// The options that a form asks for, and what of it cannot be read. What a form never shows stays as it is.
pub(super) fn read(fields: &[(String, String)], present: RuleOptions) -> (RuleOptions, Vec<String>) {
    let mut problems = Vec::new();
    let is_on = |name: &str| field(fields, name) == "on";
    let mut number = |name: &str, what: &str, most: u16| match field(fields, name) {
        "" => 0,
        text => text.parse::<u16>().ok().filter(|n| *n <= most).unwrap_or_else(|| {
            problems.push(format!("{what}: give whole minutes from 0 to {most}"));
            0
        }),
    };
    let min_minutes = number("min_minutes", "the shortest event", 24 * 60);
    let buffer_before_minutes = number("buffer_before_minutes", "blocked before", 24 * 60);
    let buffer_after_minutes = number("buffer_after_minutes", "blocked after", 24 * 60);
    let working_hours = match is_on("hours") {
        true => hours(fields).map_err(|problem| problems.push(problem)).ok(),
        false => None,
    };
    let options = RuleOptions {
        enabled: is_on("enabled"),
        title: field(fields, "title").to_owned(),
        copy_title: is_on("copy_title"),
        copy_description: is_on("copy_description"),
        copy_location: is_on("copy_location"),
        visibility: match field(fields, "visibility") {
            "calendar" => Visibility::Calendar,
            _ => Visibility::Private,
        },
        colour: Some(field(fields, "colour").to_owned()).filter(|colour| !colour.is_empty()),
        skip_all_day: is_on("skip_all_day"),
        min_minutes: u32::from(min_minutes),
        working_hours,
        buffer_before_minutes,
        buffer_after_minutes,
        tentative: match field(fields, "tentative") {
            "as_busy" => Tentative::AsBusy,
            "skip" => Tentative::Skip,
            _ => Tentative::AsTentative,
        },
        tampered: match field(fields, "tampered") {
            "leave" => Tampered::Leave,
            _ => Tampered::PutBack,
        },
    };
    if problems.is_empty() {
        (options, problems)
    } else {
        (RuleOptions { working_hours: present.working_hours, ..options }, problems)
    }
}

fn hours(fields: &[(String, String)]) -> Result<WorkingHours, String> {
    let days = fields.iter().filter(|(name, _)| name == "day").filter_map(|(_, day)| day.parse().ok());
    let time = |name: &str| {
        minute(field(fields, name)).ok_or_else(|| "working hours: write times as 09:00 and 17:30".to_owned())
    };
    let (from_minute, to_minute) = (time("from")?, time("to")?);
    Ok(WorkingHours { zone: field(fields, "zone").to_owned(), days: days.collect(), from_minute, to_minute })
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && minute <= 24 * 60).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(given: &[(&str, &str)]) -> Vec<(String, String)> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_form_becomes_options() {
        let given = fields(&[
            ("enabled", "on"),
            ("title", " Busy "),
            ("skip_all_day", "on"),
            ("min_minutes", "15"),
            ("hours", "on"),
            ("day", "1"),
            ("day", "5"),
            ("from", "09:00"),
            ("to", "17:30"),
            ("zone", "Europe/Vienna"),
            ("tentative", "skip"),
            ("tampered", "leave"),
            ("visibility", "calendar"),
            ("colour", ""),
        ]);
        let (options, problems) = read(&given, RuleOptions::default());
        assert_eq!(problems, Vec::<String>::new());
        assert!(options.enabled && options.skip_all_day && !options.copy_title && options.colour.is_none());
        assert_eq!((options.title.as_str(), options.min_minutes), ("Busy", 15));
        let hours = options.working_hours.unwrap();
        assert_eq!((hours.days, hours.from_minute, hours.to_minute), (vec![1, 5], 540, 1050));
        assert_eq!((options.tentative, options.tampered), (Tentative::Skip, Tampered::Leave));
    }

    #[test]
    fn a_problem_is_told_in_the_words_of_the_form() {
        let told = words(&RuleProblem::TitleWithoutCopy);
        assert!(told.contains("“its title”") && !told.contains("copy_title"), "{told}");
        assert_eq!(words(&RuleProblem::NoTitle), RuleProblem::NoTitle.to_string());
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let given = fields(&[
            ("min_minutes", "-1"),
            ("buffer_after_minutes", "9999"),
            ("hours", "on"),
            ("from", "9"),
            ("to", "25:00"),
        ]);
        let (_, problems) = read(&given, RuleOptions::default());
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert_eq!(
            [minute("24:00"), minute("24:01"), minute("x:10"), minute("1:60")],
            [Some(1440), None, None, None]
        );
    }
}

//! A change to the rollout flags as a person asks for it: what is not named stays as it is. Pure; stores nothing.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{EARLY_ADOPTERS_MAX, Percent, Phase, Rollout, address};
use crate::ports::Switch;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Change {
    /// A preset, before anything else.
    pub phase: Option<Phase>,
    /// The global switch.
    pub webhooks: Option<Switch>,
    /// By calendar.
    pub percentage: Option<Percent>,
    /// By user.
    pub user_percentage: Option<Percent>,
    /// Addresses to be let in.
    pub add: BTreeSet<String>,
    /// Addresses to be let in no more.
    pub remove: BTreeSet<String>,
}

/// A change as it was typed.
#[derive(Clone, Debug, Default)]
pub struct Typed<'a> {
    /// The global switch.
    pub webhooks: Option<Switch>,
    /// By calendar.
    pub percentage: Option<&'a str>,
    /// By user.
    pub user_percentage: Option<&'a str>,
    /// Addresses to be let in.
    pub add: &'a [String],
    /// Addresses to be let in no more.
    pub remove: &'a [String],
}

impl Change {
    /// To a preset.
    pub fn to(phase: Phase) -> Change {
        Change { phase: Some(phase), ..Change::default() }
    }

    /// What was typed, or all that is wrong with it.
    pub fn of(typed: &Typed<'_>) -> Result<Change, Vec<String>> {
        let mut problems = Vec::new();
        let mut number = |name: &str, text: Option<&str>| {
            let text = text?;
            let found = percent(text);
            found.map_err(|why| problems.push(format!("{name}: {why}"))).ok()
        };
        let percentage = number("--percentage", typed.percentage);
        let user_percentage = number("--user-percentage", typed.user_percentage);
        let mut addresses = |name: &str, texts: &[String]| {
            let found = texts.iter().map(|text| address(text));
            found
                .filter_map(|one| one.map_err(|why| problems.push(format!("{name}: {why}"))).ok())
                .collect::<BTreeSet<String>>()
        };
        let add = addresses("--add-early-adopter", typed.add);
        let remove = addresses("--remove-early-adopter", typed.remove);
        let both = add.intersection(&remove);
        problems.extend(both.map(|a| format!("{a} is to be added and removed: name it once")));
        let change =
            Change { phase: None, webhooks: typed.webhooks, percentage, user_percentage, add, remove };
        if problems.is_empty() && change == Change::default() {
            problems.push(
                "nothing is to be changed: name at least one of --webhooks, --percentage, --user-percentage, \
                 --add-early-adopter and --remove-early-adopter"
                    .to_owned(),
            );
        }
        if problems.is_empty() { Ok(change) } else { Err(problems) }
    }

    /// The flags after it.
    pub fn apply(&self, flags: &Rollout) -> Rollout {
        let mut new = self.phase.map_or_else(|| flags.clone(), |phase| phase.of(&flags.early_adopters));
        new.webhooks_enabled = self.webhooks.map_or(new.webhooks_enabled, Switch::is_on);
        new.rollout_percentage = self.percentage.unwrap_or(new.rollout_percentage);
        new.user_rollout_percentage = self.user_percentage.unwrap_or(new.user_rollout_percentage);
        new.early_adopters.extend(self.add.iter().cloned());
        new.early_adopters.retain(|address| !self.remove.contains(address));
        new
    }

    /// Whether the flags after it can be stored; why not.
    pub fn objection(&self, flags: &Rollout) -> Option<String> {
        let named = self.apply(flags).early_adopters.len();
        (named > EARLY_ADOPTERS_MAX).then(|| {
            format!("{named} early adopters are too many: {EARLY_ADOPTERS_MAX} at most; raise a percentage instead")
        })
    }

    /// What it is, for the audit log.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.phase.map(|p| format!("phase {} ({})", p.number(), p.name())));
        words.extend(self.webhooks.map(|s| format!("webhooks {}", if s.is_on() { "on" } else { "off" })));
        words.extend(self.percentage.map(|p| format!("{p} of the calendars")));
        words.extend(self.user_percentage.map(|p| format!("{p} of the users")));
        words.extend(self.add.iter().map(|a| format!("{a} is an early adopter")));
        words.extend(self.remove.iter().map(|a| format!("{a} is no early adopter any more")));
        words.join(", ")
    }
}

fn percent(text: &str) -> Result<Percent, String> {
    let digits = text.trim().trim_end_matches('%').trim_end();
    let refused = || format!("{text:?} is no percentage: give a whole number from 0 to 100");
    digits.parse::<u8>().ok().and_then(|n| Percent::try_from(n).ok()).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(addresses: &[&str]) -> Vec<String> {
        addresses.iter().map(|&a| a.to_owned()).collect()
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let (add, remove) = (named(&["ada", "Grace@Example.com"]), named(&["grace@example.com"]));
        let typed = Typed {
            webhooks: None,
            percentage: Some("101"),
            user_percentage: Some("ten"),
            add: &add,
            remove: &remove,
        };
        let problems = Change::of(&typed).unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
        for (problem, word) in problems.iter().zip(["\"101\"", "\"ten\"", "\"ada\"", "grace@example.com"]) {
            assert!(problem.contains(word), "{problem}");
        }
        let nothing = Change::of(&Typed::default()).unwrap_err();
        assert!(nothing[0].contains("--webhooks"), "{nothing:?}");
        for good in ["0", "100", "7 %", " 33% "] {
            assert!(Change::of(&Typed { percentage: Some(good), ..Typed::default() }).is_ok(), "{good}");
        }
        for bad in ["-1", "101", "1e2", "", "%", "256"] {
            assert!(Change::of(&Typed { percentage: Some(bad), ..Typed::default() }).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        let ada = BTreeSet::from(["ada@example.com".to_owned()]);
        let before = Phase::Tenth.of(&ada);
        assert_eq!(Change::default().apply(&before), before);
        let off = Change { webhooks: Some(Switch::Off), ..Change::default() };
        assert_eq!(off.apply(&before), Rollout { webhooks_enabled: false, ..before.clone() });
        assert_eq!(Change::to(Phase::Most).apply(&before), Phase::Most.of(&ada), "who was named stays named");
        let (add, remove) = (named(&["grace@example.com"]), named(&["ada@example.com"]));
        let typed = Typed { user_percentage: Some("20"), add: &add, remove: &remove, ..Typed::default() };
        let change = Change::of(&typed).unwrap();
        let after = change.apply(&before);
        assert_eq!(after.user_rollout_percentage.get(), 20);
        assert_eq!(after.early_adopters, BTreeSet::from(["grace@example.com".to_owned()]));
        assert!(after.webhooks_enabled && after.rollout_percentage == before.rollout_percentage);
        assert_eq!(
            change.words(),
            "20 % of the users, grace@example.com is an early adopter, ada@example.com is no early adopter any more"
        );
        assert_eq!(change.objection(&before), None);
        let crowd = (0..EARLY_ADOPTERS_MAX).map(|n| format!("user{n}@example.com")).collect();
        assert!(change.objection(&Rollout { early_adopters: crowd, ..before }).is_some());
    }

    #[test]
    fn a_phase_goes_by_number_or_name() {
        for phase in Phase::ALL {
            assert_eq!(Phase::parse(&phase.number().to_string()), Ok(phase));
            assert_eq!(Phase::parse(&format!(" {} ", phase.name().to_uppercase())), Ok(phase));
        }
        for bad in ["0", "6", "", "all"] {
            assert!(Phase::parse(bad).unwrap_err().contains("2 early-adopters"), "{bad}");
        }
    }
}

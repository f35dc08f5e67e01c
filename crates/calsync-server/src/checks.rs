//! What was looked at, whether it is well, and what to do where it is not: the shape of every examination that a person
//! reads (`doctor`, `verify-google-domain`). It looks at nothing itself.

use serde::Serialize;
use serde_json::json;

use crate::out::{Format, Out};

/// How something was found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing to say against it.
    Ok,
    /// Not looked at: it does not apply, or what it rests on is not there.
    Skipped,
    /// It works, and should be looked at.
    Warning,
    /// It does not work.
    Failed,
}

impl Outcome {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Skipped => "skipped",
            Outcome::Warning => "warning",
            Outcome::Failed => "failed",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it was found.
    pub outcome: Outcome,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Check {
    /// It is well.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Check {
        Check { name, outcome: Outcome::Ok, detail: detail.into(), remedy: None }
    }

    /// It was not looked at, because of this.
    pub fn skipped(name: &'static str, detail: impl Into<String>) -> Check {
        Check { name, outcome: Outcome::Skipped, detail: detail.into(), remedy: None }
    }

    /// It works, and should be looked at.
    pub fn warning(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check { name, outcome: Outcome::Warning, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    /// It does not work.
    pub fn failed(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check { name, outcome: Outcome::Failed, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    /// The line or two that people read.
    pub fn text(&self) -> String {
        let line = format!("{:<8} {:<22} {}", self.outcome.word(), self.name, self.detail);
        match &self.remedy {
            None => line,
            Some(remedy) => format!("{line}\n{:31} → {remedy}", ""),
        }
    }
}

/// All that was looked at, told as it comes.
#[derive(Debug)]
pub struct Findings {
    out: Out,
    checks: Vec<Check>,
}

impl Findings {
    /// Nothing yet. For people each check is told at once; for programs all of them in the end.
    pub const fn new(out: Out) -> Findings {
        Findings { out, checks: Vec::new() }
    }

    /// One more.
    pub fn add(&mut self, check: Check) {
        if self.out.format == Format::Text {
            self.out.line(&check.text());
        }
        self.checks.push(check);
    }

    /// Several more.
    pub fn extend(&mut self, checks: impl IntoIterator<Item = Check>) {
        checks.into_iter().for_each(|check| self.add(check));
    }

    /// All of them so far.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// All of them.
    pub fn into_checks(self) -> Vec<Check> {
        self.checks
    }

    /// The worst that was found.
    pub fn worst(&self) -> Outcome {
        let worst = self.checks.iter().map(|check| check.outcome).max();
        worst.filter(|worst| *worst >= Outcome::Warning).unwrap_or(Outcome::Ok)
    }

    /// Says how it ended, with `next` as what to do now; whether nothing failed.
    pub fn conclude(self, next: &[String]) -> Outcome {
        let worst = self.worst();
        let count = |outcome| self.checks.iter().filter(|check| check.outcome == outcome).count();
        let (failed, warnings) = (count(Outcome::Failed), count(Outcome::Warning));
        let mut text = match (failed, warnings) {
            (0, 0) => "\nall is well".to_owned(),
            (0, warnings) => format!("\nnothing failed; {warnings} to look at"),
            (failed, 0) => format!("\n{failed} failed"),
            (failed, warnings) => format!("\n{failed} failed, {warnings} to look at"),
        };
        for line in next {
            text.push_str(&format!("\n{line}"));
        }
        let value = json!({
            "ok": worst < Outcome::Failed, "failed": failed, "warnings": warnings, "checks": self.checks, "next": next,
        });
        self.out.result(&text, &value);
        worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_and_what_was_left_out_does_not() {
        let check = |outcome| Check { name: "x", outcome, detail: String::new(), remedy: None };
        for (seen, worst) in [
            (&[][..], Outcome::Ok),
            (&[Outcome::Ok, Outcome::Skipped], Outcome::Ok),
            (&[Outcome::Warning, Outcome::Ok], Outcome::Warning),
            (&[Outcome::Failed, Outcome::Warning, Outcome::Skipped], Outcome::Failed),
        ] {
            let mut findings = Findings::new(Out::new(Format::Json));
            findings.extend(seen.iter().copied().map(check));
            assert_eq!(findings.worst(), worst, "{seen:?}");
        }
    }

    #[test]
    fn a_remedy_stands_under_what_it_mends() {
        let text = Check::failed("redis", "it is gone", "start it").text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("failed   redis"), "{text}");
        assert_eq!(lines[0].find("it is gone"), Some(32), "{text}");
        assert_eq!(lines[1].trim_start(), "→ start it");
        assert_eq!(Check::ok("clock", "right").text().lines().count(), 1);
    }
}

//! The result of `bench scale`: each question at each size, and how it grows.

use std::fmt::Write as _;

use calsync_store::scale::Population;
use serde::Serialize;

use super::super::figures::{grouped, number, ratio, rounded};
use super::timing::Timing;

/// All of it.
#[derive(Serialize)]
pub(super) struct Report {
    database: &'static str,
    sizes: Vec<Size>,
    growth: Vec<Growth>,
    right: bool,
}

/// At one size.
#[derive(Serialize)]
pub(super) struct Size {
    subscriptions: u64,
    notifications: u64,
    troubled: u64,
    filled_in_s: f64,
    lived_in_s: f64,
    questions: Vec<Line>,
}

/// One question.
#[derive(Serialize)]
pub(super) struct Line {
    question: &'static str,
    #[serde(flatten)]
    timing: Timing,
    compared: Vec<Compared>,
}

/// What the service was told, and what a count of every row gives.
#[derive(Serialize)]
struct Compared {
    figure: &'static str,
    told: u64,
    counted: u64,
}

/// A question's time at the largest size, to that at the smallest.
#[derive(Serialize)]
struct Growth {
    question: &'static str,
    largest_to_smallest: f64,
}

impl Line {
    pub(super) fn of(
        question: &'static str,
        timing: Timing,
        compared: Vec<(&'static str, u64, u64)>,
    ) -> Line {
        let compared =
            compared.into_iter().map(|(figure, told, counted)| Compared { figure, told, counted }).collect();
        Line { question, timing, compared }
    }

    fn wrong(&self) -> impl Iterator<Item = &Compared> {
        self.compared.iter().filter(|compared| compared.told != compared.counted)
    }
}

/// At this size.
pub(super) fn size(p: &Population, filled_in_s: f64, lived_in_s: f64, questions: Vec<Line>) -> Size {
    Size {
        subscriptions: p.subscriptions,
        notifications: p.notifications,
        troubled: p.troubled,
        filled_in_s,
        lived_in_s,
        questions,
    }
}

/// Of these sizes.
pub(super) fn of(database: &'static str, sizes: Vec<Size>) -> Report {
    let growth = match (sizes.first(), sizes.last()) {
        (Some(first), Some(last)) if sizes.len() > 1 => {
            first.questions.iter().zip(&last.questions).map(growth).collect()
        }
        _ => Vec::new(),
    };
    let right = sizes.iter().flat_map(|size| &size.questions).all(|line| line.wrong().next().is_none());
    Report { database, sizes, growth, right }
}

fn growth((small, large): (&Line, &Line)) -> Growth {
    let grown = ratio(large.timing.p50_ms, small.timing.p50_ms);
    Growth { question: small.question, largest_to_smallest: rounded(grown) }
}

impl Report {
    /// Whether every answer equals its count.
    pub(super) const fn is_right(&self) -> bool {
        self.right
    }

    /// In words.
    pub(super) fn tell(&self) -> String {
        let mut text = format!(
            "{} after a while of life, milliseconds: median (99 % below; first time). Every answer was compared with a count of all rows.\n\n\
             {:<30}",
            self.database, "subscriptions / notifications"
        );
        // Writing to a String cannot fail.
        for size in &self.sizes {
            let both =
                format!("{} / {}", grouped(number(size.subscriptions)), grouped(number(size.notifications)));
            let _ = write!(text, " {both:>26}");
        }
        text.push_str("   growth\n");
        let questions = self.sizes.first().map_or(0, |size| size.questions.len());
        for at in 0..questions {
            self.tell_question(at, &mut text);
        }
        for size in &self.sizes {
            let _ = write!(
                text,
                "\n{} subscriptions: filled in {} s, lived in {} s, {} of each trouble",
                grouped(number(size.subscriptions)),
                size.filled_in_s,
                size.lived_in_s,
                size.troubled
            );
            for (line, wrong) in
                size.questions.iter().flat_map(|line| line.wrong().map(move |wrong| (line, wrong)))
            {
                let Compared { figure, told, counted } = wrong;
                let _ = write!(text, "\nWRONG: {}, {figure}: told {told}, counted {counted}", line.question);
            }
        }
        text.push_str(if self.right { "\nEvery answer is right." } else { "\nFAILED: answers differ." });
        text
    }

    fn tell_question(&self, at: usize, text: &mut String) {
        let lines = || self.sizes.iter().filter_map(|size| size.questions.get(at));
        let _ = write!(text, "{:<30}", lines().next().map_or("", |line| line.question));
        for line in lines() {
            let Timing { first_ms, p50_ms, p99_ms } = line.timing;
            let _ = write!(text, " {:>26}", format!("{p50_ms:.2} ({p99_ms:.2}; {first_ms:.1})"));
        }
        match self.growth.get(at) {
            Some(growth) => drop(writeln!(text, " {:>8.2}", growth.largest_to_smallest)),
            None => text.push('\n'),
        }
    }
}

//! What a person and a program are told about calendars that leave. Pure: counts in, words out.

use std::collections::BTreeMap;

use calsync_core::calendar::Leaving;
use calsync_core::ids::CalendarId;
use calsync_core::leaving::{Obstacle, Share};
use calsync_engine::Left;
use serde_json::{Value, json};

use super::{Exit, Party};

/// Calendars by their names, of several people at once.
pub(super) struct Names {
    leaving: Vec<CalendarId>,
    all: BTreeMap<CalendarId, String>,
}

impl Names {
    pub(super) fn of(parties: &[Party]) -> Names {
        let several = parties.len() > 1;
        let name = |party: &Party, name: &str| {
            if several { format!("{name} of {}", party.state.user.email) } else { name.to_owned() }
        };
        let named = |p: &Party| {
            let names = p.state.names();
            p.state.calendars.iter().map(|c| (c.id, name(p, names.get(c.id)))).collect::<Vec<_>>()
        };
        Names {
            leaving: parties.iter().flat_map(|p| &p.calendars).map(|c| c.id).collect(),
            all: parties.iter().flat_map(named).collect(),
        }
    }

    fn get(&self, id: CalendarId) -> &str {
        // The origin of a block can be lost, with a database or with an account.
        self.all.get(&id).map_or("a calendar that is not known here any more", String::as_str)
    }

    /// One by its name, many by their number.
    fn leaving(&self) -> String {
        match self.leaving.as_slice() {
            [one] => self.get(*one).to_owned(),
            many => format!("{} calendars", many.len()),
        }
    }
}

/// What was done, for the audit log and in sentences.
pub(super) const fn done(why: Leaving) -> &'static str {
    match why {
        Leaving::Disabled => "disabled",
        Leaving::Reset => "reset",
        Leaving::Stopped => "stopped",
    }
}

const fn verb(why: Leaving) -> &'static str {
    match why {
        Leaving::Disabled => "disable",
        Leaving::Reset => "reset",
        Leaving::Stopped => "stop",
    }
}

fn sum(shares: &[Share]) -> usize {
    shares.iter().map(|s| s.blocks).sum()
}

fn blocks(count: usize) -> String {
    if count == 1 { "1 block".to_owned() } else { format!("{count} blocks") }
}

/// What would happen.
pub(super) fn would(why: Leaving, names: &Names, shares: &[Share]) -> String {
    let (what, count) = (names.leaving(), blocks(sum(shares)));
    let fate = match why {
        Leaving::Stopped => "would stay as they are",
        Leaving::Disabled | Leaving::Reset => "that calendar-sync made would be removed, and nothing else",
    };
    let mut text = format!("This would {} {what}; {count} {fate}", verb(why));
    text.push_str(if shares.is_empty() { "." } else { ":" });
    for share in shares {
        let (count, source, target) = (share.blocks, names.get(share.source), names.get(share.target));
        text.push_str(&format!("\n  {count} in {target}, for events of {source}"));
    }
    if why == Leaving::Reset {
        text.push_str("\nThen all that is known of it here is forgotten. Accounts and rules stay.");
    }
    text
}

/// The same for programs.
pub(super) fn preview(why: Leaving, names: &Names, shares: &[Share]) -> Value {
    json!({
        "would": verb(why),
        "calendars": names.leaving,
        "blocks": sum(shares),
        "shares": shares.iter().map(|s| share_value(names, s)).collect::<Vec<_>>(),
    })
}

fn share_value(names: &Names, share: &Share) -> Value {
    let Share { source, target, blocks } = *share;
    json!({
        "source": source, "source_name": names.get(source),
        "target": target, "target_name": names.get(target), "blocks": blocks,
    })
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) why: Leaving,
    /// Whether the command waited for the removing.
    pub(super) waits: bool,
    pub(super) before: Vec<Share>,
    pub(super) left: Vec<Left>,
}

impl Outcome {
    fn left(&self) -> usize {
        self.left.iter().map(|l| l.blocks).sum()
    }

    fn removed(&self) -> usize {
        sum(&self.before).saturating_sub(self.left())
    }

    /// How the command ends: what could not be removed is a failure, of the provider's or of what somebody must mend.
    pub(super) fn exit(&self) -> Exit {
        let providers = |l: &Left| matches!(l.obstacle, Obstacle::Provider(_) | Obstacle::NeedsReconnect);
        match (self.waits, self.left.is_empty()) {
            (false, _) | (_, true) => Exit::Ok,
            _ if self.left.iter().any(providers) => Exit::Provider,
            _ => Exit::Failed,
        }
    }

    pub(super) fn text(&self, names: &Names) -> String {
        let (what, verb, left) = (names.leaving(), done(self.why), blocks(self.left()));
        let is = if names.leaving.len() == 1 { "is" } else { "are" };
        if self.why == Leaving::Stopped {
            return format!("{what} {is} {verb}: {left} of calendar-sync stay as they are");
        }
        let mut text = if self.waits {
            format!("{what} {is} {verb}: {} removed, {} left", blocks(self.removed()), self.left())
        } else {
            format!("{what} {is} {verb}: {left} are left to the running service to remove")
        };
        for left in self.left.iter().filter(|_| self.waits) {
            let (name, because) = (names.get(left.target), because(&left.obstacle));
            text.push_str(&format!("\n  {} left in {name}: {because}", left.blocks));
        }
        if self.waits && !self.left.is_empty() {
            text.push_str(
                "\nThe service goes on with them by itself, and so does this command when it is repeated.",
            );
        }
        text
    }

    pub(super) fn value(&self, names: &Names) -> Value {
        let left = |l: &Left| {
            json!({
                "target": l.target, "target_name": names.get(l.target), "blocks": l.blocks,
                "obstacle": l.obstacle, "because": because(&l.obstacle),
            })
        };
        json!({
            "done": done(self.why),
            "calendars": names.leaving,
            "blocks": sum(&self.before),
            "removed": self.removed(),
            "left": self.left(),
            "left_in": self.left.iter().map(left).collect::<Vec<_>>(),
        })
    }
}

fn because(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::NeedsReconnect => {
            "its account must be connected again: `calendar-sync accounts connect`".to_owned()
        }
        Obstacle::AccountDisabled => "its account is switched off".to_owned(),
        Obstacle::Missing => "the provider no longer lists that calendar".to_owned(),
        Obstacle::Stopped => "that calendar is stopped: enable it, or reset it too".to_owned(),
        Obstacle::ReadOnly => "its account may only read that calendar".to_owned(),
        Obstacle::Held => "its plan is held: see `calendar-sync plan`".to_owned(),
        Obstacle::Provider(error) => format!("the provider would not: {error}"),
        Obstacle::UnderWay => "that is under way".to_owned(),
    }
}

#[cfg(test)]
mod tests;

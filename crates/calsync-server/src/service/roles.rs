//! What a process does of what the service does: all of it, or a part, so that a fleet can be split. Pure; starts nothing.

use std::collections::BTreeSet;
use std::fmt;

use clap::ValueEnum;

/// One part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub enum Role {
    /// Takes what the providers send, and stores it
    Web,
    /// Reads calendars and writes blocks
    Worker,
    /// Does the jobs by the clock: push channels, lists of calendars, cleaning up
    Scheduler,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Role::Web => "web",
            Role::Worker => "worker",
            Role::Scheduler => "scheduler",
        }
    }
}

/// The parts that one process plays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// Everything.
    pub fn all() -> Roles {
        Roles([Role::Web, Role::Worker, Role::Scheduler].into())
    }

    /// These; everything, if none is named.
    pub fn named(named: &[Role]) -> Roles {
        if named.is_empty() { Roles::all() } else { Roles(named.iter().copied().collect()) }
    }

    /// Whether this is one of them.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|role| role.name()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naming_none_means_all() {
        assert_eq!(Roles::named(&[]), Roles::all());
        let some = Roles::named(&[Role::Scheduler, Role::Web, Role::Web]);
        assert_eq!(some.to_string(), "web,scheduler");
        assert!(some.has(Role::Web) && !some.has(Role::Worker));
    }
}

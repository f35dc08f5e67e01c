//! Who sits at the command line, for the audit log: a name to ask somebody by, and no proof of anything.

use std::os::unix::fs::MetadataExt as _;

use crate::cli::exit::{Exit, Failure};

/// Longest name that is written down.
const NAME_MAX: usize = 100;
/// Where the system says who somebody is: behind `sudo` the person, not root.
const VARIABLES: [&str; 3] = ["SUDO_USER", "LOGNAME", "USER"];

/// The name given, or else the system's.
pub(super) fn name(given: Option<&str>) -> Result<String, Failure> {
    let Some(given) = given else { return Ok(of_system()) };
    clean(given).ok_or_else(|| {
        let why = format!("--as: give a name of 1 to {NAME_MAX} characters, without control characters");
        Failure::new(Exit::Usage, why)
    })
}

fn of_system() -> String {
    let named = VARIABLES.iter().find_map(|variable| clean(&std::env::var(variable).ok()?));
    named.or_else(by_number).unwrap_or_else(|| "command line".to_owned())
}

/// By the number that this process runs under.
fn by_number() -> Option<String> {
    let uid = std::fs::metadata("/proc/self").ok()?.uid();
    let people = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    Some(find(&people, uid).unwrap_or_else(|| format!("user {uid}")))
}

fn find(people: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let line = people.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
    clean(line.split(':').next()?)
}

fn clean(name: &str) -> Option<String> {
    let name = name.trim();
    let sound = !name.is_empty() && name.chars().count() <= NAME_MAX && !name.contains(char::is_control);
    sound.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        assert_eq!(name(Some(" Grace ")), Ok("Grace".to_owned()));
        for bad in ["", "  ", "a\u{1b}[31mb", &"x".repeat(101)] {
            assert_eq!(name(Some(bad)).unwrap_err().exit, Exit::Usage, "{bad:?}");
        }
        assert!(!of_system().is_empty());
        let people = "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\nbroken\n";
        assert_eq!(find(people, 1000).as_deref(), Some("ada"));
        assert_eq!(find(people, 1), None);
    }
}

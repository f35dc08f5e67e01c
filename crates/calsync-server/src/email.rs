//! E-mail addresses that users are known by, in the one form in which they are stored. Pure.

/// Longest address that mail can be sent to (RFC 5321 §4.5.3.1.3).
const MAX: usize = 254;

/// An address in the one form in which it is stored; else what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let email = text.trim().to_lowercase();
    let sound = email.len() <= MAX
        && !email.contains(|c: char| c.is_whitespace() || c.is_control())
        && email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    let message = || format!("{text:?} is not an e-mail address: give one such as ada@example.com");
    sound.then_some(email).ok_or_else(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_stored_in_one_form() {
        assert_eq!(parse(" Ada@Example.COM "), Ok("ada@example.com".to_owned()));
        for bad in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "a@b\u{1b}[31m"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("{}@example.com", "x".repeat(250))).is_err());
    }
}

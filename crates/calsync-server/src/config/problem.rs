//! What is wrong with the settings: one line per problem, naming key, place, value and what is allowed. Values of
//! secrets never come here; passwords in URLs are cut out.

use std::fmt;

use serde::Serialize;

/// Longest value that an error repeats.
const MAX_SHOWN: usize = 80;
/// No setting's name is as long as this.
const MAX_NAME: usize = 64;
/// A last part this long names a setting without its section.
const TELLING: usize = 6;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// Which setting, as `section.name`; empty for the file as a whole.
    pub key: String,
    /// Where it stands: file and line, or the environment variable.
    pub place: Option<String>,
    /// What stands there, unless it is secret.
    pub value: Option<String>,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl Problem {
    /// A problem with a setting.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { key: key.into(), place: None, value: None, message: message.into() }
    }

    /// It stands there.
    pub fn at(self, place: impl fmt::Display) -> Problem {
        Problem { place: Some(place.to_string()), ..self }
    }

    /// This is what stands there.
    pub fn with_value(self, value: &str) -> Problem {
        Problem { value: Some(shown(value)), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        match (&self.key, &self.value) {
            (key, _) if key.is_empty() => {}
            (key, Some(value)) => write!(f, "{key} = {value:?}: ")?,
            (key, None) => write!(f, "{key}: ")?,
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong, at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what =
            if self.0.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", self.0.len()) };
        write!(f, "{what} with the configuration")?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A value fit to be repeated: short, and without the password of a URL.
pub(super) fn shown(value: &str) -> String {
    let masked = match (value.find("://"), value.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}[secret]{}", &value[..scheme + 3], &value[at..])
        }
        _ => value.to_owned(),
    };
    match masked.char_indices().nth(MAX_SHOWN) {
        Some((cut, _)) => format!("{}…", &masked[..cut]),
        None => masked,
    }
}

/// The name among `known` that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_NAME {
        return None;
    }
    let last = |n: &str| n.rsplit('.').next().unwrap_or_default().to_owned();
    // The last part counts alone where the section was left out, or where it is telling enough by itself.
    let by_last = !name.contains('.') || last(name).len() >= TELLING;
    known
        .into_iter()
        .map(|k| {
            let whole = distance(name, k);
            (if by_last { whole.min(1 + distance(&last(name), &last(k))) } else { whole }, k)
        })
        .filter(|(d, k)| *d <= 2.max(k.len() / 5))
        .min()
        .map(|(_, k)| k)
}

/// How many letters must be changed, added, removed or swapped with their neighbour to make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let mut best = (rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]))
                    .min(rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["server.bind", "server.public_url", "sync.workers", "google.client_id"];
        for (typed, meant) in [
            ("server.bnd", Some("server.bind")),
            ("sevrer.bind", Some("server.bind")),
            ("bind", Some("server.bind")),
            ("sync.worker", Some("sync.workers")),
            ("google.clientid", Some("google.client_id")),
            ("webhooks.public_url", Some("server.public_url")),
            ("redis.url", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_cut_out() {
        assert_eq!(shown("postgres://me:hunter2@db.example.com/x"), "postgres://[secret]@db.example.com/x");
        assert_eq!(shown("postgres://me:hun@ter2@db"), "postgres://[secret]@db");
        assert_eq!(shown("https://example.com/a@b"), "https://[secret]@b", "rather too much than too little");
        assert_eq!(shown(&"x".repeat(200)).chars().count(), MAX_SHOWN + 1);
    }
}

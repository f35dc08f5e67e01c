//! Where settings come from: the TOML file with the line of each entry, and the environment. Reads them, and judges
//! nothing but the syntax.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::kind::Raw;
use super::problem::{Problem, Problems};
use super::registry::{KEYS, Key, PREFIX};

/// A longer configuration file is some other file.
const MAX_FILE: u64 = 1024 * 1024;

/// Where a value stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In the file.
    File {
        /// Which file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// In an environment variable.
    Variable(String),
    /// In a file of its own.
    SecretFile {
        /// Which file.
        path: PathBuf,
        /// Where that file is named.
        named: Box<Origin>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) => write!(f, "environment {name}"),
            Origin::SecretFile { path, named } => write!(f, "file {} ({named})", path.display()),
        }
    }
}

/// What was found before it is judged.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration file.
    pub file: Option<(PathBuf, String)>,
    /// The environment: our variables, and those that are other names for them.
    pub env: BTreeMap<String, String>,
}

impl Sources {
    /// From a file's text and variables; variables that are none of ours, or empty, are left out.
    pub fn new(file: Option<(PathBuf, String)>, env: impl IntoIterator<Item = (String, String)>) -> Sources {
        let aliases = |key: &Key, name: &str| {
            key.alias == Some(name) || key.alias_file_variable().is_some_and(|file| file == name)
        };
        let ours = |name: &str| name.starts_with(PREFIX) || KEYS.iter().any(|key| aliases(key, name));
        Sources {
            file,
            env: env.into_iter().filter(|(name, value)| ours(name) && !value.is_empty()).collect(),
        }
    }

    /// From this process's environment, and the file asked for or found.
    pub fn from_system(asked: Option<&Path>) -> Result<Sources, Problems> {
        let file = match super::find_file(asked) {
            None => None,
            Some(path) => Some(read_file(path).map_err(|problem| Problems(vec![problem]))?),
        };
        let env = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
        Ok(Sources::new(file, env))
    }
}

fn read_file(path: PathBuf) -> Result<(PathBuf, String), Problem> {
    let refused = |reason: String| {
        Problem::new("", format!("cannot read the configuration file: {reason}")).at(path.display())
    };
    match std::fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => return Err(refused("it is a directory".to_owned())),
        Ok(meta) if meta.len() > MAX_FILE => {
            return Err(refused(format!("it is longer than {MAX_FILE} bytes")));
        }
        _ => {}
    }
    let bytes = std::fs::read(&path).map_err(|e| refused(crate::secrets::keyfile::reason(&e)))?;
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text".to_owned()))?;
    Ok((path, text))
}

/// One entry of the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// What stands there.
    pub(super) raw: Raw,
    /// Its line, from 1.
    pub(super) line: usize,
}

/// The entries of a file by `section.name`. A table within a section that is none itself is an entry, for the error about it.
pub(super) fn entries(path: &Path, text: &str) -> Result<BTreeMap<String, Entry>, Vec<Problem>> {
    let line_of = |span: Range<usize>| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count();
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problems = errors.iter().map(|error| {
            // Only the parser's own words: its long form repeats the line, which may hold a secret.
            let problem = Problem::new("", format!("not valid TOML: {}", error.message()));
            match error.span() {
                Some(span) => problem.at(format!("{}:{}", path.display(), line_of(span))),
                None => problem.at(path.display()),
            }
        });
        return Err(problems.collect());
    }
    let mut found = BTreeMap::new();
    for (section, value) in table.get_ref() {
        let at_section = Entry { raw: raw(value.get_ref()), line: line_of(section.span()) };
        match value.get_ref() {
            DeValue::Table(inner) if inner.is_empty() => {
                // An empty section says nothing, unless it is one that does not exist.
                if !is_section(section.get_ref()) {
                    found.insert(section.get_ref().to_string(), at_section);
                }
            }
            DeValue::Table(inner) => {
                for (name, value) in inner {
                    let path = format!("{}.{}", section.get_ref(), name.get_ref());
                    match value.get_ref() {
                        DeValue::Table(innermost) if is_section(&path) => {
                            found.extend(innermost.iter().map(|(name, value)| {
                                let entry = Entry { raw: raw(value.get_ref()), line: line_of(name.span()) };
                                (format!("{path}.{}", name.get_ref()), entry)
                            }));
                        }
                        other => {
                            found.insert(path, Entry { raw: raw(other), line: line_of(name.span()) });
                        }
                    }
                }
            }
            _ => {
                found.insert(section.get_ref().to_string(), at_section);
            }
        }
    }
    Ok(found)
}

/// Whether settings stand there, or in a section within.
fn is_section(name: &str) -> bool {
    let within = |section: &str| section.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    KEYS.iter().any(|key| key.section == name || within(key.section))
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(n) => match i128::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Raw::Integer(n),
            Err(_) => Raw::Other("too large a number"),
        },
        DeValue::Boolean(on) => Raw::Flag(*on),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or(Raw::Other("a list of other things than texts"), Raw::List)
        }
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

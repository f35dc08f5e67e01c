//! From sources to settings: layers them (environment over file over default), reads secrets from their files, and
//! collects every problem on the way instead of stopping at the first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::kind::{Kind, Raw, Value, Written, headers};
use super::problem::{Problem, Problems, nearest};
use super::registry::{KEYS, Key, PREFIX, SEPARATOR};
use super::settings::Settings;
use super::source::{Entry, Origin, Sources, entries};

/// One setting as it is in force.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Which.
    pub key: &'static Key,
    /// Its value; `None` where it has none.
    pub value: Option<Value>,
    /// Where it stands.
    pub origin: Origin,
}

/// Settings that hold together.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// For the program.
    pub settings: Settings,
    /// For people: every setting with its origin, in the order of the registry.
    pub effective: Vec<Effective>,
    /// What the operator should know, though it hinders nothing.
    pub warnings: Vec<String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// Reads and checks everything.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let file = match &sources.file {
        None => BTreeMap::new(),
        Some((path, text)) => entries(path, text).unwrap_or_else(|syntax| {
            problems.extend(syntax);
            BTreeMap::new()
        }),
    };
    let readable = problems.is_empty();
    let path = sources.file.as_ref().map_or(Path::new(""), |(path, _)| path);
    problems.extend(unknown_entries(path, &file));
    problems.extend(unknown_variables(&sources.env));
    let mut effective = Vec::with_capacity(KEYS.len());
    for key in KEYS {
        match find(key, sources, path, &file) {
            Ok(found) => match understand(key, found, &mut warnings) {
                Ok(setting) => effective.push(setting),
                Err(problem) => problems.push(problem),
            },
            Err(problem) => problems.push(problem),
        }
    }
    if readable {
        problems.extend(Settings::contradictions(&effective));
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let settings = Settings::from_effective(&effective);
    Ok(Loaded { settings, effective, warnings, file: sources.file.as_ref().map(|(path, _)| path.clone()) })
}

/// What a source says about a setting.
enum Found {
    Nothing,
    Value(Raw, Origin),
    InFile(PathBuf, Origin),
}

/// The uppermost source that says something.
fn find(key: &Key, sources: &Sources, path: &Path, file: &BTreeMap<String, Entry>) -> Result<Found, Problem> {
    let variable = |name: String| sources.env.get(&name).map(|value| (value.clone(), Origin::Variable(name)));
    let entry = |name: String| {
        file.get(&name).map(|e| (e.raw.clone(), Origin::File { path: path.to_owned(), line: e.line }))
    };
    let plain = variable(key.variable()).or_else(|| variable(key.alias?.to_owned()));
    let in_file =
        key.file_variable().and_then(variable).or_else(|| key.alias_file_variable().and_then(variable));
    match (plain, in_file) {
        (Some((_, a)), Some((_, b))) => return Err(twice(key, &a, &b)),
        (Some((text, origin)), None) => return Ok(Found::Value(Raw::Text(text), origin)),
        (None, Some((path, origin))) => return Ok(Found::InFile(path.into(), origin)),
        (None, None) => {}
    }
    let plain = entry(key.path());
    let in_file = key.file_name().and_then(|name| entry(format!("{}.{name}", key.section)));
    match (plain, in_file) {
        (Some((_, a)), Some((_, b))) => Err(twice(key, &a, &b)),
        // An empty text in the file is an unset one, as an empty variable is.
        (Some((Raw::Text(text), _)), None) if text.is_empty() && key.default.is_none() => Ok(Found::Nothing),
        (Some((raw, origin)), None) => Ok(Found::Value(raw, origin)),
        (None, Some((Raw::Text(path), origin))) if !path.is_empty() => Ok(Found::InFile(path.into(), origin)),
        (None, Some((_, origin))) => {
            Err(Problem::new(key.path() + "_file", "give the path of the file that holds the secret")
                .at(origin))
        }
        (None, None) => Ok(Found::Nothing),
    }
}

fn twice(key: &Key, a: &Origin, b: &Origin) -> Problem {
    Problem::new(key.path(), format!("is set twice, by {a} and by {b}: remove one of them"))
}

fn understand(key: &'static Key, found: Found, warnings: &mut Vec<String>) -> Result<Effective, Problem> {
    let (raw, origin) = match found {
        Found::Value(raw, origin) => (raw, origin),
        Found::Nothing => match key.default {
            Some(text) => (Raw::Text(text.to_owned()), Origin::Default),
            None => return Ok(Effective { key, value: None, origin: Origin::Default }),
        },
        Found::InFile(path, named) => {
            let file = crate::secrets::keyfile::read(&path)
                .map_err(|reason| Problem::new(key.path() + "_file", reason).at(&named))?;
            warnings.extend(file.warning);
            (Raw::Text(file.secret.expose().to_owned()), Origin::SecretFile { path, named: Box::new(named) })
        }
    };
    let value = read(key, &raw, &origin).map_err(|message| {
        let problem = Problem::new(key.path(), message).at(&origin);
        let text = as_text(&raw);
        if key.kind.may_repeat(&text) { problem.with_value(&text) } else { problem }
    })?;
    Ok(Effective { key, value: Some(value), origin })
}

/// OpenTelemetry's own variable has another way of writing than ours.
fn read(key: &Key, raw: &Raw, origin: &Origin) -> Result<Value, String> {
    let by_alias = match origin {
        Origin::Variable(name) => key.alias == Some(name),
        Origin::SecretFile { named, .. } => {
            matches!(&**named, Origin::Variable(name) if key.alias_file_variable().as_ref() == Some(name))
        }
        _ => false,
    };
    match raw {
        Raw::Text(text) if key.kind == Kind::Headers && by_alias => headers(text, Written::Encoded)
            .map(Value::Headers)
            .ok_or_else(|| format!("give {}, with values percent-encoded", key.kind.allowed())),
        _ => key.kind.read(raw),
    }
}

fn as_text(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) => text.clone(),
        Raw::Integer(n) => n.to_string(),
        Raw::Flag(on) => on.to_string(),
        Raw::List(items) => items.join(", "),
        Raw::Other(what) => (*what).to_owned(),
    }
}

fn unknown_entries(path: &Path, file: &BTreeMap<String, Entry>) -> Vec<Problem> {
    let mut known: Vec<String> = KEYS.iter().map(Key::path).collect();
    known.extend(KEYS.iter().filter(|key| key.kind.has_file()).map(|key| key.path() + "_file"));
    let unknown = file.iter().filter(|(name, _)| !known.contains(name));
    unknown
        .map(|(name, entry)| {
            let meant = nearest(name, known.iter().map(String::as_str));
            Problem::new(name, unknown_message(meant)).at(format!("{}:{}", path.display(), entry.line))
        })
        .collect()
}

fn unknown_variables(env: &BTreeMap<String, String>) -> Vec<Problem> {
    let known: Vec<String> =
        KEYS.iter().flat_map(|key| [Some(key.variable()), key.file_variable()]).flatten().collect();
    let unknown = env.keys().filter(|name| name.starts_with(PREFIX) && !known.contains(name));
    unknown
        .map(|name| {
            let dotted = |n: &str| n.trim_start_matches(PREFIX).replace(SEPARATOR, ".").to_lowercase();
            let by_dots: BTreeMap<String, &String> = known.iter().map(|k| (dotted(k), k)).collect();
            let meant = nearest(&dotted(name), by_dots.keys().map(String::as_str));
            let meant = meant.map(|m| by_dots[m].as_str());
            Problem::new(dotted(name), unknown_message(meant)).at(Origin::Variable(name.clone()))
        })
        .collect()
}

fn unknown_message(meant: Option<&str>) -> String {
    match meant {
        Some(name) => format!("there is no such setting; did you mean {name}?"),
        None => "there is no such setting; `calendar-sync config docs` lists them all".to_owned(),
    }
}

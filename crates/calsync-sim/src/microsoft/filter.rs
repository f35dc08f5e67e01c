//! `$filter` on events (microsoft.md §5 "find by it"; §4.1 query options): comparisons joined by `and`, one of which may
//! look into extended properties. Whatever else OData knows is refused.

use calsync_core::time::Ts;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::errors::GraphError;
use super::extended::canonical;
use crate::cloud::event::Event;

/// Comparisons in one filter.
const TERMS_MAX: usize = 10;

/// How two texts or times are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Eq,
    Ne,
    Ge,
    Gt,
    Le,
    Lt,
    Contains,
    StartsWith,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    /// A property with this id whose value is so; without a value: whether it is there.
    Property(String, Option<(Op, String)>),
    Start(Op, Ts),
    End(Op, Ts),
    Created(Op, Ts),
    Modified(Op, Ts),
    Subject(Op, String),
    Transaction(Op, String),
}

/// A filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<Term>);

impl Filter {
    /// From `$filter`; empty if there is none.
    pub(super) fn read(text: Option<&str>) -> Result<Filter, GraphError> {
        let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else { return Ok(Filter::default()) };
        let terms: Vec<Term> = split_and(text).into_iter().map(term).collect::<Result<_, _>>()?;
        if terms.len() > TERMS_MAX { Err(wrong(text)) } else { Ok(Filter(terms)) }
    }

    /// Whether an event passes.
    pub(super) fn passes(&self, event: &Event) -> bool {
        let (start, end) = event.instants(&TimeZone::UTC);
        let content = &event.content;
        self.0.iter().all(|term| match term {
            Term::Property(id, None) => content.private.contains_key(id),
            Term::Property(id, Some((op, value))) => {
                // Values are compared whatever their case (§5).
                content
                    .private
                    .get(id)
                    .is_some_and(|v| compare(*op, &v.to_lowercase(), &value.to_lowercase()))
            }
            Term::Start(op, at) => ordered(*op, start.cmp(at)),
            Term::End(op, at) => ordered(*op, end.cmp(at)),
            Term::Created(op, at) => ordered(*op, event.created.cmp(at)),
            Term::Modified(op, at) => ordered(*op, event.updated.cmp(at)),
            Term::Subject(op, text) => {
                let subject = content.summary.as_deref().unwrap_or("");
                compare(*op, &subject.to_lowercase(), &text.to_lowercase())
            }
            Term::Transaction(op, text) => {
                compare(*op, content.outlook.transaction_id.as_deref().unwrap_or(""), text)
            }
        })
    }
}

fn wrong(text: &str) -> GraphError {
    GraphError::new(
        400,
        "ErrorInvalidUrlQueryFilter",
        &format!("The query filter contains one or more invalid nodes: {text}"),
    )
}

fn compare(op: Op, a: &str, b: &str) -> bool {
    match op {
        Op::Contains => a.contains(b),
        Op::StartsWith => a.starts_with(b),
        _ => ordered(op, a.cmp(b)),
    }
}

fn ordered(op: Op, order: std::cmp::Ordering) -> bool {
    match op {
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
        Op::Ge => order.is_ge(),
        Op::Gt => order.is_gt(),
        Op::Le => order.is_le(),
        Op::Lt => order.is_lt(),
        Op::Contains | Op::StartsWith => false,
    }
}

fn op_of(word: &str) -> Option<Op> {
    Some(match word {
        "eq" => Op::Eq,
        "ne" => Op::Ne,
        "ge" => Op::Ge,
        "gt" => Op::Gt,
        "le" => Op::Le,
        "lt" => Op::Lt,
        _ => return None,
    })
}

/// The parts between `and`s that stand outside brackets and quotes.
fn split_and(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut quoted, mut from, bytes) = (Vec::new(), 0_u32, false, 0, text.as_bytes());
    for at in 0..bytes.len() {
        match bytes[at] {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b' ' if !quoted && depth == 0 && text[at..].starts_with(" and ") => {
                parts.push(text[from..at].trim());
                from = at + 5;
            }
            _ => {}
        }
    }
    parts.push(text[from.min(text.len())..].trim());
    parts
}

/// A text in quotes; two quotes inside are one.
fn quoted(text: &str) -> Option<String> {
    Some(text.trim().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))
}

fn term(text: &str) -> Result<Term, GraphError> {
    if let Some(inner) = any_of(text) {
        return property(inner).ok_or_else(|| wrong(text));
    }
    if let Some((op, left, right)) = function(text) {
        let value = quoted(right).ok_or_else(|| wrong(text))?;
        return match left {
            "subject" => Ok(Term::Subject(op, value)),
            _ => Err(wrong(text)),
        };
    }
    let (op, left, right) = plain(text).ok_or_else(|| wrong(text))?;
    let time = || instant(right).ok_or_else(|| wrong(text));
    Ok(match left {
        "start/dateTime" => Term::Start(op, time()?),
        "end/dateTime" => Term::End(op, time()?),
        "createdDateTime" => Term::Created(op, time()?),
        "lastModifiedDateTime" => Term::Modified(op, time()?),
        "subject" => Term::Subject(op, quoted(right).ok_or_else(|| wrong(text))?),
        "transactionId" => Term::Transaction(op, quoted(right).ok_or_else(|| wrong(text))?),
        _ => return Err(wrong(text)),
    })
}

/// What stands inside `singleValueExtendedProperties/Any(ep: …)`.
fn any_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("singleValueExtendedProperties/")?;
    let rest = rest.strip_prefix("Any").or_else(|| rest.strip_prefix("any"))?;
    rest.strip_prefix('(')?.strip_suffix(')')
}

/// `ep: ep/id eq '…' [and ep/value …]`, whatever the variable's name.
fn property(inner: &str) -> Option<Term> {
    let (variable, rest) = inner.split_once(':')?;
    let variable = variable.trim();
    let (mut id, mut value) = (None, None);
    for part in split_and(rest.trim()) {
        let (op, left, right) = function(part).or_else(|| plain(part))?;
        match left.strip_prefix(variable)?.strip_prefix('/')? {
            "id" if op == Op::Eq => id = Some(canonical(&quoted(right)?)?),
            "value" => value = Some((op, quoted(right)?)),
            _ => return None,
        }
    }
    Some(Term::Property(id?, value))
}

/// `left op right`.
fn plain(text: &str) -> Option<(Op, &str, &str)> {
    let mut words = text.splitn(3, ' ');
    let (left, op, right) = (words.next()?, words.next().and_then(op_of)?, words.next()?);
    Some((op, left, right))
}

/// `contains(left,'…')` and `startswith(left,'…')`.
fn function(text: &str) -> Option<(Op, &str, &str)> {
    let (name, rest) = text.split_once('(')?;
    let op = match name.trim() {
        "contains" => Op::Contains,
        "startswith" => Op::StartsWith,
        _ => return None,
    };
    let (left, right) = rest.strip_suffix(')')?.split_once(',')?;
    Some((op, left.trim(), right.trim()))
}

/// A time, in quotes or not; without an offset it is UTC.
fn instant(text: &str) -> Option<Ts> {
    let text = quoted(text).unwrap_or_else(|| text.trim().to_owned());
    if let Ok(at) = text.parse::<Ts>() {
        return Some(at);
    }
    let zoned = text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(Ts::from_jiff(zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "String {6a0f0c1e-1111-4222-8333-444455556666} Name CalSyncOrigin";

    #[test]
    fn filters_on_extended_properties_in_their_spellings() {
        let property = |value| Filter(vec![Term::Property(ID.to_owned(), value)]);
        let read = |text: &str| Filter::read(Some(text)).unwrap();
        assert_eq!(
            read(&format!(
                "singleValueExtendedProperties/Any(ep: ep/id eq '{ID}' and ep/value eq 'm1:x and y')"
            )),
            property(Some((Op::Eq, "m1:x and y".into())))
        );
        assert_eq!(
            read(&format!(
                "singleValueExtendedProperties/any(p:p/id eq '{ID}' and startswith(p/value,'m1:'))"
            )),
            property(Some((Op::StartsWith, "m1:".into())))
        );
        assert_eq!(read(&format!("singleValueExtendedProperties/Any(ep: ep/id eq '{ID}')")), property(None));
    }

    #[test]
    fn other_comparisons_and_nonsense() {
        let both =
            Filter::read(Some("start/dateTime ge '2026-11-01T00:00:00' and subject eq 'It''s'")).unwrap();
        assert_eq!(both.0.len(), 2);
        assert_eq!(both.0[1], Term::Subject(Op::Eq, "It's".into()));
        for bad in ["nonsense", "subject", "body eq 'x'", "start/dateTime ge 'soon'", "contains(body,'x')"] {
            assert_eq!(Filter::read(Some(bad)).unwrap_err().code, "ErrorInvalidUrlQueryFilter", "{bad}");
        }
        assert_eq!(Filter::read(None).unwrap(), Filter::default());
    }
}

//! What the judges share: looking for what must not be seen, putting it into JSON, and cutting an input short. Pure.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::CANARY;

/// Cuts tried of one input.
const CUTS: usize = 4;

/// Whether an input holds the canary itself: then nothing can be said about where it came from.
pub(crate) fn has_canary(data: &[u8]) -> bool {
    data.windows(CANARY.len()).any(|w| w == CANARY.as_bytes())
}

/// Nothing of a secret, and nothing that could break a line of the log.
pub(crate) fn is_quiet(words: &str) {
    assert!(!words.contains(CANARY), "a secret is repeated: {words}");
    assert!(!words.contains(char::is_control), "words that break a line: {words:?}");
}

/// The same without the second half, for what may hold texts of others.
pub(crate) fn keeps_the_secret(words: &str) {
    assert!(!words.contains(CANARY), "a secret is repeated: {words}");
}

/// JSON cut short: a few beginnings of it, each of which lacks something other than white space. Where, the input says. There
/// are none of what is no JSON: half of that may be some.
pub(crate) fn cuts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_json = serde_json::from_slice::<IgnoredAny>(data).is_ok();
    let whole = if is_json { data.trim_ascii_end().len() } else { 0 };
    let seed =
        data.iter().fold(data.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let places = (0..CUTS).map(move |i| match i {
        0 => whole.saturating_sub(1),
        _ => seed.wrapping_mul(2 * i + 1).checked_rem(whole).unwrap_or(0),
    });
    places.filter(move |_| whole > 0).map(|at| &data[..at])
}

/// What is taken for a page, a list or a collection is an object: what is something else must not pass for an empty one.
pub(crate) fn is_object(body: &[u8]) {
    assert_eq!(body.trim_ascii_start().first(), Some(&b'{'), "what is no object passes for an answer");
}

/// Puts the canary in the place of every text under these names, at any depth; whether there was one.
pub(crate) fn plant(value: &mut Value, names: &[&str]) -> bool {
    match value {
        Value::Object(map) => map.iter_mut().fold(false, |found, (name, inner)| {
            if names.contains(&name.as_str()) && inner.is_string() {
                *inner = Value::from(CANARY);
                return true;
            }
            plant(inner, names) || found
        }),
        Value::Array(items) => {
            items.iter_mut().filter_map(|inner| plant(inner, names).then_some(())).count() > 0
        }
        _ => false,
    }
}

/// The lines of an input as pairs, at the first of these signs.
pub(crate) fn pairs(text: &str, sign: char) -> Vec<(&str, &str)> {
    text.lines()
        .filter_map(|line| line.split_once(sign))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}

/// The first line, and the rest.
pub(crate) fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}

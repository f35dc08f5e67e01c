//! From rounds to the mirror: what the listings of a calendar lead to, over some days.

use std::collections::BTreeSet;

use calsync_core::event::TextPolicy;
use calsync_core::mirror::{FoldContext, Listed, Mirror, MirrorDelta};
use calsync_core::ports::RemoteItem;
use serde_json::json;

use super::rig::{Rig, exception, master, refusal, removed, single, stub, whole, window};
use crate::rig::answer;

fn fold(mirror: &mut Mirror, items: &[RemoteItem], listed: Listed) -> MirrorDelta {
    let none = BTreeSet::new();
    let context =
        FoldContext { our_blocks: &none, texts: TextPolicy::default(), forget_before: window().from };
    let delta = mirror.fold(items, listed, &context);
    mirror.apply(&delta);
    assert!(mirror.fold(items, listed, &context).is_empty(), "the same listing again changes something");
    delta
}

fn known(mirror: &Mirror) -> Vec<&str> {
    mirror.events.keys().map(|id| id.as_str()).collect()
}

#[tokio::test]
async fn a_calendar_over_some_days() {
    let rig = Rig::new().await;
    let mut mirror = Mirror::default();
    let series = || json!([master("m", "busy"), stub("m-1", "m", 7), stub("m-2", "m", 14), single("a", 1)]);
    rig.answers([rig.last_page(series())]);
    fold(&mut mirror, &rig.full().await, Listed::Everything(window()));
    assert_eq!(known(&mirror), ["a", "m-1", "m-2"]);

    // Nothing but the etags moved.
    rig.answers([
        rig.last_page(series()),
        answer(200, json!({"value": [whole("m-1", "m", 7), whole("m-2", "m", 14)]})),
    ]);
    let delta = fold(&mut mirror, &rig.changes().await, Listed::Changes);
    assert!(delta.is_empty(), "{delta:?}");

    // One occurrence is moved, another deleted; the round shows the one alone.
    rig.answers([
        rig.last_page(json!([exception("m-2", "m", 15)])),
        answer(200, json!({"value": [exception("m-2", "m", 15)]})),
    ]);
    let delta = fold(&mut mirror, &rig.changes().await, Listed::Changes);
    assert_eq!(delta.updated.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["m-2"]);
    assert_eq!(delta.gone, ["m-1".into()]);

    // The series is deleted, and told by its tombstone alone: nobody guesses.
    rig.answers([rig.last_page(json!([removed("m")]))]);
    let delta = mirror.fold(
        &rig.changes().await,
        Listed::Changes,
        &FoldContext {
            our_blocks: &BTreeSet::new(),
            texts: TextPolicy::default(),
            forget_before: window().from,
        },
    );
    assert!(delta.exceptions_in_doubt && delta.gone.is_empty());
    rig.answers([rig.last_page(json!([single("a", 1)]))]);
    let delta = fold(&mut mirror, &rig.full().await, Listed::Everything(window()));
    assert_eq!(delta.gone, ["m-2".into()]);
    assert_eq!(known(&mirror), ["a"]);

    // A single event becomes a series under its own id.
    rig.answers([
        rig.last_page(json!([master("a", "busy"), stub("a-1", "a", 1)])),
        answer(200, json!({"value": [whole("a-1", "a", 1)]})),
    ]);
    fold(&mut mirror, &rig.changes().await, Listed::Changes);
    assert_eq!(known(&mirror), ["a-1"]);

    // And goes, with its series gone before we could ask.
    rig.answers([rig.last_page(json!([master("a", "busy")])), refusal(404, "ErrorItemNotFound")]);
    fold(&mut mirror, &rig.changes().await, Listed::Changes);
    assert!(known(&mirror).is_empty());
}

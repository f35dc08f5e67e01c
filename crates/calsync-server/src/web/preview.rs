//! What changes would do, as pages show it: counts, the first times, how long it takes, and what could not be known. Pure.

use calsync_core::calendar::Calendar;
use calsync_core::ids::CalendarId;
use calsync_core::names::Names;
use calsync_core::preview::{Blocks, TargetPreview};
use calsync_core::time::Span;
use calsync_engine::RulesPreview;
use calsync_pages::Tone;
use calsync_pages::start::{Preview, Target};
use calsync_pages::words::{count, span};

use super::home;

/// What would be.
pub(super) fn of(would: &RulesPreview, calendars: &[Calendar], names: &Names) -> Preview {
    let name = |id: CalendarId| names.get(id).to_owned();
    let zone = home::zone(calendars.iter());
    let when = |of: Span| match of {
        Span::AllDay { start, .. } => format!("{}, all day", start.strftime("%a %-d %b")),
        timed @ Span::Timed { .. } => {
            let (from, _) = timed.instants(&zone);
            from.to_jiff().to_zoned(zone.clone()).strftime("%a %-d %b, %H:%M").to_string()
        }
    };
    let target = |one: &TargetPreview| {
        let first = |what: &str, blocks: &Blocks| -> Vec<String> {
            blocks.first.iter().map(|b| format!("{what}: {}, for {}", when(b.span), name(b.source))).collect()
        };
        let samples =
            [first("new", &one.created), first("changed", &one.changed), first("removed", &one.deleted)];
        Target {
            name: name(one.target),
            comes: one.created.count as u64,
            changes: one.changed.count as u64,
            goes: one.deleted.count as u64,
            stays: one.kept as u64,
            takes: if one.writes == 0 {
                "nothing to write".to_owned()
            } else {
                count(one.writes as u64, "write")
            },
            held: one.held.clone(),
            samples: samples.concat(),
        }
    };
    let writes: usize = would.targets.iter().map(|one| one.writes).sum();
    let seconds = u64::try_from(would.writing.as_secs()).unwrap_or_default();
    let summary = match (writes, seconds) {
        (0, _) => "Nothing would be written: all stands as it should.".to_owned(),
        (writes, 0) => format!("{}, within seconds.", count(writes as u64, "write")),
        (writes, seconds) => {
            format!(
                "{}, about {} within what the providers allow; the nearest days first.",
                count(writes as u64, "write"),
                span(seconds)
            )
        }
    };
    let unread = would.unread.iter().map(|one| {
        (
            Tone::Warn,
            format!(
                "{} could not be read ({}): what follows from it is missing here.",
                name(one.calendar),
                one.because
            ),
        )
    });
    Preview {
        summary,
        targets: would.targets.iter().map(target).collect(),
        remarks: unread.collect(),
        can_begin: true,
    }
}

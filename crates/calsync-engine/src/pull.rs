//! Pull: read what a provider shows of one calendar, page by page, fold it into the mirror, and store both with the
//! cursor in one transaction. An error on any page voids the whole reading: nothing of it is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calsync_core::calendar::{Calendar, Cursor};
use calsync_core::cursor_loss::CursorSeen;
use calsync_core::echo::Told;
use calsync_core::event::{Event, Series, TextPolicy, When};
use calsync_core::freshness::{self, Origins};
use calsync_core::hold::{DELETIONS_FREE, DELETIONS_PERCENT};
use calsync_core::ids::{CalendarId, EventId};
use calsync_core::journal::Shown;
use calsync_core::mirror::{FoldContext, Listed, Mirror, MirrorDelta, is_over};
use calsync_core::ports::{
    ErrorClass, FullListing, Lease, ListFrom, ListRequest, Listing, NextPage, ProviderAccount, ProviderError,
    PullApply, RemoteEvent, RemoteItem, Standing,
};
use calsync_core::run::RunCounts;
use calsync_core::time::{Ts, Window};
use jiff::tz::TimeZone;
use tracing::{Instrument, debug_span};

use crate::{Engine, EngineError};

/// Pages of one listing. At 500 events a page this is far beyond what any provider lets a calendar hold.
const PAGES_MAX: usize = 1_000;

/// Blocks that are looked at by themselves in one reading. Of more, so many were removed that one by one is too slow, and
/// the brake looks at them.
const LOOKS_MAX: usize = 40;

/// What to read.
pub(crate) struct PullWork<'a> {
    pub(crate) calendar: &'a Calendar,
    /// Read everything, whatever the cursor says.
    pub(crate) full: bool,
    /// Texts that may be kept.
    pub(crate) texts: TextPolicy,
    /// Targets of the rules from this calendar.
    pub(crate) targets: &'a [CalendarId],
    /// When the deliveries were received that ask for it, the earliest first.
    pub(crate) told: &'a [Ts],
    /// What they name, where their channel says what changed.
    pub(crate) named: &'a [Told],
}

/// What a reading came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pulled {
    pub(crate) counts: RunCounts,
    /// Changes that somebody made since the last reading, as far as can be told: each should have been announced.
    pub(crate) changes: u32,
    /// When what changed was changed.
    pub(crate) origins: Origins,
    /// The listing has not come as far as what was told: it is to be read once more.
    pub(crate) lags: bool,
}

/// A complete reading.
struct Reading {
    items: Vec<RemoteItem>,
    listed: Listed,
    cursor: Option<Cursor>,
    time_zone: Option<String>,
    began_at: Ts,
    seen: CursorSeen,
}

/// What looking at vanished blocks one by one showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Looked {
    /// They are gone.
    AsTold,
    /// Some stand outside the window, and are part of the reading now.
    Found,
    /// One stands where the listing of changes says that it went from.
    Contradicted,
}

impl Engine {
    /// Reads one calendar and takes over what changed.
    pub(crate) async fn pull(
        &self,
        lease: &Lease,
        work: &PullWork<'_>,
        account: &dyn ProviderAccount,
    ) -> Result<Pulled, EngineError> {
        let mut reading = self.read(lease, work, account).await?;
        // A look that shows nothing changes nothing: of most looks that is all, and what we know need not be loaded for it.
        let shows_nothing = reading.items.is_empty() && reading.listed == Listed::Changes;
        let mirror = if shows_nothing { Arc::default() } else { self.store.mirror(work.calendar.id).await? };
        let mut delta = self.fold(work, &mirror, &reading).await?;
        if delta.exceptions_in_doubt && reading.listed == Listed::Changes {
            reading = self.read_everything(lease, work.calendar, account).await?;
            delta = self.fold(work, &mirror, &reading).await?;
        }
        if reading.listed == Listed::Changes && empties_a_series(&mirror, &reading, &delta) {
            // One answer with nothing in it, among others that are right: all of the calendar must say the same.
            reading = self.read_everything(lease, work.calendar, account).await?;
            delta = self.fold(work, &mirror, &reading).await?;
        }
        if reading.listed == Listed::Changes {
            let looked = self.look_for_moved(lease, work.calendar, &mut reading, &delta, account).await?;
            if looked == Looked::Contradicted {
                reading = self.read_everything(lease, work.calendar, account).await?;
            }
            if looked != Looked::AsTold {
                delta = self.fold(work, &mirror, &reading).await?;
            }
        }
        if loses_much(&mirror, &reading, &delta) {
            // Providers have answered "nothing" without an error. Only a second reading that agrees makes it true.
            let second = self.read_everything(lease, work.calendar, account).await?;
            let again = self.fold(work, &mirror, &second).await?;
            if (&again.gone, &again.blocks_gone) != (&delta.gone, &delta.blocks_gone) {
                let detail = "two readings of the calendar in a row disagree on what is gone";
                return Err(ProviderError::new(ErrorClass::Transient, detail).into());
            }
            (reading, delta) = (second, again);
        }
        if reading.listed != Listed::Changes
            && self.look_for_moved(lease, work.calendar, &mut reading, &delta, account).await?
                == Looked::Found
        {
            delta = self.fold(work, &mirror, &reading).await?;
        }
        let pulled = Pulled {
            counts: counts(&reading, &delta),
            changes: changes(work, &mirror, &reading, &delta, self.window().from),
            origins: origins(work, &reading, &delta),
            lags: work.named.iter().any(|told| !told.is_reached(&reading.items, &mirror)),
        };
        // People are told before it is written down: who dies in between finds the same again.
        let cursor_losses = work.calendar.cursor_losses.after(reading.seen, reading.began_at);
        let cursor_losses = Some(cursor_losses).filter(|losses| *losses != work.calendar.cursor_losses);
        if let Some(losses) = &cursor_losses {
            self.heed_cursor(work.calendar.id, losses).await?;
        }
        let apply = PullApply { cursor_losses, ..apply(work, reading, delta, self.clock.now()) };
        // Nobody looks at it any more: a store that shares it can change it where it is.
        drop(mirror);
        self.store.apply_pull(lease, &apply).instrument(debug_span!("apply")).await?;
        Ok(pulled)
    }

    /// What a reading changes in our picture of the calendar.
    async fn fold(
        &self,
        work: &PullWork<'_>,
        mirror: &Mirror,
        reading: &Reading,
    ) -> Result<MirrorDelta, EngineError> {
        let strangers = mirror.strangers(&reading.items);
        let our_blocks: BTreeSet<EventId> = if strangers.is_empty() {
            BTreeSet::new()
        } else {
            let ledger = self.store.ledger(work.calendar.id).await?;
            let blocks = ledger.iter().filter_map(|row| row.block.as_ref());
            blocks.filter(|id| strangers.contains(id)).cloned().collect()
        };
        let forget_before = self.window().from;
        let context = FoldContext { our_blocks: &our_blocks, texts: work.texts, forget_before };
        Ok(debug_span!("fold").in_scope(|| mirror.fold(&reading.items, reading.listed, &context)))
    }

    /// Where listings are windowed, a block that somebody dragged out of the window is told of like one that was removed
    /// (microsoft.md §7, "moved out of it"). Made anew, there would be two of it as soon as the window came to the first:
    /// so each is looked at by itself before it is taken for gone.
    async fn look_for_moved(
        &self,
        lease: &Lease,
        calendar: &Calendar,
        reading: &mut Reading,
        delta: &MirrorDelta,
        account: &dyn ProviderAccount,
    ) -> Result<Looked, EngineError> {
        if account.capabilities().listing == Listing::Unbounded {
            return Ok(Looked::AsTold);
        }
        let covered = reading.cursor.as_ref().map_or(self.window(), |cursor| cursor.covers);
        let outside = |block: &RemoteEvent| {
            let span = block.event.when.as_ref().map(When::span);
            span.is_some_and(|span| !span.touches(&covered, &TimeZone::UTC))
        };
        let mut looked = Looked::AsTold;
        for id in delta.blocks_gone.iter().take(LOOKS_MAX) {
            match account.get_block(&calendar.remote.calendar, id).await? {
                Standing::Present(block) if outside(&block) => {
                    reading.items.push(RemoteItem::Present(block));
                    looked = Looked::Found;
                }
                // Changes may be told late, and again (microsoft.md §7): a whole listing knows better.
                Standing::Present(_) if reading.listed == Listed::Changes => return Ok(Looked::Contradicted),
                // Not shown by a whole listing, it stands in another calendar now: from this one it is gone.
                Standing::Present(_) | Standing::Deleted | Standing::Nothing => {}
            }
            self.keep_lease(lease).await?;
        }
        Ok(looked)
    }

    /// The time that is kept in step now.
    pub fn window(&self) -> Window {
        Window::sliding(self.clock.now(), self.config.window_past_days, self.config.window_future_days)
    }

    async fn read(
        &self,
        lease: &Lease,
        work: &PullWork<'_>,
        account: &dyn ProviderAccount,
    ) -> Result<Reading, EngineError> {
        let cursor = match &work.calendar.cursor {
            Some(cursor) if !work.full && self.reaches(account, cursor) => cursor,
            _ => return self.read_everything(lease, work.calendar, account).await,
        };
        match self.read_pages(lease, work.calendar, ListFrom::Cursor(cursor), account).await {
            // The provider no longer knows where we were: list everything and compare. Nothing is wiped (spec §5).
            Err(EngineError::Provider(e)) if e.class == ErrorClass::CursorExpired => {
                let reading = self.read_everything(lease, work.calendar, account).await?;
                Ok(Reading { seen: CursorSeen::Refused, ..reading })
            }
            other => other,
        }
    }

    /// Whether readings with this cursor still cover the window in force: where listings are windowed it slides out of what
    /// they cover, and then only a new one will do.
    fn reaches(&self, account: &dyn ProviderAccount, cursor: &Cursor) -> bool {
        let window = self.window();
        account.capabilities().listing == Listing::Unbounded
            || window.intersect(cursor.covers) == Some(window)
    }

    async fn read_everything(
        &self,
        lease: &Lease,
        calendar: &Calendar,
        account: &dyn ProviderAccount,
    ) -> Result<Reading, EngineError> {
        self.read_pages(lease, calendar, ListFrom::Start(self.window()), account).await
    }

    async fn read_pages(
        &self,
        lease: &Lease,
        calendar: &Calendar,
        from: ListFrom<'_>,
        account: &dyn ProviderAccount,
    ) -> Result<Reading, EngineError> {
        let began_at = self.clock.now();
        let covered = match account.capabilities().listing {
            Listing::Unbounded => Window::ALL,
            Listing::Windowed => self.window(),
        };
        let listed = match from {
            ListFrom::Start(_) => Listed::Everything(covered),
            ListFrom::Cursor(_) => Listed::Changes,
        };
        let mut reading = Reading {
            items: Vec::new(),
            listed,
            cursor: None,
            time_zone: None,
            began_at,
            seen: CursorSeen::Kept,
        };
        let mut page: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let request = ListRequest { calendar: &calendar.remote.calendar, from, page: page.as_deref() };
            let answer = account.list_changes(request).await?;
            reading.items.extend(answer.items);
            reading.time_zone = answer.time_zone.or(reading.time_zone);
            match answer.next {
                NextPage::Done(cursor) => {
                    reading.cursor = cursor;
                    return Ok(reading);
                }
                NextPage::Page(next) if Some(&next) == page.as_ref() => break,
                NextPage::Page(next) => page = Some(next),
            }
            self.keep_lease(lease).await?;
        }
        Err(ProviderError::new(
            ErrorClass::Invalid,
            format!("the listing did not end after {PAGES_MAX} pages"),
        )
        .into())
    }

    /// Prolongs the lease: a long piece of work must not look dead. The token stays the same.
    pub(crate) async fn keep_lease(&self, lease: &Lease) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.store.renew_lease(lease, now.plus(self.config.lease)).await?;
        Ok(())
    }
}

/// Whether a full listing makes much of what we know disappear: all of it, or more than the brake lets go at once.
fn loses_much(mirror: &Mirror, reading: &Reading, delta: &MirrorDelta) -> bool {
    let known = mirror.events.len() + mirror.blocks.len();
    let lost = delta.gone.len() + delta.blocks_gone.len();
    let everything = matches!(reading.listed, Listed::Everything(_));
    everything
        && known > 0
        && (reading.items.is_empty() || lost > DELETIONS_FREE.max(known * DELETIONS_PERCENT / 100))
}

/// Whether a series of which several occurrences are known has none any more, though nobody told that it was removed.
fn empties_a_series(mirror: &Mirror, reading: &Reading, delta: &MirrorDelta) -> bool {
    let told = reading.items.iter().filter_map(|item| match item {
        RemoteItem::Gone { id } => Some(id),
        RemoteItem::Present(_) | RemoteItem::Enumerated { .. } => None,
    });
    let told: BTreeSet<&EventId> = told.collect();
    let lost = |master: &EventId| {
        let of_series =
            |event: &Event| matches!(&event.series, Series::Occurrence { master: its } if its == master);
        let untold = delta.gone.iter().filter(|id| !told.contains(id));
        untold.filter(|id| mirror.events.get(*id).is_some_and(of_series)).count()
    };
    reading.items.iter().any(|item| match item {
        RemoteItem::Enumerated { master, shown, .. } => {
            shown.is_empty() && lost(master) > 1 && !told.contains(master)
        }
        RemoteItem::Present(_) | RemoteItem::Gone { .. } => false,
    })
}

/// Changes to events since the last reading. A full listing also shows what the window only came to, or what is only kept
/// from now on: then an event counts if its provider says that it is another version, or where all of time is listed. What
/// is merely over is forgotten when all is listed: nobody changed it, and no channel had anything to tell.
fn changes(
    work: &PullWork<'_>,
    mirror: &Mirror,
    reading: &Reading,
    delta: &MirrorDelta,
    forget_before: Ts,
) -> u32 {
    let known_before = work.calendar.cursor.is_some() && work.calendar.last_full_sync.is_some();
    let moved_on = |event: &&Event| {
        let known = mirror.events.get(&event.id);
        known.is_some_and(|known| known.version.is_none() || known.version != event.version)
    };
    let mattered = |id: &&EventId| mirror.events.get(*id).is_none_or(|event| !is_over(event, forget_before));
    let found = match reading.listed {
        Listed::Changes => delta.created.len() + delta.updated.len() + delta.gone.len(),
        Listed::Everything(_) if !known_before || work.calendar.full_due => 0,
        Listed::Everything(Window::ALL) => {
            let gone = delta.gone.iter().filter(mattered).count();
            delta.created.len() + gone + delta.updated.iter().filter(moved_on).count()
        }
        Listed::Everything(_) => delta.updated.iter().filter(moved_on).count(),
    };
    u32::try_from(found).unwrap_or(u32::MAX)
}

/// When what changed was changed. What a first reading shows, or one for other texts, has waited for nobody.
fn origins(work: &PullWork<'_>, reading: &Reading, delta: &MirrorDelta) -> Origins {
    let known_before = work.calendar.last_full_sync.is_some() && !work.calendar.full_due;
    let look = freshness::Look {
        began_at: reading.began_at,
        since: work.calendar.last_synced_at.filter(|_| known_before),
        listed: reading.listed,
        told: work.told,
    };
    Origins::of(delta, &look)
}

fn counts(reading: &Reading, delta: &MirrorDelta) -> RunCounts {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    RunCounts {
        events_seen: count(reading.items.len()),
        events_created: count(delta.created.len()),
        events_updated: count(delta.updated.len()),
        events_deleted: count(delta.gone.len()),
        ..RunCounts::default()
    }
}

/// Blocks as the listing showed them, whether that is new or not: each may prove what we wrote. An event is no block of ours, and
/// is left out; of what is told to be gone, nobody says what it was.
fn shown(reading: &Reading, delta: &MirrorDelta) -> Vec<Shown> {
    let ours: BTreeSet<&EventId> = delta.blocks.iter().map(|block| &block.id).collect();
    let one = |item: &RemoteItem| match item {
        RemoteItem::Present(remote) => {
            let is_block = ours.contains(&remote.event.id) || remote.is_block();
            let observed = remote.as_block().filter(|_| is_block)?;
            Some(Shown { block: observed.id, fingerprint: Some(observed.fingerprint) })
        }
        RemoteItem::Gone { id, .. } => Some(Shown { block: id.clone(), fingerprint: None }),
        RemoteItem::Enumerated { .. } => None,
    };
    // Each block once: what is told last is true.
    let latest: BTreeMap<EventId, Shown> =
        reading.items.iter().filter_map(one).map(|shown| (shown.block.clone(), shown)).collect();
    latest.into_values().collect()
}

/// What the store is to take over. The calendars that need a new plan: its targets when its events changed, itself when
/// anything in it did (a block was touched, or a meeting now stands there by itself), all of them after a full listing.
fn apply(work: &PullWork<'_>, reading: Reading, delta: MirrorDelta, now: Ts) -> PullApply {
    let full =
        matches!(reading.listed, Listed::Everything(_)).then_some(FullListing { began_at: reading.began_at });
    let events_changed = !(delta.created.is_empty() && delta.updated.is_empty() && delta.gone.is_empty());
    let zone_changed = reading.time_zone.as_deref().is_some_and(|z| z != work.calendar.time_zone);
    let mut targets = Vec::new();
    if events_changed || zone_changed || full.is_some() {
        targets.extend_from_slice(work.targets);
    }
    if !delta.is_empty() || full.is_some() {
        targets.push(work.calendar.id);
    }
    let shown = shown(&reading, &delta);
    PullApply {
        calendar: work.calendar.id,
        events: delta.created.into_iter().chain(delta.updated).collect(),
        events_gone: delta.gone,
        blocks: delta.blocks,
        blocks_gone: delta.blocks_gone,
        shown,
        cursor: reading.cursor,
        full,
        cursor_losses: None,
        time_zone: reading.time_zone,
        targets,
        at: now,
    }
}

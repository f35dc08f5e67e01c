//! What people were told of a database that is away, by whoever could not ask it: kept in a file beside the data, so that neither a
//! restart nor the next run of a command says it again, and handed over to the database as soon as it answers. From then on
//! it is an alert like any other: the fleet says that it is over. One way for the watch and for `webhook-health-check`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use calsync_core::alert::{
    Alert, AlertKind, AlertLevel, Delivery, DeliveryState, Group, Rules, Telling, Told, tell,
};
use calsync_core::ids::DeliveryId;
use calsync_core::ports::{IdGen, Store, StoreError};
use calsync_core::time::Ts;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::messages::Teller;
use crate::alerting::Channels;
use crate::system::SystemRandom;

/// Which kind it is about.
const KIND: AlertKind = AlertKind::DatabaseDown;
/// Messages that are remembered at most.
const MESSAGES_MAX: usize = 256;
/// The file is smaller than this, or it is not ours.
const FILE_MAX: u64 = 4 << 20;

/// What was said, and what of it is on its way.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Word {
    telling: Option<Telling>,
    on_their_way: Vec<Delivery>,
    /// The database does not know of it yet.
    untold: bool,
}

impl Word {
    /// Where it is kept.
    pub(crate) fn file(directory: &Path) -> PathBuf {
        directory.join("calendar-sync.outage.json")
    }

    /// As it was kept; nothing, where there is nothing that can be read. Waits for the disk.
    pub(crate) fn load(file: &Path) -> Word {
        let small = std::fs::metadata(file).is_ok_and(|about| about.is_file() && about.len() < FILE_MAX);
        let kept = if small { std::fs::read(file).ok() } else { None };
        kept.and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default()
    }

    /// Keeps it; nothing is kept of what the database knows. Waits for the disk.
    pub(crate) fn keep(&self, file: &Path) -> std::io::Result<()> {
        if !self.untold {
            return match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        // Beside it first: what is broken off must not spoil what was kept. Only its owner reads it.
        let directory = file.parent().unwrap_or_else(|| Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(directory)?;
        new.write_all(&serde_json::to_vec(self)?)?;
        new.persist(file)?;
        Ok(())
    }

    /// Whether the database does not know of it yet.
    pub(crate) fn is_untold(&self) -> bool {
        self.untold
    }

    /// Says what is to be said of it now: that it is so, or (`None`) that it is over. Whether anything has changed.
    pub(crate) fn say(
        &mut self,
        group: Option<&Group>,
        channels: &Channels,
        reminder: SignedDuration,
        now: Ts,
    ) -> bool {
        let ids = SystemRandom;
        // Silences are in the database. What is critical is told.
        let rules = Rules { floor: AlertLevel::Warning, reminder, silent: false };
        let fresh = (ids.uuid(now), ids.uuid(now));
        let said = tell(KIND.as_str(), group, self.telling.as_ref(), rules, fresh, now);
        let Some((telling, message)) = said else { return false };
        self.telling = Some(telling);
        self.untold = true;
        if let Some(message) = message {
            let takes = channels.all().iter().filter(|named| named.takes(message.level));
            let new =
                takes.map(|named| Delivery::new(DeliveryId(ids.uuid(now)), named.name(), message.clone()));
            self.on_their_way.extend(new);
            self.on_their_way.truncate(MESSAGES_MAX);
        }
        true
    }

    /// Tries what is due of it. Those that were tried, as they are now.
    pub(crate) async fn send(&mut self, teller: &Teller<'_>) -> Vec<Delivery> {
        let now = teller.clock.now();
        let all = std::mem::take(&mut self.on_their_way);
        let (due, rest): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|delivery| delivery.next_try_at.is_some_and(|at| at <= now));
        let trying = due.into_iter().map(|delivery| teller.attempt(delivery));
        let tried = futures_util::future::join_all(trying).await;
        let pending = tried.iter().filter(|delivery| delivery.state == DeliveryState::Pending);
        self.on_their_way = rest.into_iter().chain(pending.cloned()).collect();
        tried
    }

    /// The database answers: it is told what was said and what is on its way, and who asks it later what happened; else it is asked
    /// what was said last. Repeated after an answer that was lost, it does nothing twice.
    pub(crate) async fn hand_over(
        &mut self,
        store: &dyn Store,
        channels: &Channels,
        reminder: SignedDuration,
        now: Ts,
    ) -> Result<(), StoreError> {
        let known = store.tellings().await?.into_iter().find(|told| told.kind == KIND.as_str());
        let Some(ours) = self.telling.clone().filter(|_| self.untold) else {
            self.telling = known.map(|told| told.telling);
            return Ok(());
        };
        let (version, theirs) = known.map_or((0, None), |told| (told.version, Some(told.telling)));
        let other = theirs.as_ref().is_some_and(|theirs| theirs.open && theirs.thread != ours.thread);
        if other {
            // Two told it. That one has its end from the fleet, and this one from us.
            self.say(None, channels, reminder, now);
            self.untold =
                !self.on_their_way.is_empty() || self.telling.as_ref().is_some_and(|ours| ours.open);
            return Ok(());
        }
        let has_ours =
            theirs.is_some_and(|theirs| theirs.thread == ours.thread && theirs.told_at >= ours.told_at);
        let deliveries = if has_ours { &[][..] } else { &self.on_their_way[..] };
        if ours.open {
            let action = "Nothing is to be done: it answers again.".to_owned();
            let seen = Alert::seen(KIND, "", ours.message.clone(), action, ours.first_seen);
            store.open_alert(&Alert { last_seen: now, ..seen }).await?;
        }
        let told = Told { kind: KIND.as_str().to_owned(), version, telling: ours };
        if store.tell(&told, deliveries).await? {
            self.untold = false;
            self.on_their_way.clear();
        }
        store.resolve_alert(KIND.as_str(), "", now).await.map(drop)
    }
}

#[cfg(test)]
mod tests;

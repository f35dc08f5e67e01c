//! People are told: what is open of each kind, against what they were told of it, becomes messages on every way that takes them.

use calsync_core::alert::{
    AlertKind, AlertLevel, AlertMessage, Delivery, Rules, SILENCES_MAX, Silence, Told, is_silent, tell,
};
use calsync_core::health::Level;
use calsync_core::ids::DeliveryId;
use calsync_core::ports::StoreError;
use calsync_core::time::Ts;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::{Engine, EngineError};

/// Silences, among the settings.
const SILENCES: &str = "alert_silences";
/// Tries at changing silences that somebody else changes at the same moment.
const TRIES: u32 = 10;

/// A way out for messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    /// Its name.
    pub name: String,
    /// It takes nothing quieter.
    pub from: AlertLevel,
}

/// How many messages are on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reached {
    /// Things that were said.
    pub said: u32,
    /// Messages about them.
    pub messages: u32,
}

impl Engine {
    /// Says what is to be said now. It is on its way when this returns; `deliveries_due` hands it out.
    pub async fn tell_people(&self, ways: &[Way], reminder: SignedDuration) -> Result<Reached, EngineError> {
        let now = self.clock.now();
        let groups = self.store.alert_groups().await?;
        let told = self.store.tellings().await?;
        let silences = self.silences().await?;
        let well = self.watch_state().await?.level.level == Level::Healthy;
        let mut kinds: Vec<&str> = groups.iter().map(|group| group.kind.as_str()).collect();
        kinds.extend(told.iter().filter(|told| told.telling.open).map(|told| told.kind.as_str()));
        kinds.sort_unstable();
        kinds.dedup();
        let mut reached = Reached::default();
        for kind in kinds {
            let group = groups.iter().find(|group| group.kind == kind);
            let known = told.iter().find(|told| told.kind == kind);
            // Warnings are worth a message only when not all is well (spec §8), or while it still is.
            let loud = well && !AlertKind::parse(kind).is_some_and(AlertKind::foretells);
            let floor = if loud { AlertLevel::Error } else { AlertLevel::Warning };
            let rules = Rules { floor, reminder, silent: is_silent(&silences, kind, now) };
            let ids = (self.ids.uuid(now), self.ids.uuid(now));
            let Some((telling, message)) =
                tell(kind, group, known.map(|told| &told.telling), rules, ids, now)
            else {
                continue;
            };
            let version = known.map_or(0, |told| told.version);
            let deliveries = message.map(|message| self.deliveries(ways, &message, now)).unwrap_or_default();
            let told = Told { kind: kind.to_owned(), version, telling };
            if self.store.tell(&told, &deliveries).await? && !deliveries.is_empty() {
                reached.said += 1;
                reached.messages += u32::try_from(deliveries.len()).unwrap_or(u32::MAX);
            }
        }
        Ok(reached)
    }

    fn deliveries(&self, ways: &[Way], message: &AlertMessage, now: Ts) -> Vec<Delivery> {
        let takes = |way: &&Way| message.level >= way.from;
        let new = |way: &Way| Delivery::new(DeliveryId(self.ids.uuid(now)), &way.name, message.clone());
        ways.iter().filter(takes).map(new).collect()
    }

    /// The silences that are or will be in force.
    pub async fn silences(&self) -> Result<Vec<Silence>, StoreError> {
        let kept = self.store.setting(SILENCES).await?;
        let now = self.clock.now();
        // What nobody can read silences nobody.
        let all: Vec<Silence> = kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default();
        Ok(all.into_iter().filter(|silence| silence.until > now).collect())
    }

    /// Adds a silence.
    pub async fn silence(
        &self,
        kind: Option<&str>,
        lasts: SignedDuration,
        who: &str,
        why: &str,
    ) -> Result<Silence, EngineError> {
        let now = self.clock.now();
        let (kind, who, why) = (kind.map(str::to_owned), who.to_owned(), why.to_owned());
        let silence = Silence { id: self.ids.uuid(now), kind, from: now, until: now.plus(lasts), who, why };
        self.change_silences(|all| all.push(silence.clone())).await?;
        let of = silence.kind.as_deref().unwrap_or("all kinds");
        let words = format!("alerts: silence of {of} until {}: {}", silence.until, silence.why);
        self.store.audit(&silence.who, &words, now).await?;
        Ok(silence)
    }

    /// Ends a silence before its time; whether there was one.
    pub async fn end_silence(&self, id: Uuid, who: &str) -> Result<bool, EngineError> {
        let mut there = false;
        let was = self.silences().await?.len();
        self.change_silences(|all| all.retain(|silence| silence.id != id)).await?;
        if self.silences().await?.len() < was {
            there = true;
            self.store.audit(who, &format!("alerts: silence {id} ended"), self.clock.now()).await?;
        }
        Ok(there)
    }

    async fn change_silences(&self, change: impl Fn(&mut Vec<Silence>)) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let old = self.store.setting(SILENCES).await?;
            let mut all = self.silences().await?;
            change(&mut all);
            if all.len() > SILENCES_MAX {
                return Err(StoreError::Conflict(format!("there are {SILENCES_MAX} silences already")));
            }
            if self.store.change_setting(SILENCES, old.as_ref(), &serde_json::json!(all)).await? {
                return Ok(());
            }
        }
        Err(StoreError::Contended("the silences are being changed by somebody else".to_owned()))
    }
}

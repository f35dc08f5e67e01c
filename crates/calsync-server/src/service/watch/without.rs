//! Without the database nobody can agree on who tells what: the instance that had the watch tells at once, any other one after
//! a while, and of these the first that Redis lets, where there is one. What is told is remembered here until it is over.

use std::time::Duration;

use calsync_core::alert::{
    Alert, AlertKind, AlertLevel, Delivery, DeliveryState, Group, Rules, Telling, tell,
};
use calsync_core::health::{Figures, assess};
use calsync_core::ids::DeliveryId;
use calsync_core::ports::{IdGen, StoreError};
use calsync_core::time::Ts;
use tokio::time::Instant;

use super::messages::attempt;
use crate::redis::PREFIX;
use crate::service::Service;
use crate::system::SystemRandom;

/// A moment's silence is no outage.
const TOLD_AFTER: Duration = Duration::from_secs(10);
/// Whoever did not have the watch leaves it to the one who had, for so long.
const OTHERS_AFTER: Duration = Duration::from_secs(40);
/// How long the word holds that one instance is telling people, unless it repeats it: then another may.
const CLAIM_SECONDS: u64 = 60;
/// Messages that are remembered at most.
const MESSAGES_MAX: usize = 256;

/// What is remembered of an outage.
#[derive(Default)]
pub(super) struct Without {
    since: Option<(Instant, Ts)>,
    /// Whether it is ours to tell.
    ours: bool,
    had_the_watch: bool,
    telling: Option<Telling>,
    group: Option<Group>,
    on_their_way: Vec<Delivery>,
}

impl Without {
    /// It does not answer.
    pub(super) async fn look(&mut self, service: &Service, figures: &Figures, had_the_watch: bool) {
        let now = service.clock.now();
        let (since, seen_at) = *self.since.get_or_insert((Instant::now(), now));
        self.had_the_watch |= had_the_watch;
        let patience = if self.had_the_watch { TOLD_AFTER } else { OTHERS_AFTER };
        if since.elapsed() < patience {
            return;
        }
        if self.ours || self.had_the_watch {
            // It tells in any case. The others must know that they need not.
            say_claimed(service).await;
            self.ours = true;
        } else {
            self.ours = claimed(service).await;
        }
        let report = assess(figures);
        let down = report.conditions.into_iter().find(|condition| condition.kind == AlertKind::DatabaseDown);
        if let Some(down) = down.filter(|_| self.ours) {
            let group = Group {
                kind: down.kind.as_str().to_owned(),
                count: 1,
                level: down.level,
                first_seen: seen_at,
                subject: String::new(),
                message: down.message,
                action: down.action,
            };
            self.group = Some(group);
            self.say(service, now);
        }
        self.send(service).await;
    }

    /// It answers. What was said has its end, and what happened is written down.
    pub(super) async fn over(&mut self, service: &Service) {
        if let Some((since, at)) = self.since.take() {
            let seconds = since.elapsed().as_secs();
            tracing::warn!(seconds, "the database answers again");
            if let Some(group) = self.group.take()
                && let Err(error) = write_down(service, &group, at).await
            {
                tracing::debug!(%error, "an outage could not be written down");
            }
            (self.ours, self.had_the_watch) = (false, false);
        }
        if self.telling.as_ref().is_some_and(|telling| telling.open) {
            self.say(service, service.clock.now());
        }
        self.send(service).await;
    }

    fn say(&mut self, service: &Service, now: Ts) {
        let ids = SystemRandom;
        // Silences are in the database. What is critical is told.
        let rules =
            Rules { floor: AlertLevel::Warning, reminder: service.settings.alerts.reminder, silent: false };
        let fresh = (ids.uuid(now), ids.uuid(now));
        let kind = AlertKind::DatabaseDown.as_str();
        let Some((telling, message)) =
            tell(kind, self.group.as_ref(), self.telling.as_ref(), rules, fresh, now)
        else {
            return;
        };
        self.telling = Some(telling);
        let Some(message) = message else { return };
        let takes = service.channels.all().iter().filter(|named| named.takes(message.level));
        let new = takes.map(|named| Delivery::new(DeliveryId(ids.uuid(now)), named.name(), message.clone()));
        self.on_their_way.extend(new);
        self.on_their_way.truncate(MESSAGES_MAX);
    }

    async fn send(&mut self, service: &Service) {
        let now = service.clock.now();
        let all = std::mem::take(&mut self.on_their_way);
        let tried = all.into_iter().map(|delivery| async move {
            let due = delivery.next_try_at.is_some_and(|at| at <= now);
            if due { attempt(service, delivery).await } else { delivery }
        });
        let tried = futures_util::future::join_all(tried).await;
        self.on_their_way = tried.into_iter().filter(|d| d.state == DeliveryState::Pending).collect();
    }
}

/// Whether Redis lets us be the one who tells; without Redis, rather twice than never.
async fn claimed(service: &Service) -> bool {
    let Some(redis) = &service.redis else { return true };
    let mut command = claim(service);
    command.arg("NX");
    redis.ask::<Option<String>>(&command).await.map_or(true, |set| set.is_some())
}

/// This instance tells, whoever said so before.
async fn say_claimed(service: &Service) {
    if let Some(redis) = &service.redis
        && let Err(error) = redis.ask::<Option<String>>(&claim(service)).await
    {
        tracing::debug!(%error, "the others could not be told that this instance tells people");
    }
}

fn claim(service: &Service) -> ::redis::Cmd {
    let mut command = ::redis::cmd("SET");
    command.arg(format!("{PREFIX}:telling:database_down")).arg(&service.owner).arg("EX").arg(CLAIM_SECONDS);
    command
}

/// For whoever looks at the alerts later.
async fn write_down(service: &Service, group: &Group, since: Ts) -> Result<(), StoreError> {
    let now = service.clock.now();
    let (message, action) = (group.message.clone(), group.action.clone());
    let seen = Alert::seen(AlertKind::DatabaseDown, "", message, action, since);
    service.store.open_alert(&Alert { last_seen: now, ..seen }).await?;
    service.store.resolve_alert(&group.kind, "", now).await.map(drop)
}

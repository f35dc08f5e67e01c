//! Without the database nobody can agree on who tells what: the instance that had the watch tells at once, any other one after
//! a while, and of these the first that Redis lets, where there is one. What is told is a `Word`.

use std::path::PathBuf;
use std::time::Duration;

use calsync_core::alert::{AlertKind, Group};
use calsync_core::health::{Figures, assess};
use tokio::time::{Instant, timeout};

use super::messages::Teller;
use super::spell::{Spell, TOLD_AFTER};
use super::step;
use super::word::Word;
use crate::redis::PREFIX;
use crate::service::{Service, data_directory};

/// Whoever did not have the watch leaves it to the one who had, for so long.
const OTHERS_AFTER: Duration = Duration::from_secs(40);
/// How long the word holds that one instance is telling people, unless it repeats it: then another may.
const CLAIM_SECONDS: u64 = 60;
/// A disk that takes longer to keep the word keeps it by itself, or not.
const KEPT_WITHIN: Duration = Duration::from_secs(2);

/// What is remembered of an outage.
pub(super) struct Without {
    spell: Spell,
    /// Whether it is ours to tell.
    ours: bool,
    had_the_watch: bool,
    word: Word,
    file: PathBuf,
}

impl Without {
    /// As the process before this one left it.
    pub(super) async fn new(service: &Service) -> Without {
        let file = Word::file(&data_directory(&service.settings));
        let from = file.clone();
        let loading = tokio::task::spawn_blocking(move || Word::load(&from));
        let word = timeout(KEPT_WITHIN, loading).await.ok().and_then(Result::ok).unwrap_or_default();
        Without { spell: Spell::default(), ours: false, had_the_watch: false, word, file }
    }

    /// It does not answer.
    pub(super) async fn look(&mut self, service: &Service, figures: &Figures, had_the_watch: bool) {
        let now = service.clock.now();
        self.had_the_watch |= had_the_watch;
        let patience = if self.had_the_watch { TOLD_AFTER } else { OTHERS_AFTER };
        let Some(seen_at) = self.spell.bad(Instant::now(), now, patience) else { return };
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
            let reminder = service.settings.alerts.reminder;
            if self.word.say(Some(&group), &service.channels, reminder, now) {
                self.keep().await;
            }
        }
        self.word.send(&Teller::of(service)).await;
    }

    /// It answers. What was said is handed over.
    pub(super) async fn over(&mut self, service: &Service) {
        if let Some(lasted) = self.spell.good(Instant::now()) {
            tracing::warn!(seconds = lasted.as_secs(), "the database answers again");
        }
        if self.spell.is_over() {
            (self.ours, self.had_the_watch) = (false, false);
        }
        let was_untold = self.word.is_untold();
        let (reminder, now) = (service.settings.alerts.reminder, service.clock.now());
        let handing = self.word.hand_over(service.store.as_ref(), &service.channels, reminder, now);
        // What broke was told where it broke, and is tried again at the next look.
        let _ = step("the word of an outage", handing).await;
        self.word.send(&Teller::of(service)).await;
        if was_untold {
            self.keep().await;
        }
    }

    async fn keep(&self) {
        let (word, file) = (self.word.clone(), self.file.clone());
        let keeping = tokio::task::spawn_blocking(move || word.keep(&file));
        match timeout(KEPT_WITHIN, keeping).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::debug!(%error, "what was told of an outage could not be kept"),
            _ => tracing::debug!("what was told of an outage could not be kept in time"),
        }
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

//! Receipts share their commits: a task takes whatever waits, stores it in one transaction, and answers every waiter
//! after the commit. Nobody is made to wait for a batch to fill: a batch is what arrived while the one before was being
//! written. Never answers before the commit, and never lets one bad row fail its neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use calsync_core::ids::{CalendarId, NotificationId, SubscriptionId};
use calsync_core::notification::Wants;
use calsync_core::ports::{NewNotification, Recorded, StoreError};
use calsync_core::time::Ts;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::calendars::RAISE;
use super::db::{Bulk, Db, Held, Tx};
use super::notifications;
use super::pg::{Bell, Receiver};
use super::value::{Row, Val, vals};
use crate::tally::{Finished, Tallies, minute};

/// Receipts that may wait at once. Beyond it the provider is told to come back: it does.
const QUEUE: usize = 8_192;
/// Receipts in one transaction at most.
const BATCH: usize = 512;
/// Transactions under way at once, at a server.
const AT_ONCE: usize = 2;

type Answer = Result<Recorded, StoreError>;

/// A receipt and whoever waits for it.
struct Waiting {
    new: NewNotification,
    answer: oneshot::Sender<Answer>,
}

/// The queue before the task that writes.
pub(super) struct Receipts {
    /// Taken away by `close`.
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Receipts {
    pub(super) fn start(db: Arc<Db>, bell: Option<Arc<Bell>>) -> Receipts {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let tasks = Writer::several(&db)
            .into_iter()
            .map(|writer| tokio::spawn(serve(writer, bell.clone(), waiting.clone())));
        Receipts { queue: Mutex::new(Some(queue)), tasks: Mutex::new(tasks.collect()) }
    }

    /// Stores a receipt; answers when it is durable.
    pub(super) async fn record(&self, new: NewNotification) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.put(Waiting { new, answer })?;
        // The task is gone without an answer only if it died: nothing is known to be stored.
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    fn put(&self, waiting: Waiting) -> Result<(), StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or_else(closed)?;
        queue.try_send(waiting).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => StoreError::Unavailable(
                "more notifications arrive than can be stored: send it again later".to_owned(),
            ),
            mpsc::error::TrySendError::Closed(_) => closed(),
        })
    }

    /// Takes nothing more, and stores what it has taken.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task that stores notifications died");
            }
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it was closed".to_owned())
}

/// Takes what waits and stores it, in turn with the other tasks.
async fn serve(
    mut writer: Writer,
    bell: Option<Arc<Bell>>,
    queue: Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting>>>,
) {
    let mut taken = Vec::with_capacity(BATCH);
    while queue.lock().await.recv_many(&mut taken, BATCH).await > 0 {
        let (news, waiters): (Vec<_>, Vec<_>) = taken.drain(..).map(|w| (w.new, w.answer)).unzip();
        let answers = store(&mut writer, &news).await;
        let is_work = |(new, answer): (_, &Answer)| wants_sync(new) && *answer == Ok(Recorded::New);
        if let Some(bell) = bell.as_ref().filter(|_| news.iter().zip(&answers).any(is_work)) {
            bell.ring();
        }
        for (waiter, answer) in waiters.into_iter().zip(answers) {
            // Whoever no longer waits needs no answer.
            let _ = waiter.send(answer);
        }
    }
}

/// How a batch is written.
enum Writer {
    /// By one statement, which is one round trip.
    AtOnce(Receiver),
    /// By one transaction of several statements, where the database is not a round trip away.
    InSteps(Arc<Db>),
}

impl Writer {
    /// As many as the database has use for: while one waits for a server's disk, another makes up the next batch. SQLite
    /// lets only one write.
    fn several(db: &Arc<Db>) -> Vec<Writer> {
        let receivers: Vec<Writer> = (0..AT_ONCE).map_while(|_| db.receiver().map(Writer::AtOnce)).collect();
        if receivers.is_empty() { vec![Writer::InSteps(db.clone())] } else { receivers }
    }

    /// All of them, durably, or none.
    async fn commit(&mut self, news: &[NewNotification]) -> Result<Vec<Recorded>, StoreError> {
        match self {
            Writer::AtOnce(receiver) => told_apart(news, receiver.store(news).await?),
            Writer::InSteps(db) => commit(db, news).await,
        }
    }
}

/// Tries at a batch that other transactions stood in the way of.
const TRIES: u32 = 5;

/// Stores all, halving a batch that is refused until the bad rows stand alone.
async fn store(writer: &mut Writer, news: &[NewNotification]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = news.iter().map(|_| Err(closed())).collect();
    let mut open: Vec<Range<usize>> = std::iter::once(0..news.len()).collect();
    let mut tries = TRIES;
    while let Some(range) = open.pop() {
        match writer.commit(&news[range.clone()]).await {
            Ok(recorded) => {
                answers[range].iter_mut().zip(recorded).for_each(|(answer, recorded)| *answer = Ok(recorded));
            }
            // The database itself: every smaller batch would fail alike, and take its time over it.
            Err(StoreError::Unavailable(words)) => {
                answers[range].fill(Err(StoreError::Unavailable(words)));
            }
            Err(StoreError::Contended(_)) if tries > 1 => {
                tries -= 1;
                open.push(range);
            }
            Err(_) if range.len() > 1 => {
                let middle = range.start + range.len() / 2;
                // The older half first: of two equal receipts the first is the new one.
                open.push(middle..range.end);
                open.push(range.start..middle);
            }
            Err(error) => answers[range].fill(Err(error)),
        }
    }
    answers
}

const INSERT: &str = "INSERT INTO webhook_notifications \
    (id, subscription_id, notification_id, received_at, headers, payload, processing_status, \
    processing_completed_at, processing_time_ms)";
const STORE: Bulk = Bulk { before: INSERT, after: "ON CONFLICT DO NOTHING" };
/// Tells the new from the duplicates.
const SORT: Bulk = Bulk { before: INSERT, after: "ON CONFLICT DO NOTHING RETURNING id" };
/// A failure is over when something is delivered. What asks for a sync marks its subscription when it is taken up: many
/// may be taken up at once.
pub(super) const MARK: Bulk = Bulk {
    before: "UPDATE webhook_subscriptions SET failure_count = 0, last_notification_at = v.column2 FROM (",
    after: ") AS v WHERE webhook_subscriptions.id = v.column1 \
            AND (last_notification_at IS NULL OR last_notification_at < v.column2)",
};

async fn commit(db: &Db, news: &[NewNotification]) -> Result<Vec<Recorded>, StoreError> {
    let mut tx = db.begin().await?;
    let stored = tx.bulk(&STORE, rows(news)?).await?;
    if stored == news.len() as u64 {
        raise(&mut tx, news.iter()).await?;
        tx.commit().await?;
        return Ok(vec![Recorded::New; news.len()]);
    }
    // Some were there already. Which they are is asked only then: it costs as much as storing them.
    drop(tx);
    sort(db, news).await
}

/// Which of them are among the stored. Taken out as they are met: the same id twice in a batch was stored once.
fn told_apart(news: &[NewNotification], stored: Vec<Row>) -> Result<Vec<Recorded>, StoreError> {
    let stored = stored.into_iter().map(|mut row| row.id());
    let mut stored = stored.collect::<Result<BTreeSet<NotificationId>, StoreError>>()?;
    Ok(news.iter().map(|n| if stored.remove(&n.id) { Recorded::New } else { Recorded::Duplicate }).collect())
}

async fn sort(db: &Db, news: &[NewNotification]) -> Result<Vec<Recorded>, StoreError> {
    let mut tx = db.begin().await?;
    let recorded = told_apart(news, tx.bulk_returning(&SORT, rows(news)?).await?)?;
    let fresh = news.iter().zip(&recorded).filter(|(_, r)| **r == Recorded::New).map(|(n, _)| n);
    if fresh.clone().next().is_some() {
        raise(&mut tx, fresh).await?;
        tx.commit().await?;
    }
    Ok(recorded)
}

async fn raise<'a>(
    tx: &mut Tx,
    fresh: impl Iterator<Item = &'a NewNotification> + Clone,
) -> Result<(), StoreError> {
    let confirmations = fresh.clone().filter(|n| !wants_sync(n));
    mark(tx, confirmations.map(|n| (n.subscription, n.received_at))).await?;
    tx.bulk(&RAISE, raises(fresh.clone())).await?;
    let Some(first) = fresh.clone().next() else { return Ok(()) };
    notifications::add(tx, notifications::part(first.id), &tallies(fresh)).await
}

fn tallies<'a>(fresh: impl Iterator<Item = &'a NewNotification>) -> Tallies {
    let mut tallies = Tallies::new();
    for new in fresh {
        let finished = if wants_sync(new) { Finished::Later } else { Finished::AtOnce };
        tallies.entry(minute(new.received_at)).or_default().received(finished);
    }
    tallies
}

/// Whether somebody has to look at its calendar.
pub(super) fn wants_sync(new: &NewNotification) -> bool {
    new.wants == Wants::Sync
}

fn rows(news: &[NewNotification]) -> Result<Vec<Vec<Val>>, StoreError> {
    news.iter().map(values).collect()
}

fn values(new: &NewNotification) -> Result<Vec<Val>, StoreError> {
    // Nothing will ever process a confirmation: it is finished as it arrives.
    let (status, finished) = match new.wants {
        Wants::Sync => ("pending", None),
        Wants::Confirmation => ("completed", Some(new.received_at)),
    };
    Ok(vals![
        new.id,
        new.subscription,
        new.notification_id.as_str(),
        new.received_at,
        Val::json(&new.headers)?,
        Val::json(&new.payload)?,
        status,
        finished,
        Val::Int(finished.map(|_| 0)),
    ])
}

/// Subscriptions delivered at these times: each is marked once, with its latest delivery.
pub(super) async fn mark(
    tx: &mut Tx,
    heard: impl Iterator<Item = (SubscriptionId, Ts)>,
) -> Result<(), StoreError> {
    let mut latest: BTreeMap<SubscriptionId, Ts> = BTreeMap::new();
    for (subscription, at) in heard {
        let last = latest.entry(subscription).or_insert(at);
        *last = at.max(*last);
    }
    let rows = latest.into_iter().map(|(id, at)| vals![id, at]).collect();
    tx.bulk_in_order(&MARK, Held::Subscriptions, rows).await.map(drop)
}

/// Each calendar once, with its earliest delivery and how many there were.
fn raises<'a>(fresh: impl Iterator<Item = &'a NewNotification>) -> Vec<Vec<Val>> {
    let mut raised: BTreeMap<CalendarId, (Ts, i64)> = BTreeMap::new();
    for new in fresh.filter(|n| wants_sync(n)) {
        let (at, count) = raised.entry(new.calendar).or_insert((new.received_at, 0));
        *at = new.received_at.min(*at);
        *count += 1;
    }
    raised.into_iter().map(|(id, (at, count))| vals![id, at, count, false]).collect()
}

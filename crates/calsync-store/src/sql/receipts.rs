//! Receipts share their commits: one task takes whatever waits, stores it in one transaction, and answers every waiter
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
use super::db::{Bulk, Db, Tx};
use super::value::{Val, vals};

/// Receipts that may wait at once. Beyond it the provider is told to come back: it does.
const QUEUE: usize = 8_192;
/// Receipts in one transaction at most.
const BATCH: usize = 512;

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
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Receipts {
    pub(super) fn start(db: Arc<Db>) -> Receipts {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let task = tokio::spawn(serve(db, waiting));
        Receipts { queue: Mutex::new(Some(queue)), task: Mutex::new(Some(task)) }
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
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the task that stores notifications died");
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it was closed".to_owned())
}

async fn serve(db: Arc<Db>, mut queue: mpsc::Receiver<Waiting>) {
    let mut taken = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut taken, BATCH).await > 0 {
        let (news, waiters): (Vec<_>, Vec<_>) = taken.drain(..).map(|w| (w.new, w.answer)).unzip();
        let answers = store(&db, &news).await;
        for (waiter, answer) in waiters.into_iter().zip(answers) {
            // Whoever no longer waits needs no answer.
            let _ = waiter.send(answer);
        }
    }
}

/// Stores all, halving a batch that is refused until the bad rows stand alone.
async fn store(db: &Db, news: &[NewNotification]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = news.iter().map(|_| Err(closed())).collect();
    let mut open: Vec<Range<usize>> = std::iter::once(0..news.len()).collect();
    while let Some(range) = open.pop() {
        match commit(db, &news[range.clone()]).await {
            Ok(recorded) => {
                answers[range].iter_mut().zip(recorded).for_each(|(answer, recorded)| *answer = Ok(recorded));
            }
            // The database itself: every smaller batch would fail alike, and take its time over it.
            Err(StoreError::Unavailable(words)) => {
                answers[range].fill(Err(StoreError::Unavailable(words)));
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
    processing_completed_at, processing_time_ms) VALUES";
const STORE: Bulk = Bulk { before: INSERT, after: "ON CONFLICT DO NOTHING" };
/// Tells the new from the duplicates.
const SORT: Bulk = Bulk { before: INSERT, after: "ON CONFLICT DO NOTHING RETURNING id" };
/// A failure is over when something is delivered.
pub(super) const MARK: Bulk = Bulk {
    before: "UPDATE webhook_subscriptions SET failure_count = 0, last_notification_at = \
             CASE WHEN last_notification_at > v.column2 THEN last_notification_at ELSE v.column2 END FROM (VALUES",
    after: ") AS v WHERE webhook_subscriptions.id = v.column1",
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

async fn sort(db: &Db, news: &[NewNotification]) -> Result<Vec<Recorded>, StoreError> {
    let mut tx = db.begin().await?;
    let mut stored: BTreeSet<NotificationId> = BTreeSet::new();
    for mut row in tx.bulk_returning(&SORT, rows(news)?).await? {
        stored.insert(row.id()?);
    }
    // Taken out as they are met: the same id twice in a batch was stored once.
    let recorded: Vec<Recorded> =
        news.iter().map(|n| if stored.remove(&n.id) { Recorded::New } else { Recorded::Duplicate }).collect();
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
    tx.bulk(&MARK, marks(fresh.clone())).await?;
    tx.bulk(&RAISE, raises(fresh)).await.map(drop)
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

/// Each subscription once, with its latest delivery.
fn marks<'a>(fresh: impl Iterator<Item = &'a NewNotification>) -> Vec<Vec<Val>> {
    let mut latest: BTreeMap<SubscriptionId, Ts> = BTreeMap::new();
    for new in fresh {
        let at = latest.entry(new.subscription).or_insert(new.received_at);
        *at = new.received_at.max(*at);
    }
    latest.into_iter().map(|(id, at)| vals![id, at]).collect()
}

/// Each calendar once, with its earliest delivery and how many there were.
fn raises<'a>(fresh: impl Iterator<Item = &'a NewNotification>) -> Vec<Vec<Val>> {
    let mut raised: BTreeMap<CalendarId, (Ts, i64)> = BTreeMap::new();
    for new in fresh.filter(|n| n.wants == Wants::Sync) {
        let (at, count) = raised.entry(new.calendar).or_insert((new.received_at, 0));
        *at = new.received_at.min(*at);
        *count += 1;
    }
    raised.into_iter().map(|(id, (at, count))| vals![id, at, count, false]).collect()
}

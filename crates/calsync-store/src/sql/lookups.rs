//! Lookups of subscriptions share their reads, as receipts share their commits: one task takes whatever waits and reads it
//! in one statement. Each notification looks one up, and the way to the database and back costs more than the reading.
//! Nothing is kept from one read to the next: who asks sees all that was committed before the asking.

use std::sync::{Arc, Mutex, PoisonError};

use calsync_core::calendar::ProviderKind;
use calsync_core::ids::CalendarId;
use calsync_core::ports::StoreError;
use calsync_core::subscription::Subscription;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::columns::{self, subscription_columns};
use super::db::{Bulk, Db};
use super::value::{Row, Val, vals};

/// Lookups that may wait at once. Beyond it the provider is told to come back: it does.
const QUEUE: usize = 8_192;
/// Lookups in one statement at most.
const BATCH: usize = 128;

/// By the channel's own id, else the newest: two walks down an index, whatever the length of the history.
pub(super) const FIND: Bulk = Bulk {
    before: concat!("SELECT v.column1, ", subscription_columns!(), " FROM ("),
    after: ") AS v JOIN webhook_subscriptions s ON s.id = coalesce( \
     (SELECT x.id FROM webhook_subscriptions x \
      WHERE x.provider = v.column3 AND x.subscription_id = v.column4 AND x.calendar_id = v.column2), \
     (SELECT n.id FROM webhook_subscriptions n WHERE n.calendar_id = v.column2 AND n.provider = v.column3 \
      ORDER BY n.created_at DESC, n.id DESC LIMIT 1))",
};

type Answer = Result<Option<Subscription>, StoreError>;

/// What is sought, and whoever waits for it.
struct Waiting {
    calendar: CalendarId,
    provider: ProviderKind,
    channel: String,
    answer: oneshot::Sender<Answer>,
}

/// The queue before the task that reads.
pub(super) struct Lookups {
    /// Taken away by `close`.
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Lookups {
    pub(super) fn start(db: Arc<Db>) -> Lookups {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let task = tokio::spawn(serve(db, waiting));
        Lookups { queue: Mutex::new(Some(queue)), task: Mutex::new(Some(task)) }
    }

    /// Finds one.
    pub(super) async fn find(&self, calendar: CalendarId, provider: ProviderKind, channel: &str) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.put(Waiting { calendar, provider, channel: channel.to_owned(), answer })?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    fn put(&self, waiting: Waiting) -> Result<(), StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or_else(closed)?;
        queue.try_send(waiting).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => StoreError::Unavailable(
                "more notifications arrive than can be looked up: send it again later".to_owned(),
            ),
            mpsc::error::TrySendError::Closed(_) => closed(),
        })
    }

    /// Takes nothing more, and answers what it has taken.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the task that looks subscriptions up died");
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it was closed".to_owned())
}

async fn serve(db: Arc<Db>, mut queue: mpsc::Receiver<Waiting>) {
    let mut taken = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut taken, BATCH).await > 0 {
        let answers = read(&db, &taken).await;
        for (waiting, answer) in taken.drain(..).zip(answers) {
            // Whoever no longer waits needs no answer.
            let _ = waiting.answer.send(answer);
        }
    }
}

/// One answer for each; a row that is unreadable spoils only its own.
async fn read(db: &Db, taken: &[Waiting]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = taken.iter().map(|_| Ok(None)).collect();
    let rows: Vec<Vec<Val>> = (0_u32..).zip(taken).map(|(at, w)| question(at, w)).collect();
    match db.ask(&FIND, rows).await {
        Err(error) => answers.fill(Err(error)),
        Ok(found) => {
            for row in found {
                match place(row) {
                    Ok((at, answer)) => answers[at] = answer.map(Some),
                    Err(error) => answers.fill(Err(error)),
                }
            }
        }
    }
    answers
}

fn question(at: u32, waiting: &Waiting) -> Vec<Val> {
    vals![at, waiting.calendar, waiting.provider.as_str(), waiting.channel.as_str()]
}

/// Whose answer it is, and the answer.
fn place(mut row: Row) -> Result<(usize, Result<Subscription, StoreError>), StoreError> {
    let at: u32 = row.num()?;
    let at = usize::try_from(at).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    Ok((at, columns::subscription(row)))
}

//! Push: carry out the writes that wait for one target, a few at a time, and settle each batch in one transaction.
//! What is cut short here is found in the outbox again, and asked for again without harm.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use calsync_core::block::ObservedBlock;
use calsync_core::calendar::Calendar;
use calsync_core::ids::CorrelationId;
use calsync_core::ledger::{Outcome, Settlement, Write, WriteOp};
use calsync_core::plan::ActionKind;
use calsync_core::ports::{
    Asked, BlockPut, Lease, ProviderAccount, ProviderError, PutDone, PutMode, Standing,
};
use calsync_core::time::Ts;
use futures_util::{StreamExt, stream};
use tracing::{Instrument, debug_span};

use crate::report::FailedWrite;
use crate::settle::{Next, after_error, after_look, is_refusal, target_id};
use crate::{Engine, EngineError, causes, trace};

/// Writes taken from the outbox at once, and settled in one transaction.
const BATCH: u32 = 16;
/// Writes for one target in one step: a first fill of thousands, at the few writes a second that providers allow into one
/// calendar, must not keep its user's other changes waiting.
const WRITES_PER_STEP: usize = 240;

/// A lease is prolonged when this part of it has passed.
const KEEP_PART: i32 = 3;

/// What pushing did.
#[derive(Default)]
pub(crate) struct Pushed {
    /// Writes that were carried out.
    pub(crate) done: Vec<Carried>,
    /// Something was written that the provider had not: its channel should tell of it.
    pub(crate) wrote: bool,
    /// When the changes happened that writes were to answer which are planned anew.
    pub(crate) changes: BTreeMap<CorrelationId, Ts>,
    /// Writes that were not.
    pub(crate) failed: Vec<FailedWrite>,
    /// The first thing that went wrong, in words.
    pub(crate) error: Option<String>,
    /// A refusal that will not pass by itself.
    pub(crate) refused: Option<String>,
    /// An error that concerns the whole account.
    pub(crate) account_error: Option<ProviderError>,
    /// What stands there is not what the plan took it for.
    pub(crate) replan: bool,
}

/// A write that was carried out.
pub(crate) struct Carried {
    pub(crate) write: Write,
    pub(crate) kind: ActionKind,
    pub(crate) at: Ts,
}

/// What became of one write.
enum Sent {
    Settled(Outcome, Answer),
    Stopped(ProviderError),
}

/// What the provider said to it.
enum Answer {
    /// It was done.
    Written,
    /// It had been done before.
    Found,
    /// Something else.
    Error(ProviderError),
}

impl Engine {
    /// Carries out what waits for `target`.
    pub(crate) async fn push(
        &self,
        lease: &Lease,
        target: &Calendar,
        account: &dyn ProviderAccount,
    ) -> Result<Pushed, EngineError> {
        let mut pushed = Pushed::default();
        let mut taken = 0;
        while taken < WRITES_PER_STEP
            && pushed.account_error.is_none()
            && !self.ending.load(Ordering::Relaxed)
        {
            let writes = self.store.due_writes(target.id, self.clock.now(), BATCH).await?;
            // Nobody else adds to them while the lease is ours: fewer than were asked for are the last.
            let last = writes.len() < BATCH as usize;
            taken += writes.len();
            let settled_before = pushed.done.len();
            self.push_batch(lease, target, account, writes, &mut pushed).await?;
            if last || (pushed.done.len() == settled_before && !pushed.replan) {
                break;
            }
            self.keep_lease(lease).await?;
        }
        Ok(pushed)
    }

    async fn push_batch(
        &self,
        lease: &Lease,
        target: &Calendar,
        account: &dyn ProviderAccount,
        writes: Vec<Write>,
        pushed: &mut Pushed,
    ) -> Result<(), EngineError> {
        let at_once = usize::from(account.capabilities().concurrent_calls.max(1));
        let sending = writes.into_iter().map(|write| async move {
            let span = trace::write(&write);
            let sent = self.send(target, &write, account).instrument(span).await;
            (write, sent)
        });
        let mut sent = stream::iter(sending).buffered(at_once);
        let mut answers = Vec::new();
        let mut kept_at = self.clock.now();
        while let Some(answer) = sent.next().await {
            answers.push(answer);
            // A provider that takes its time must not make us look dead: others would do the same work again.
            if self.clock.now().since(kept_at) >= self.config.lease / KEEP_PART {
                self.keep_lease(lease).await?;
                kept_at = self.clock.now();
            }
        }
        drop(sent);
        let sent_at = self.clock.now();
        let mut settlements = Vec::with_capacity(answers.len());
        for (write, sent) in answers {
            match sent {
                Sent::Stopped(error) => {
                    // It is true of all others: once is enough.
                    if pushed.account_error.is_none() {
                        pushed.failed.push(failed(&write, error.clone()));
                    }
                    pushed.account_error = Some(error);
                }
                Sent::Settled(outcome, answer) => {
                    pushed.note(&write, &outcome, answer, sent_at);
                    let entry = causes::entry(&write, &outcome, sent_at);
                    let (target, correlation) = (target.id, write.correlation);
                    settlements.push(Settlement { target, correlation, outcome, entry });
                }
            }
        }
        if !settlements.is_empty() {
            self.store.settle(lease, &settlements).instrument(debug_span!("settle")).await?;
        }
        Ok(())
    }

    async fn send(&self, target: &Calendar, write: &Write, account: &dyn ProviderAccount) -> Sent {
        let sent = self.try_to_send(target, write, account).await;
        match &sent {
            Sent::Settled(outcome, Answer::Error(e)) => trace::became(Some(outcome), Some(e.class)),
            Sent::Settled(outcome, Answer::Written | Answer::Found) => trace::became(Some(outcome), None),
            Sent::Stopped(error) => trace::became(None, Some(error.class)),
        }
        sent
    }

    async fn try_to_send(&self, target: &Calendar, write: &Write, account: &dyn ProviderAccount) -> Sent {
        let calendar = target.remote.calendar.as_str();
        let error = match self.call(calendar, write, account).await {
            Ok((outcome, answer)) => return Sent::Settled(outcome, answer),
            Err(error) => error,
        };
        match after_error(write, &error, self.clock.now()) {
            Next::Stop => Sent::Stopped(error),
            Next::Settled(outcome) => Sent::Settled(outcome, Answer::Error(error)),
            Next::Look(id) => match account.get_block(calendar, &id).await {
                Ok(standing) => {
                    let identity = self.identity.for_calendar(&target.remote);
                    let outcome = after_look(write, &error, standing, &identity, self.clock.now());
                    Sent::Settled(outcome, Answer::Error(error))
                }
                Err(error) => match after_error(write, &error, self.clock.now()) {
                    Next::Stop => Sent::Stopped(error),
                    Next::Settled(outcome @ Outcome::Postponed { .. }) => {
                        Sent::Settled(outcome, Answer::Error(error))
                    }
                    // Neither the write nor the look gave an answer: nothing is known, so nothing is concluded.
                    _ => Sent::Settled(self.in_doubt(write, &error), Answer::Error(error)),
                },
            },
        }
    }

    fn in_doubt(&self, write: &Write, error: &ProviderError) -> Outcome {
        let now = self.clock.now();
        let attempts = write.attempts.saturating_add(1);
        let later = calsync_core::schedule::after_write_error(error, attempts, now);
        Outcome::Postponed {
            attempts,
            not_before: later.unwrap_or(now.plus(self.config.lease)),
            error: error.to_string(),
        }
    }

    async fn call(
        &self,
        calendar: &str,
        write: &Write,
        account: &dyn ProviderAccount,
    ) -> Result<(Outcome, Answer), ProviderError> {
        let unguarded = if is_unguarded(&write.op) { target_id(&write.op) } else { None };
        let seen = match unguarded {
            Some(id) => present(account.get_block(calendar, id).await?),
            None => None,
        };
        if let Some(block) = seen.as_ref().filter(|block| block.has_guests) {
            return Ok((Outcome::Replan { observed: Some(block.clone()), generation: None }, Answer::Found));
        }
        let seen = seen.and_then(|block| block.version);
        let (mode, content, marker, repairs) = match &write.op {
            WriteOp::Delete { id, version } => {
                let version = version.as_ref().or(seen.as_ref());
                account.delete_block(calendar, id, version.map(String::as_str)).await?;
                return Ok((Outcome::Removed { id: id.clone() }, Answer::Written));
            }
            WriteOp::Create { id, content, marker, repairs, .. } => {
                (PutMode::Create(id.clone()), content, marker, *repairs)
            }
            WriteOp::Update { id, version, content, marker, repairs } => {
                let version = version.clone().or(seen);
                (PutMode::Update { id: id.clone(), version }, content, marker, *repairs)
            }
        };
        let put = BlockPut {
            mode,
            content: content.clone(),
            marker: marker.clone(),
            idempotency_key: idempotency_key(write),
            asked: if write.attempts > 0 { Asked::Again } else { Asked::First },
        };
        let PutDone { block, written } = account.put_block(calendar, &put).await?;
        let answer = if written { Answer::Written } else { Answer::Found };
        let (wrote, span, at) = (content.fingerprint(), content.span, self.clock.now());
        Ok((Outcome::Stored { block, wrote, span, repairs, at }, answer))
    }
}

/// Whether a write is about something that nobody saw in the form in which it stands, so that nothing else stops it where a
/// person invited somebody meanwhile: then it is looked at first.
const fn is_unguarded(op: &WriteOp) -> bool {
    matches!(op, WriteOp::Update { version: None, .. } | WriteOp::Delete { version: None, .. })
}

fn present(standing: Standing) -> Option<ObservedBlock> {
    match standing {
        Standing::Present(remote) => remote.as_block(),
        Standing::Nothing | Standing::Deleted => None,
    }
}

impl Pushed {
    fn carried(&mut self, write: &Write, at: Ts) {
        self.done.push(Carried { write: write.clone(), kind: kind(&write.op), at });
    }

    fn note(&mut self, write: &Write, outcome: &Outcome, answer: Answer, now: Ts) {
        // What proved to stand, or to be gone, without our doing is told of by nobody.
        self.wrote |= matches!(answer, Answer::Written);
        match outcome {
            Outcome::Stored { at, .. } => self.carried(write, *at),
            Outcome::Removed { .. } => self.carried(write, now),
            Outcome::Replan { .. } => {
                self.replan = true;
                self.changes.extend(write.changed_at.map(|at| (write.correlation, at)));
            }
            Outcome::Postponed { .. } => {
                let Answer::Error(error) = answer else { return };
                self.error.get_or_insert_with(|| error.to_string());
                if is_refusal(error.class) {
                    self.refused.get_or_insert_with(|| error.to_string());
                }
                self.failed.push(failed(write, error));
            }
        }
    }
}

fn failed(write: &Write, error: ProviderError) -> FailedWrite {
    let attempts = write.attempts.saturating_add(1);
    FailedWrite {
        target: write.target,
        correlation: write.correlation,
        kind: kind(&write.op),
        attempts,
        error,
    }
}

/// The same for every try of one create, another for the block that comes after it.
fn idempotency_key(write: &Write) -> String {
    match &write.op {
        WriteOp::Create { generation, .. } => format!("{}-{generation}", write.correlation),
        WriteOp::Update { .. } | WriteOp::Delete { .. } => write.correlation.to_string(),
    }
}

fn kind(op: &WriteOp) -> ActionKind {
    match op {
        WriteOp::Create { .. } => ActionKind::Create,
        WriteOp::Update { .. } => ActionKind::Update,
        WriteOp::Delete { .. } => ActionKind::Delete,
    }
}

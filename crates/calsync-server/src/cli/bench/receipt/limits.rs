//! What this machine can do at most: bare inserts into the same table with the same durability, and bare disk syncs.

use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use calsync_core::ids::NotificationId;
use calsync_core::ports::{Clock, IdGen, NewNotification, Store};
use calsync_providers::google::notification;

use super::super::failed;
use super::super::figures::{number, ratio};
use super::super::load::{AGENT, EXPIRATION};
use super::bed::Bed;
use crate::cli::exit::Failure;
use crate::system::{SystemClock, SystemRandom};

/// What one sync writes.
const BLOCK: usize = 8 * 1024;
/// Blocks that the syncs go round in: they overwrite, as a database's log does.
const BLOCKS: u64 = 2_048;

/// Rows per second that one writer inserts with so many rows a commit. Making the rows does not count.
pub(super) async fn inserts(
    bed: &mut Bed<'_>,
    rows_a_commit: usize,
    length: Duration,
) -> Result<f64, Failure> {
    let store = bed.database().await?;
    let (mut rows, mut took) = (0u64, Duration::ZERO);
    let mut next = 2;
    let began = Instant::now();
    while began.elapsed() < length {
        let batch: Vec<NewNotification> =
            (0..rows_a_commit).map(|_| row(bed, &mut next)).collect::<Result<_, _>>()?;
        let sent = Instant::now();
        store.insert_only(&batch).await?;
        took += sent.elapsed();
        rows += batch.len() as u64;
    }
    store.close().await;
    Ok(ratio(number(rows), took.as_secs_f64()))
}

/// What a delivery becomes: read as the service reads it, so that bare inserts store what it would store.
pub(super) fn row(bed: &Bed<'_>, next: &mut usize) -> Result<NewNotification, Failure> {
    let now = SystemClock.now();
    let subscription = &bed.subscriptions[next.wrapping_mul(7_919) % bed.subscriptions.len()];
    *next += 1;
    let number = next.to_string();
    let headers = [
        ("User-Agent", AGENT),
        ("X-Goog-Channel-ID", &subscription.remote_id),
        ("X-Goog-Channel-Expiration", EXPIRATION),
        ("X-Goog-Resource-ID", &subscription.resource_id),
        ("X-Goog-Resource-State", "exists"),
        ("X-Goog-Message-Number", &number),
    ];
    let claim = notification::parse(headers, 0).map_err(failed)?;
    Ok(NewNotification {
        id: NotificationId(SystemRandom.uuid(now)),
        subscription: subscription.id,
        calendar: subscription.calendar,
        notification_id: claim.notification_id,
        received_at: now,
        headers: claim.headers,
        payload: claim.payload,
        wants: claim.wants,
    })
}

/// How often per second 8 KiB can be made durable beside the database. A server's disk is its own.
pub(super) async fn syncs(bed: &Bed<'_>, length: Duration) -> Result<Option<f64>, Failure> {
    let Some(path) = bed.path("synced") else { return Ok(None) };
    let measured = tokio::task::spawn_blocking(move || -> std::io::Result<f64> {
        let file = std::fs::File::create(&path)?;
        let block = [7u8; BLOCK];
        for at in 0..BLOCKS {
            file.write_all_at(&block, at * BLOCK as u64)?;
        }
        file.sync_all()?;
        let (mut syncs, began) = (0u64, Instant::now());
        while began.elapsed() < length {
            file.write_all_at(&block, syncs % BLOCKS * BLOCK as u64)?;
            file.sync_data()?;
            syncs += 1;
        }
        let rate = ratio(number(syncs), began.elapsed().as_secs_f64());
        std::fs::remove_file(&path)?;
        Ok(rate)
    });
    measured.await.map_err(failed)?.map(Some).map_err(failed)
}

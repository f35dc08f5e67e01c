//! What a table holds, as one number: the SHA-256 of each row, added up, so that it does not matter in which order a
//! database tells its rows. The same on both sides if and only if, by any chance that counts, the same rows are there.
//! Never writes.

use std::fmt;
use std::ops::ControlFlow;

use calsync_core::ports::StoreError;
use sha2::{Digest as _, Sha256};

use super::super::value::Val;
use super::rows::{PAGE, key_of, line, page};
use super::tables::{FIGURES, FIGURES_COLUMNS, Table};
use super::view::View;

/// What a table holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Content {
    /// How many rows.
    pub rows: u64,
    /// What is in them.
    pub digest: Digest,
}

/// The digests of rows, added up in four parts.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest([u64; 4]);

impl Digest {
    /// As it was told.
    pub(super) fn parse(text: &str) -> Option<Digest> {
        let mut parts = [0; 4];
        for (part, at) in parts.iter_mut().zip((0..).step_by(16)) {
            *part = u64::from_str_radix(text.get(at..at + 16)?, 16).ok()?;
        }
        (text.len() == 64).then_some(Digest(parts))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| write!(f, "{part:016x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the character zero in a text counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zero {
    /// As it is.
    Kept,
    /// As what stands for it in PostgreSQL, which can't store it.
    Replaced,
}

/// What a table holds, read page by page. `seen` is told of every page.
pub(super) async fn content(
    from: &View<'_>,
    table: &Table,
    zero: Zero,
    mut seen: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<Read>, StoreError> {
    let mut read = Read::default();
    let mut key: Option<Vec<Val>> = None;
    loop {
        let lines = page(from, table, key.as_deref()).await?;
        lines.iter().for_each(|line| read.add(line, zero));
        if seen(lines.len() as u64).is_break() {
            return Ok(None);
        }
        match lines.last() {
            Some(last) if lines.len() == PAGE => key = Some(key_of(table, last)),
            _ => return Ok(Some(read)),
        }
    }
}

/// The figures that triggers keep.
pub(super) async fn figures(from: &View<'_>) -> Result<Content, StoreError> {
    let mut read = Read::default();
    for row in from.all(FIGURES, Vec::new()).await? {
        read.add(&line(row, FIGURES_COLUMNS.into_iter())?, Zero::Kept);
    }
    Ok(read.content)
}

/// What was read.
#[derive(Default)]
pub(super) struct Read {
    pub(super) content: Content,
    /// Texts with a character zero.
    pub(super) zeros: u64,
}

impl Read {
    pub(super) fn add(&mut self, line: &[Val], zero: Zero) {
        let mut hash = Sha256::new();
        for val in line {
            self.zeros += u64::from(matches!(val, Val::Text(Some(text)) if text.contains('\0')));
            take(&mut hash, val, zero);
        }
        let digest: [u8; 32] = hash.finalize().into();
        for (sum, part) in self.content.digest.0.iter_mut().zip(digest.chunks_exact(8)) {
            *sum = sum.wrapping_add(part.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)));
        }
        self.content.rows += 1;
    }
}

/// Each value says its kind and its length, so that no two rows read alike.
fn take(hash: &mut Sha256, val: &Val, zero: Zero) {
    let (kind, bytes): (u8, Option<Vec<u8>>) = match val {
        Val::Int(value) => (1, value.map(|v| v.to_be_bytes().to_vec())),
        Val::Text(value) => (2, value.as_ref().map(|text| text_bytes(text, zero))),
        Val::Bytes(value) => (3, value.clone()),
        Val::Id(value) => (4, value.map(|v| v.as_bytes().to_vec())),
    };
    match bytes {
        None => hash.update([0, kind]),
        Some(bytes) => {
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(&bytes);
        }
    }
}

fn text_bytes(text: &str, zero: Zero) -> Vec<u8> {
    match zero {
        Zero::Replaced if text.contains('\0') => text.replace('\0', "\u{fffd}").into_bytes(),
        _ => text.as_bytes().to_vec(),
    }
}

//! The grid of the week: which hours it shows, which rows something takes, and what lies beside what. Pure arithmetic; it
//! knows no calendar.

use std::collections::BTreeMap;

use calsync_core::week::Piece;

use super::Item;

/// Minutes of a row in the grid.
const ROW: u16 = 15;
/// Rows of a day.
const ROWS: u16 = 96;
/// Hours that are shown in any case: from, and to.
const SHOWN: (u16, u16) = (7, 20);
/// Fewest rows that a line of text needs.
const ROWS_MIN: u16 = 2;
/// Things side by side in one lane, at most: what is beyond lies over the last.
const COLUMNS: usize = 4;

/// The hours that a week needs: nights in which nothing is take no room.
pub(super) fn hours<'a>(pieces: impl Iterator<Item = &'a Piece>) -> (u16, u16) {
    pieces.filter(|piece| !takes_the_day(piece)).map(rows).fold(SHOWN, |(first, last), (from, to)| {
        (first.min(from * ROW / 60), last.max((to * ROW).div_ceil(60)))
    })
}

/// Whether it takes all of its day.
pub(super) fn takes_the_day(piece: &Piece) -> bool {
    piece.to_minute.saturating_sub(piece.from_minute) >= 24 * 60
}

/// The rows of the grid that something takes: room for a line of text, and none beyond its day.
fn rows(piece: &Piece) -> (u16, u16) {
    let from = (piece.from_minute / ROW).min(ROWS - ROWS_MIN);
    (from, piece.to_minute.div_ceil(ROW).max(from + ROWS_MIN).min(ROWS))
}

/// Gives each its rows, and a column of its own where it meets others.
pub(super) fn side_by_side(timed: Vec<(Piece, Item)>) -> Vec<Item> {
    let mut free_from: BTreeMap<usize, u16> = BTreeMap::new();
    let mut items = Vec::with_capacity(timed.len());
    for (piece, mut item) in timed {
        let (from, to) = rows(&piece);
        let is_free = |column: &usize| free_from.get(column).is_none_or(|free| *free <= from);
        let column = (0..COLUMNS).find(is_free).unwrap_or(COLUMNS - 1);
        free_from.insert(column, to);
        item.class.push_str(&format!(" f{from} t{to} c{column}"));
        items.push(item);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        Item {
            class: String::new(),
            href: String::new(),
            is_chosen: false,
            title: String::new(),
            detail: String::new(),
        }
    }

    fn classes(pieces: &[(u16, u16)]) -> Vec<String> {
        let timed =
            pieces.iter().map(|(from, to)| (Piece { day: 0, from_minute: *from, to_minute: *to }, item()));
        side_by_side(timed.collect()).into_iter().map(|item| item.class.trim().to_owned()).collect()
    }

    #[test]
    fn what_meets_lies_side_by_side() {
        assert_eq!(
            classes(&[(540, 600), (570, 630), (600, 660)]),
            ["f36 t40 c0", "f38 t42 c1", "f40 t44 c0"]
        );
    }

    #[test]
    fn hours_reach_as_far_as_anything_and_over_the_working_day() {
        for (pieces, expected) in [
            (&[][..], (7, 20)),
            (&[(540, 600), (0, 1_440)], (7, 20)),
            (&[(300, 330), (1_199, 1_201)], (5, 21)),
            (&[(0, 1), (1_439, 1_440)], (0, 24)),
        ] {
            let pieces: Vec<Piece> = pieces
                .iter()
                .map(|(from, to)| Piece { day: 0, from_minute: *from, to_minute: *to })
                .collect();
            assert_eq!(hours(pieces.iter()), expected, "{pieces:?}");
        }
    }

    #[test]
    fn short_ones_have_room_for_a_line_and_late_ones_stay_on_their_day() {
        assert_eq!(classes(&[(540, 545)]), ["f36 t38 c0"]);
        assert_eq!(classes(&[(1_435, 1_440)]), ["f94 t96 c0"]);
        assert_eq!(classes(&[(0, 0)]), ["f0 t2 c0"]);
        assert_eq!(classes(&[(0, 60); 6]).last().unwrap(), "f0 t4 c3");
    }
}

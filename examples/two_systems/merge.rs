//! Comparing two catalogues and merging them into a third.
//!
//! The ids are cut into ranges that hold about equally many records, each range is one child, and
//! since children answer in spawn order, their results one after the other are sorted by id.

use serde::Serialize;

use crate::catalogue::Record;

/// Ranges of ids: several for each core, so that an unlucky one does not keep the others waiting.
const RANGES: usize = 16;

/// Every how many records an id is looked at to find the borders of the ranges.
const SAMPLE: usize = 64;

/// One record of the merged set, and how it came there.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) verdict: Verdict,
    pub(crate) kept: Side,
    pub(crate) record: Record,
}

/// What the comparison found about one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    OnlyFirst,
    OnlySecond,
    Equal,
    Conflict,
}

/// Whose record an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    First,
    Second,
}

/// Entries by verdict.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) only_first: usize,
    pub(crate) only_second: usize,
    pub(crate) equal: usize,
    /// Conflicts in which the first record was kept, and those in which the second was.
    pub(crate) conflicts: (usize, usize),
}

impl Tally {
    /// Counts `entries`.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut tally = Self::default();
        for entry in entries {
            *match (entry.verdict, entry.kept) {
                (Verdict::OnlyFirst, _) => &mut tally.only_first,
                (Verdict::OnlySecond, _) => &mut tally.only_second,
                (Verdict::Equal, _) => &mut tally.equal,
                (Verdict::Conflict, Side::First) => &mut tally.conflicts.0,
                (Verdict::Conflict, Side::Second) => &mut tally.conflicts.1,
            } += 1;
        }
        tally
    }

    /// Entries in all.
    pub(crate) fn total(&self) -> usize {
        self.only_first + self.only_second + self.equal + self.conflicts.0 + self.conflicts.1
    }
}

/// Merges two catalogues, neither of which has an id twice, into one sorted by id.
///
/// Of two records that differ, the newer revision is kept, and the first on a tie.
pub(crate) fn merge(first: Vec<Record>, second: Vec<Record>) -> Vec<Entry> {
    let borders = borders(&first, &second);
    let ranges = cut(first, &borders).into_iter().zip(cut(second, &borders));
    hatchery::nursery(|n| {
        n.spawn_each(ranges, |(first, second)| merge_range(first, second))
            .flatten()
            .collect()
    })
}

/// The ids at which a new range begins, in order.
fn borders(first: &[Record], second: &[Record]) -> Vec<u64> {
    let both = first.iter().chain(second);
    let mut sample: Vec<u64> = both.step_by(SAMPLE).map(|record| record.id).collect();
    sample.sort_unstable();
    (1..RANGES)
        .filter_map(|range| sample.get(range * sample.len() / RANGES).copied())
        .collect()
}

/// Distributes `records` over the ranges between `borders`.
fn cut(records: Vec<Record>, borders: &[u64]) -> Vec<Vec<Record>> {
    let mut ranges: Vec<_> = (0..=borders.len()).map(|_| Vec::new()).collect();
    for record in records {
        ranges[borders.partition_point(|border| *border <= record.id)].push(record);
    }
    ranges
}

fn merge_range(mut first: Vec<Record>, mut second: Vec<Record>) -> Vec<Entry> {
    first.sort_unstable_by_key(|record| record.id);
    second.sort_unstable_by_key(|record| record.id);
    let mut entries = Vec::with_capacity(first.len().max(second.len()));
    let mut second = second.into_iter().peekable();
    for record in first {
        while let Some(other) = second.next_if(|other| other.id < record.id) {
            entries.push(only_second(other));
        }
        entries.push(match second.next_if(|other| other.id == record.id) {
            Some(other) => both(record, other),
            None => Entry {
                verdict: Verdict::OnlyFirst,
                kept: Side::First,
                record,
            },
        });
    }
    entries.extend(second.map(only_second));
    entries
}

fn only_second(record: Record) -> Entry {
    Entry {
        verdict: Verdict::OnlySecond,
        kept: Side::Second,
        record,
    }
}

fn both(first: Record, second: Record) -> Entry {
    if first == second {
        Entry {
            verdict: Verdict::Equal,
            kept: Side::First,
            record: first,
        }
    } else if second.revision > first.revision {
        Entry {
            verdict: Verdict::Conflict,
            kept: Side::Second,
            record: second,
        }
    } else {
        Entry {
            verdict: Verdict::Conflict,
            kept: Side::First,
            record: first,
        }
    }
}

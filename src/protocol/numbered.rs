//! A queue that gives each entry a number, by which the entry may be taken out wherever it stands.
//!
//! It is plain data: each protocol that has such a queue keeps it under a lock of its own.

use std::collections::VecDeque;

/// Gaps that are worth a sweep: few enough not to hold memory, many enough to share its cost.
const SWEEP: usize = 32;
/// An empty queue with room for more entries than this gives its memory back.
const ROOM: usize = 1024;

/// The number of an entry. No two entries of a queue ever have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(u64);

/// Entries in the order in which they came.
pub(crate) struct Numbered<T> {
    /// By their numbers; an entry that was taken from the middle leaves a gap. INVARIANT: none stands in front.
    entries: VecDeque<(Number, Option<T>)>,
    /// Entries without gaps.
    len: usize,
    /// The number of the next entry.
    next: u64,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            len: 0,
            next: 0,
        }
    }
}

impl<T> Numbered<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, entry: T) -> Number {
        let number = Number(self.next);
        self.next += 1;
        self.len += 1;
        self.entries.push_back((number, Some(entry)));
        number
    }

    /// Takes the oldest entry.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let (_, entry) = self.entries.pop_front()?;
        self.note_taken();
        entry
    }

    /// Takes the entry with this number, if it is there.
    pub(crate) fn remove(&mut self, number: Number) -> Option<T> {
        let at = self.entries.binary_search_by_key(&number, |entry| entry.0);
        let entry = self.entries[at.ok()?].1.take()?;
        self.note_taken();
        Some(entry)
    }

    fn note_taken(&mut self) {
        self.len -= 1;
        while let Some((_, None)) = self.entries.front() {
            self.entries.pop_front();
        }
        if self.entries.len() > 2 * self.len + SWEEP {
            self.entries.retain(|(_, entry)| entry.is_some());
        }
        if self.len == 0 && self.entries.capacity() > ROOM {
            self.entries = VecDeque::new();
        }
    }
}

#[cfg(all(test, not(hatchery_loom)))]
mod tests {
    use std::collections::BTreeMap;

    use super::{Number, Numbered, ROOM, SWEEP};

    /// Against a map, with many in the queue and with few.
    #[test]
    fn it_is_a_map_in_the_order_of_numbers() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut queue, mut map) = (Numbered::default(), BTreeMap::<Number, u32>::new());
        let mut numbers = Vec::new();
        for step in 0..20_000 {
            let is_rising = step / 5000 % 2 == 0;
            match random.u32(..if is_rising { 5 } else { 9 }) {
                0..=2 => {
                    let number = queue.push(step);
                    map.insert(number, step);
                    numbers.push(number);
                }
                3 => assert_eq!(queue.pop(), map.pop_first().map(|first| first.1)),
                _ if numbers.is_empty() => {}
                _ => {
                    // Perhaps it was taken before.
                    let number = numbers[random.usize(..numbers.len())];
                    assert_eq!(queue.remove(number), map.remove(&number));
                }
            }
            assert_eq!(queue.len(), map.len());
            assert!(queue.entries.len() <= 2 * queue.len() + SWEEP);
        }
        while let Some(first) = queue.pop() {
            assert_eq!(Some(first), map.pop_first().map(|first| first.1));
        }
        assert!(map.is_empty() && queue.entries.capacity() <= ROOM);
    }
}

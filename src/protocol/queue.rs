//! A queue whose entries may be taken in any order, and may become stale where they stand.
//!
//! It is plain data: each protocol that has a queue keeps it under a lock of its own.

use std::collections::VecDeque;

/// Claims that are worth a sweep: few enough not to hold memory, many enough to share its cost.
pub(crate) const SWEEP: usize = 32;

/// Entries in the order in which they came.
pub(crate) struct Queue<R> {
    entries: VecDeque<R>,
    /// Claims since the last sweep: as many entries may have become stale.
    claims: usize,
    /// How many claims a sweep is worth.
    least: usize,
}

impl<R> Queue<R> {
    /// An empty queue that is not swept before this many claims.
    pub(crate) fn swept_after(least: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            claims: 0,
            least,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &R> {
        self.entries.iter()
    }

    pub(crate) fn has(&self, wanted: impl Fn(&R) -> bool) -> bool {
        self.iter().any(wanted)
    }

    pub(crate) fn push(&mut self, entry: R) {
        self.entries.push_back(entry);
    }

    /// Takes the oldest entry.
    pub(crate) fn pop(&mut self) -> Option<R> {
        self.entries.pop_front()
    }

    /// Takes the oldest entry that is `wanted`.
    pub(crate) fn take(&mut self, wanted: impl Fn(&R) -> bool) -> Option<R> {
        let at = self.entries.iter().position(wanted)?;
        self.entries.remove(at)
    }

    /// Notes that an entry may have become stale. Once half of the entries may be stale, and a
    /// sweep is worth it, takes out all that are. So a claim costs a look at two entries at most.
    #[must_use]
    #[inline]
    pub(crate) fn note_claim(&mut self, is_stale: impl Fn(&R) -> bool) -> VecDeque<R> {
        self.claims += 1;
        if self.claims < self.least || self.claims * 2 < self.entries.len() {
            return VecDeque::new();
        }
        self.sweep(is_stale)
    }

    #[cold]
    fn sweep(&mut self, is_stale: impl Fn(&R) -> bool) -> VecDeque<R> {
        self.claims = 0;
        let (stale, rest) = self.entries.drain(..).partition(is_stale);
        self.entries = rest;
        stale
    }
}

#[cfg(all(test, not(hatchery_loom)))]
mod tests {
    use super::*;

    #[test]
    fn s8_no_more_than_half_of_a_queue_is_stale() {
        for least in [1, SWEEP] {
            let mut queue = Queue::swept_after(least);
            (0..100).for_each(|entry| queue.push(entry));
            for claimed in 1..=100 {
                let stale = queue.note_claim(|entry| *entry < claimed);
                let left = queue.iter().filter(|entry| **entry < claimed).count();
                assert!(left < least || left * 2 <= queue.len(), "{left}");
                assert!(stale.iter().all(|entry| *entry < claimed));
                assert!(queue.iter().is_sorted(), "the order stays");
            }
            assert!(queue.len() < least);
        }
    }

    #[test]
    fn the_oldest_that_is_wanted_is_taken() {
        let mut queue = Queue::swept_after(SWEEP);
        (0..5).for_each(|entry| queue.push(entry));
        assert_eq!(queue.take(|entry| entry % 2 == 1), Some(1));
        assert_eq!(queue.take(|entry| entry % 2 == 1), Some(3));
        assert_eq!(queue.take(|entry| entry % 2 == 1), None);
        assert!(queue.has(|entry| *entry == 4) && !queue.has(|entry| *entry == 3));
        assert_eq!(
            std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(),
            [0, 2, 4]
        );
    }
}

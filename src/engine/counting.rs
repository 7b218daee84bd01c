//! What threads count for a nursery: in the nursery, and in their slots.

use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::engine::tally::Counter;
use crate::platform::sync::atomic::Ordering;

impl Node {
    /// Counts `more` children that a child which was spawned on this thread stands for.
    pub(crate) fn note_more_spawned(&self, seat: &Seat, more: u64) {
        if self.is_home() {
            self.at_home.spawned.add(more);
        } else {
            self.foreign.fetch_add(more, Ordering::Relaxed);
            seat.tally()[Counter::Spawned].add(more);
        }
    }

    /// Adds what has happened at home to the numbers of this seat, its opener's, because the
    /// nursery is over.
    #[inline]
    pub(crate) fn sum_up(&self, seat: &Seat) {
        // The numbers are read one by one: a wider load would wait for the stores of both.
        let spawned = self.at_home.spawned.get();
        if spawned > 0 {
            seat.tally()[Counter::Spawned].add(spawned);
        }
        let begun = self.at_home.begun.get();
        if begun > 0 {
            seat.tally()[Counter::BegunHere].add(begun);
            if let Some(rare) = self.rare.peek() {
                let skipped = rare.numbers[Counter::SkippedHere].get();
                seat.tally()[Counter::SkippedHere].add(skipped);
            }
        }
    }

    /// Counts children that begin on this seat's thread.
    pub(crate) fn note_begun(&self, seat: &Seat, children: u64) {
        if self.is_on(seat) {
            self.at_home.begun.add(children);
        } else if children > 0 && !self.is_fork() {
            seat.tally()[Counter::BegunElsewhere].add(children);
            self.tally(|numbers| _ = numbers[Counter::BegunElsewhere].add(children));
        }
    }

    /// Counts children that have begun on this seat's thread and are dropped unrun.
    pub(crate) fn note_skipped(&self, seat: &Seat, children: u64) {
        self.tally(|numbers| {
            if self.is_on(seat) {
                numbers[Counter::SkippedHere].add(children);
            } else {
                seat.tally()[Counter::SkippedElsewhere].add(children);
                numbers[Counter::SkippedElsewhere].add(children);
            }
        });
    }

    /// Counts a child that has panicked.
    pub(crate) fn note_panicked(&self, seat: &Seat) {
        self.tally(|numbers| {
            seat.tally()[Counter::Panicked].add(1);
            numbers[Counter::Panicked].add(1);
        });
    }

    /// Counts a child that has returned an error that is a consequence of the cancellation.
    pub(crate) fn note_late(&self, seat: &Seat) {
        self.tally(|numbers| {
            seat.tally()[Counter::Late].add(1);
            numbers[Counter::Late].add(1);
        });
    }
}

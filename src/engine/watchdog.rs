//! The watchdog: a thread that looks whether anything moves, in a pool that was asked to have one.

use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::tally::Numbers;
use crate::platform::clock;
use crate::platform::sync::{Condvar, Mutex, PoisonError, lock};
use crate::protocol::idle::Field;

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(1);

/// How often to look, and what to do if nothing has moved.
#[derive(Clone, Copy)]
pub(crate) struct Watchdog {
    pub(crate) every: Duration,
    pub(crate) on_stall: fn(&Core, Duration),
}

/// What ends the thread.
#[derive(Default)]
pub(crate) struct Stop {
    is_over: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    pub(crate) fn end(&self) {
        *lock(&self.is_over) = true;
        self.bell.notify_all();
    }

    /// Waits for this time; true if the stop ends before.
    fn wait(&self, time: Duration) -> bool {
        // A time too far away to be named never comes.
        let end = clock::tick().checked_add(time);
        let mut is_over = lock(&self.is_over);
        while !*is_over {
            let relock = PoisonError::into_inner;
            is_over = match end.map(|end| end.saturating_duration_since(clock::tick())) {
                None => self.bell.wait(is_over).unwrap_or_else(relock),
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    let waited = self.bell.wait_timeout(is_over, left);
                    waited.unwrap_or_else(|error| error.into_inner()).0
                }
            };
        }
        true
    }
}

/// What was seen at the last look.
#[derive(Default)]
struct Memory {
    moves: Numbers,
    was_anybody_waiting: bool,
    has_reported: bool,
}

impl Memory {
    /// Notes what a look finds, and returns whether to report: somebody has waited since the last
    /// look, nothing has moved since then, and nothing was reported since something last moved.
    fn look(&mut self, moves: Numbers, is_anybody_waiting: bool) -> bool {
        let has_moved = moves != self.moves;
        let waits = is_anybody_waiting && self.was_anybody_waiting;
        let reports = waits && !has_moved && !self.has_reported;
        *self = Self {
            moves,
            was_anybody_waiting: is_anybody_waiting,
            has_reported: reports || self.has_reported && !has_moved,
        };
        reports
    }
}

/// Looks every now and then until the pool shuts down.
pub(crate) fn main(core: &Core, watchdog: Watchdog) {
    let every = watchdog.every.max(SHORTEST);
    let mut memory = Memory::default();
    while !core.stop.wait(every) {
        if memory.look(core.numbers(), core.is_anybody_waiting()) {
            (watchdog.on_stall)(core, every);
        }
        // A thread that runs short children answers before the next look, and has moved by that.
        core.arm_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tally::Counter;

    fn moves(spawned: u64) -> Numbers {
        let mut moves = Numbers::default();
        moves[Counter::Spawned] = spawned;
        moves
    }

    #[test]
    fn it_reports_once_until_something_moves() {
        let mut memory = Memory::default();
        let looks = [1, 1, 1, 1, 2, 2, 2, 3, 4, 4];
        let reports = looks.map(|spawned| memory.look(moves(spawned), true));
        let looks = (0..10).filter(|look| reports[*look]);
        assert_eq!(looks.collect::<Vec<_>>(), [1, 5, 9]);
    }

    #[test]
    fn it_does_not_report_if_nobody_waits_or_somebody_has_just_begun_to() {
        let mut memory = Memory::default();
        assert!(!memory.look(moves(1), false));
        assert!(!memory.look(moves(1), false));
        assert!(!memory.look(moves(1), true));
        assert!(memory.look(moves(1), true));
    }
}

//! The watchdog: a thread that looks whether anything moves, in a pool that was asked to have one.

use std::time::Duration;

use crate::engine::core::{Core, Watchdog};
use crate::engine::tally::Numbers;
use crate::protocol::idle::Field;

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(1);

/// What was seen at the last look.
#[derive(Default)]
struct Memory {
    moves: Numbers,
    was_anything_open: bool,
    has_reported: bool,
}

impl Memory {
    /// Notes what a look finds, and returns whether to report: something has been open since the last look,
    /// nothing has moved since then, and nothing was reported since something last moved.
    fn look(&mut self, moves: Numbers, is_anything_open: bool) -> bool {
        let has_moved = moves != self.moves;
        let is_open = is_anything_open && self.was_anything_open;
        let reports = is_open && !has_moved && !self.has_reported;
        *self = Self {
            moves,
            was_anything_open: is_anything_open,
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
        if memory.look(core.numbers(), core.is_anything_open()) {
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
    fn it_does_not_report_if_nothing_is_open_or_was_open_at_the_last_look() {
        let mut memory = Memory::default();
        assert!(!memory.look(moves(1), false));
        assert!(!memory.look(moves(1), false));
        assert!(!memory.look(moves(1), true));
        assert!(memory.look(moves(1), true));
    }
}

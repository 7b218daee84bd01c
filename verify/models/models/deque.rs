//! The deque that stands for the real one, which the model checker does not see into.

use loom::sync::Arc;
use loom::thread;

use super::{Memory, exhaustively, twins};
use crate::platform::deque::{Steal, Worker};

/// Its own thread and a thief want the same two values.
#[test]
fn deque_gives_each_value_to_one() {
    exhaustively(|| {
        let deque = Worker::new_lifo();
        let taken = Arc::new([Memory::new(false), Memory::new(false)]);
        let take = |taken: &[Memory<bool>; 2], value: Option<usize>| {
            if let Some(value) = value {
                assert!(!taken[value].read(), "taken once");
                taken[value].write(true);
            }
        };
        deque.push(0);
        let thief = {
            let (stealer, taken) = (deque.stealer(), Arc::clone(&taken));
            let steal = move || match stealer.steal() {
                Steal::Success(value) => Some(value),
                Steal::Empty | Steal::Retry => None,
            };
            thread::spawn(move || (0..2).for_each(|_| take(&taken, steal())))
        };
        deque.push(1);
        (0..2).for_each(|_| take(&taken, deque.pop()));
        thief.join().unwrap();
        take(&taken, deque.pop());
        assert!(deque.is_empty());
        assert!(taken.iter().all(Memory::read), "none is lost");
    });
}

twins! {
    deque_gives_each_value_to_one {
        a_value_is_pushed_unseen: relaxed("door/deque.rs", "push", "fence") => Race;
        its_own_thread_looks_too_early: relaxed("door/deque.rs", "pop", "fence") => Race;
        a_thief_looks_too_early: relaxed("door/deque.rs", "steal", "fence") => Race;
        a_thief_does_not_check: split("door/deque.rs", "steal", "compare_exchange") => Race;
    }
}

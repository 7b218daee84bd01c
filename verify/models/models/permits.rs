//! Permits: no more at a time than there are, and nobody is left in line.

use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use super::{Memory, twins, within_bounds};
use crate::platform::planted;
use crate::protocol::permits::Permits;

struct Limited {
    permits: Permits<u32>,
    inside: AtomicUsize,
    /// Written by whoever is inside, who is alone there.
    last: Memory<u32>,
    done: AtomicUsize,
}

impl Limited {
    fn take_or_stand_in_line(&self, item: u32) -> Option<u32> {
        if planted::step("looks first, and takes then") && self.permits.is_left() {
            // As if what was left was its own.
            let _ = self.permits.take();
            return Some(item);
        }
        self.permits.take_or_stand_in_line(item)
    }

    /// Runs an item if there is a permit, and whoever is let go because of that.
    fn run(&self, item: u32) {
        let mut next = Some(item);
        while let Some(item) = next {
            let Some(item) = self.take_or_stand_in_line(item) else {
                return;
            };
            assert_eq!(
                self.inside.fetch_add(1, Ordering::Relaxed),
                0,
                "one at a time"
            );
            self.last.write(item);
            self.inside.fetch_sub(1, Ordering::Relaxed);
            self.done.fetch_add(1, Ordering::Relaxed);
            next = self.permits.give_back();
            if planted::step("does not run who is let go") {
                next = None;
            }
        }
    }
}

#[test]
fn permits_nobody_stands_in_line_for_ever() {
    within_bounds(|| {
        let limited = Arc::new(Limited {
            permits: Permits::new(1),
            inside: AtomicUsize::new(0),
            last: Memory::new(0),
            done: AtomicUsize::new(0),
        });
        let others = [1, 2].map(|item| {
            let limited = Arc::clone(&limited);
            thread::spawn(move || limited.run(item))
        });
        limited.run(3);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(limited.done.load(Ordering::Relaxed), 3, "all have run");
    });
}

twins! {
    permits_nobody_stands_in_line_for_ever {
        who_is_let_go_does_not_run: step("does not run who is let go") => Says("all have run");
        to_look_and_to_take_are_two_steps: step("looks first, and takes then") => Race;
    }
}

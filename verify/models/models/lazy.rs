//! A value made when it is first needed: one for all, and seen by all.

use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use super::{Memory, exhaustively, twins};
use crate::platform::lazy::Lazy;

/// A value that is written after it was made, as the fields of a real one are.
struct Made {
    value: Memory<u32>,
    count: AtomicUsize,
}

impl Default for Made {
    fn default() -> Self {
        let made = Self {
            value: Memory::new(0),
            count: AtomicUsize::new(0),
        };
        made.value.write(7);
        made
    }
}

#[test]
fn lazy_value_is_one_for_all_who_ask_at_once() {
    exhaustively(|| {
        let lazy = Arc::new(Lazy::<Made>::new());
        let other = {
            let lazy = Arc::clone(&lazy);
            thread::spawn(move || {
                assert_eq!(lazy.get().value.read(), 7, "written before it was seen");
                lazy.get().count.fetch_add(1, Ordering::Relaxed);
            })
        };
        assert_eq!(lazy.get().value.read(), 7, "written before it was seen");
        lazy.get().count.fetch_add(1, Ordering::Relaxed);
        other.join().unwrap();
        assert_eq!(lazy.get().count.load(Ordering::Relaxed), 2, "the same one");
    });
}

twins! {
    lazy_value_is_one_for_all_who_ask_at_once {
        it_is_found_before_it_was_made: relaxed("platform/lazy.rs", "get_or", "load") => Race;
        it_is_shown_before_it_was_made: relaxed("platform/lazy.rs", "fill", "compare_exchange") => Race;
        there_are_two: split("platform/lazy.rs", "fill", "compare_exchange") => Says("the same one");
    }
}

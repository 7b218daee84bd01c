//! The deque, as far as the model checker has to know it.
//!
//! It does not see into `crossbeam_deque`, so this takes its place: the same algorithm, of Chase and
//! Lev, with the orderings of `Worker::push`, `Worker::pop` (last in, first out) and `Stealer::steal`
//! there, operation for operation. A mutex instead would order more than the real one does. What is
//! left out is the buffer's growth: there are a few places, each of which is used once.
#![allow(unsafe_code, reason = "two threads read a place, and one takes it")]

use std::array;
use std::cell::Cell;
use std::mem::MaybeUninit;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::{Memory, exhaustively, twins};

use crate::platform::sync::atomic::{AtomicUsize, Ordering, fence};

/// More than any model pushes.
const PLACES: usize = 4;

/// Values at both ends of which threads work: its own at one, thieves at the other.
///
/// INVARIANT: `push` and `pop` are called by one thread at a time. A place below `front` is not looked at any
/// more.
pub(super) struct Deque<T> {
    front: AtomicUsize,
    back: AtomicUsize,
    /// What its own thread reads from `back`.
    own_back: Cell<usize>,
    places: [UnsafeCell<MaybeUninit<T>>; PLACES],
}

// SAFETY: whoever moves `front` or `back` over a place alone takes its value.
unsafe impl<T: Send> Sync for Deque<T> {}

impl<T> Deque<T> {
    pub(super) fn new() -> Self {
        Self {
            front: AtomicUsize::new(0),
            back: AtomicUsize::new(0),
            own_back: Cell::new(0),
            places: array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
        }
    }

    /// A copy of what a place holds, of which one becomes the value.
    fn read(&self, at: usize) -> MaybeUninit<T> {
        // SAFETY: the model fails before a write that races with this.
        self.places[at].with(|place| unsafe { place.read() })
    }

    fn set_back(&self, back: usize) {
        self.own_back.set(back);
        self.back.store(back, Ordering::Relaxed);
    }

    pub(super) fn push(&self, value: T) {
        let back = self.own_back.get();
        let _ = self.front.load(Ordering::Acquire);
        // SAFETY: the model fails before any access that races with this.
        self.places[back].with_mut(|place| unsafe { place.write(MaybeUninit::new(value)) });
        fence(Ordering::Release);
        self.set_back(back + 1);
    }

    /// Takes the newest value.
    pub(super) fn pop(&self) -> Option<T> {
        let back = self.own_back.get();
        if back <= self.front.load(Ordering::Relaxed) {
            return None;
        }
        self.set_back(back - 1);
        fence(Ordering::SeqCst);
        let front = self.front.load(Ordering::Relaxed);
        if back <= front {
            self.set_back(back);
            return None;
        }
        let value = self.read(back - 1);
        if back - 1 == front {
            // The last one: a thief may want it, too.
            let next = front + 1;
            let won = self
                .front
                .compare_exchange(front, next, Ordering::SeqCst, Ordering::Relaxed);
            self.set_back(back);
            won.ok()?;
        }
        // SAFETY: pushed, and taken by this thread.
        Some(unsafe { value.assume_init() })
    }

    /// Takes the oldest value; none, too, if another thread takes it at the same time.
    pub(super) fn steal(&self) -> Option<T> {
        let front = self.front.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        if self.back.load(Ordering::Acquire) <= front {
            return None;
        }
        let value = self.read(front);
        self.front
            .compare_exchange(front, front + 1, Ordering::SeqCst, Ordering::Relaxed)
            .ok()?;
        // SAFETY: pushed, and taken by this thread.
        Some(unsafe { value.assume_init() })
    }

    pub(super) fn is_empty(&self) -> bool {
        let front = self.front.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        self.back.load(Ordering::Acquire) <= front
    }
}

/// Its own thread and a thief want the same two values.
#[test]
fn deque_gives_each_value_to_one() {
    exhaustively(|| {
        let deque = Arc::new(Deque::new());
        let taken = Arc::new([Memory::new(false), Memory::new(false)]);
        let take = |taken: &[Memory<bool>; 2], value: Option<usize>| {
            if let Some(value) = value {
                assert!(!taken[value].read(), "taken once");
                taken[value].write(true);
            }
        };
        deque.push(0);
        let thief = {
            let (deque, taken) = (Arc::clone(&deque), Arc::clone(&taken));
            thread::spawn(move || (0..2).for_each(|_| take(&taken, deque.steal())))
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
        a_value_is_pushed_unseen: relaxed("models/deque.rs", "push", "fence") => Race;
        its_own_thread_looks_too_early: relaxed("models/deque.rs", "pop", "fence") => Race;
        a_thief_looks_too_early: relaxed("models/deque.rs", "steal", "fence") => Race;
        a_thief_does_not_check: split("models/deque.rs", "steal", "compare_exchange") => Race;
    }
}

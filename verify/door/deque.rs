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
use std::sync::Arc;

use loom::cell::UnsafeCell;

use crate::platform::sync::atomic::{AtomicUsize, Ordering, fence};

/// More than any model pushes.
const PLACES: usize = 4;

/// As `crossbeam_deque::Steal`.
pub(crate) enum Steal<T> {
    Empty,
    Success(T),
    Retry,
}

/// INVARIANT: a place below `front` is not looked at any more.
struct Inner<T> {
    front: AtomicUsize,
    back: AtomicUsize,
    places: [UnsafeCell<MaybeUninit<T>>; PLACES],
}

// SAFETY: a thread that moves `front` or `back` over a place alone takes its value.
unsafe impl<T: Send> Sync for Inner<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Inner<T> {}

impl<T> Inner<T> {
    /// A copy of what a place holds, of which one becomes the value.
    fn read(&self, at: usize) -> MaybeUninit<T> {
        // SAFETY: the model fails before a write that races with this.
        self.places[at].with(|place| unsafe { place.read() })
    }
}

/// The end that one thread works at.
pub(crate) struct Worker<T> {
    inner: Arc<Inner<T>>,
    /// What this thread reads from `back`.
    own_back: Cell<usize>,
}

impl<T> Worker<T> {
    pub(crate) fn new_lifo() -> Self {
        let inner = Inner {
            front: AtomicUsize::new(0),
            back: AtomicUsize::new(0),
            places: array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
        };
        Self {
            inner: Arc::new(inner),
            own_back: Cell::new(0),
        }
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer(Arc::clone(&self.inner))
    }

    fn set_back(&self, back: usize) {
        self.own_back.set(back);
        self.inner.back.store(back, Ordering::Relaxed);
    }

    pub(crate) fn push(&self, value: T) {
        let back = self.own_back.get();
        let _ = self.inner.front.load(Ordering::Acquire);
        // SAFETY: the model fails before any access that races with this.
        self.inner.places[back].with_mut(|place| unsafe { place.write(MaybeUninit::new(value)) });
        fence(Ordering::Release);
        self.set_back(back + 1);
    }

    /// Takes the newest value.
    pub(crate) fn pop(&self) -> Option<T> {
        let back = self.own_back.get();
        if back <= self.inner.front.load(Ordering::Relaxed) {
            return None;
        }
        self.set_back(back - 1);
        fence(Ordering::SeqCst);
        let front = self.inner.front.load(Ordering::Relaxed);
        if back <= front {
            self.set_back(back);
            return None;
        }
        let value = self.inner.read(back - 1);
        if back - 1 == front {
            // The last one: a thief may want it, too.
            let next = front + 1;
            let front = &self.inner.front;
            let won = front.compare_exchange(next - 1, next, Ordering::SeqCst, Ordering::Relaxed);
            self.set_back(back);
            won.ok()?;
        }
        // SAFETY: pushed, and taken by this thread.
        Some(unsafe { value.assume_init() })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.own_back.get() <= self.inner.front.load(Ordering::SeqCst)
    }
}

/// The end that thieves work at.
pub(crate) struct Stealer<T>(Arc<Inner<T>>);

impl<T> Stealer<T> {
    /// Takes the oldest value, unless another thread takes it at the same time.
    pub(crate) fn steal(&self) -> Steal<T> {
        let front = self.0.front.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        if self.0.back.load(Ordering::Acquire) <= front {
            return Steal::Empty;
        }
        let value = self.0.read(front);
        let next = front + 1;
        let places = &self.0.front;
        match places.compare_exchange(front, next, Ordering::SeqCst, Ordering::Relaxed) {
            // SAFETY: pushed, and taken by this thread.
            Ok(_) => Steal::Success(unsafe { value.assume_init() }),
            Err(_) => Steal::Retry,
        }
    }

    pub(crate) fn len(&self) -> usize {
        let front = self.0.front.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        self.0.back.load(Ordering::Acquire).saturating_sub(front)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

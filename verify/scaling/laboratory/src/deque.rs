//! crossbeam's deques. The machine does not see their atomics, so each operation touches the lines that it would.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use crossbeam_deque::Steal;
use crossbeam_utils::CachePadded;

use crate::lines::{Access, access, fence};

/// On how many lines the slots of a buffer lie.
const SLOTS: usize = 64;

type Line = CachePadded<u8>;
type At = &'static Location<'static>;

/// The lines of a deque, and the places of its ends.
#[derive(Default)]
struct Lines {
    /// Both ends, which crossbeam has on one line.
    ends: Line,
    /// The pointer to the buffer, with the thieves'.
    buffer: Line,
    slots: Vec<Line>,
    slots_per_line: usize,
    front: AtomicUsize,
    back: AtomicUsize,
}

/// Adds, which may wrap; returns the number before.
fn advance(end: &AtomicUsize, by: isize) -> usize {
    end.fetch_add(by as usize, Ordering::Relaxed)
}

impl Lines {
    fn new<T>() -> Arc<Self> {
        Arc::new(Self {
            slots: vec![Line::default(); SLOTS],
            slots_per_line: (64 / size_of::<T>().max(1)).max(1),
            ..Self::default()
        })
    }

    fn ends(&self, kind: Access, at: At) {
        access((&raw const *self.ends).addr(), kind, at);
    }

    fn buffer(&self, kind: Access, at: At) {
        access((&raw const *self.buffer).addr(), kind, at);
    }

    fn slot(&self, index: usize, kind: Access, at: At) {
        let slot = &self.slots[index / self.slots_per_line % SLOTS];
        access((&raw const **slot).addr(), kind, at);
    }

    fn front(&self) -> usize {
        self.front.load(Ordering::Relaxed)
    }
}

/// The owner's end of a deque.
pub struct Worker<T> {
    deque: crossbeam_deque::Worker<T>,
    lines: Arc<Lines>,
    is_lifo: bool,
}

impl<T> Worker<T> {
    #[must_use]
    pub fn new_lifo() -> Self {
        Self {
            deque: crossbeam_deque::Worker::new_lifo(),
            lines: Lines::new::<T>(),
            is_lifo: true,
        }
    }

    #[must_use]
    pub fn new_fifo() -> Self {
        Self {
            deque: crossbeam_deque::Worker::new_fifo(),
            lines: Lines::new::<T>(),
            is_lifo: false,
        }
    }

    #[must_use]
    pub fn stealer(&self) -> Stealer<T> {
        Stealer {
            deque: self.deque.stealer(),
            lines: Arc::clone(&self.lines),
        }
    }

    #[track_caller]
    pub fn push(&self, value: T) {
        let at = Location::caller();
        self.lines.ends(Access::Load, at);
        self.lines
            .slot(advance(&self.lines.back, 1), Access::Store, at);
        self.lines.ends(Access::Store, at);
        self.deque.push(value);
    }

    #[track_caller]
    pub fn pop(&self) -> Option<T> {
        let at = Location::caller();
        self.lines.ends(Access::Load, at);
        if self.deque.is_empty() {
            return None;
        }
        if !self.is_lifo {
            self.lines.ends(Access::Rmw, at);
            let value = self.deque.pop()?;
            self.lines
                .slot(advance(&self.lines.front, 1), Access::Load, at);
            return Some(value);
        }
        self.lines.ends(Access::Store, at);
        fence();
        self.lines.ends(Access::Load, at);
        if self.deque.len() == 1 {
            // The last one is the thieves' as well.
            self.lines.ends(Access::Rmw, at);
        }
        let value = self.deque.pop()?;
        self.lines.slot(
            advance(&self.lines.back, -1).wrapping_sub(1),
            Access::Load,
            at,
        );
        Some(value)
    }

    #[track_caller]
    pub fn is_empty(&self) -> bool {
        self.lines.ends(Access::Load, Location::caller());
        self.deque.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.deque.len()
    }
}

/// The thieves' end of a deque.
pub struct Stealer<T> {
    deque: crossbeam_deque::Stealer<T>,
    lines: Arc<Lines>,
}

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Self {
        Self {
            deque: self.deque.clone(),
            lines: Arc::clone(&self.lines),
        }
    }
}

impl<T> Stealer<T> {
    #[track_caller]
    pub fn steal(&self) -> Steal<T> {
        let at = Location::caller();
        self.lines.ends(Access::Load, at);
        // Pins the epoch.
        fence();
        self.lines.ends(Access::Load, at);
        if self.deque.is_empty() {
            return Steal::Empty;
        }
        let front = self.lines.front();
        self.lines.buffer(Access::Load, at);
        self.lines.slot(front, Access::Load, at);
        self.lines.ends(Access::Rmw, at);
        if self.lines.front() != front {
            return Steal::Retry;
        }
        let taken = self.deque.steal();
        if taken.is_success() {
            advance(&self.lines.front, 1);
        }
        taken
    }

    #[track_caller]
    pub fn is_empty(&self) -> bool {
        self.lines.ends(Access::Load, Location::caller());
        fence();
        self.deque.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.deque.len()
    }
}

/// A queue that anybody pushes to and takes from.
pub struct Injector<T> {
    deque: crossbeam_deque::Injector<T>,
    lines: Arc<Lines>,
}

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Injector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injector")
    }
}

impl<T> Injector<T> {
    #[must_use]
    pub fn new() -> Self {
        Self {
            deque: crossbeam_deque::Injector::new(),
            lines: Lines::new::<T>(),
        }
    }

    #[track_caller]
    pub fn push(&self, value: T) {
        let at = Location::caller();
        // The back has the second line here.
        self.lines.buffer(Access::Load, at);
        self.lines.buffer(Access::Rmw, at);
        self.lines
            .slot(advance(&self.lines.back, 1), Access::Store, at);
        self.deque.push(value);
    }

    #[track_caller]
    pub fn steal(&self) -> Steal<T> {
        let at = Location::caller();
        self.lines.ends(Access::Load, at);
        fence();
        self.lines.buffer(Access::Load, at);
        if self.deque.is_empty() {
            return Steal::Empty;
        }
        let front = self.lines.front();
        self.lines.ends(Access::Rmw, at);
        if self.lines.front() != front {
            return Steal::Retry;
        }
        let taken = self.deque.steal();
        if taken.is_success() {
            self.lines
                .slot(advance(&self.lines.front, 1), Access::Load, at);
        }
        taken
    }

    #[track_caller]
    pub fn is_empty(&self) -> bool {
        let at = Location::caller();
        self.lines.ends(Access::Load, at);
        self.lines.buffer(Access::Load, at);
        self.deque.is_empty()
    }
}

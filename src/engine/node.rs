//! A nursery, as far as the engine knows it: a count, a home, a parent.

use std::any::Any;
use std::cell::Cell;
use std::ptr;

use crate::engine::tally::{AtHome, Counter, NowAndThen, Numbers};
use crate::platform::lazy::Lazy;
use crate::platform::sync::OnceLock;
use crate::platform::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::platform::witness::Witness;
use crate::protocol::count::Count;

/// All the engine knows of a nursery.
///
/// INVARIANT: what its home writes for every child comes first, and what other threads read for every
/// child is a cache line away, behind this struct.
#[repr(C)]
pub(crate) struct Node {
    /// Written by the home for every child.
    pub(crate) at_home: AtHome,
    /// The nursery in whose body or child this one was opened. INVARIANT: it changes only while its process
    /// has one thread.
    pub(super) parent: Cell<*const Node>,
    /// Its own limit, if it has one: see `engine::limit`.
    pub(super) limiter: Cell<*const ()>,
    /// The opener's seat: see `engine::links`.
    pub(super) opener: *const (),
    /// Made by the first event that most nurseries never see.
    pub(super) rare: Lazy<Rare>,
    /// How many runs of this nursery exist.
    pub(crate) count: Count,
    /// The slot of the thread that last took children: a hint where they are.
    pub(super) runner: AtomicPtr<()>,
    /// Children spawned on other threads than the opener's.
    pub(super) foreign: AtomicU64,
    /// Whether this nursery was a fork. The second closure of a fork is not counted as a child, so
    /// the nursery needs nothing rare, and allocates nothing.
    is_fork: bool,
    /// Used when the nursery is over.
    pub(crate) witness: Witness,
}

/// What few nurseries need.
#[derive(Default)]
pub(crate) struct Rare {
    pub(super) numbers: NowAndThen,
    /// What the layer above keeps here.
    pub(crate) above: OnceLock<Box<dyn Any + Send + Sync>>,
    /// The context of the opener's thread, a `Captured`: see `engine::within`.
    pub(super) context: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Node {
    /// A nursery that opens now in the nursery `parent`, or in none if that is null; `opener` is the address
    /// of its opener's seat. Both outlive the nursery: `engine::links` follows them.
    #[inline]
    pub(crate) fn open(parent: *const Node, opener: *const (), is_fork: bool) -> Self {
        Self {
            at_home: AtHome::default(),
            parent: Cell::new(parent),
            limiter: Cell::new(ptr::null()),
            opener,
            rare: Lazy::new(),
            count: Count::new(),
            runner: AtomicPtr::new(ptr::null_mut()),
            foreign: AtomicU64::new(0),
            is_fork,
            witness: Witness::new(),
        }
    }

    /// Forgets the runner, because what that thread holds is not this nursery's.
    pub(crate) fn forget_runner(&self) {
        self.runner.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Returns a number for a child spawned elsewhere, behind all numbers of children that the
    /// opener spawned.
    pub(crate) fn foreign_sequence(&self) -> u64 {
        // ORDERING: Relaxed: only uniqueness matters.
        (1 << 63) | self.foreign.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether this nursery was a fork.
    pub(crate) fn is_fork(&self) -> bool {
        self.is_fork
    }

    /// What few nurseries need.
    pub(crate) fn rare(&self) -> &Rare {
        self.rare.get()
    }

    /// What the layer above keeps here, if it keeps anything.
    pub(crate) fn above(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.rare.peek()?.above.get().map(|above| &**above)
    }

    /// Counts something that does not happen in most nurseries. A fork counts nothing, because
    /// nobody asks for its numbers.
    pub(crate) fn tally(&self, count: impl FnOnce(&NowAndThen)) {
        if !self.is_fork {
            count(&self.rare.get().numbers);
        }
    }

    pub(crate) fn numbers(&self) -> Numbers {
        let mut numbers = Numbers::default();
        if let Some(rare) = self.rare.peek() {
            numbers = rare.numbers.get();
        }
        // Parts were read before: see `Counter`.
        numbers[Counter::BegunHere] = self.at_home.begun.get();
        numbers[Counter::Spawned] =
            self.at_home.spawned.get() + self.foreign.load(Ordering::Relaxed);
        numbers
    }
}

/// The part of a frame in its nursery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The bottom of a pool thread's stack.
    Root,
    /// The body of a nursery, or of a fork that has become one.
    Body,
    /// One child.
    Child,
    /// A run that this thread took; its children's frames are on top.
    Run,
    /// A fork whose second closure nobody has asked for: a nursery in the making.
    Fork,
}

//! Chunks: pieces of memory that hold records and know which nursery these belong to.
//!
//! INVARIANT: no more records are released than were allocated; a chunk whose counts are equal
//! holds no live record. Only the arena's thread allocates; any thread releases.

use std::cell::Cell;
use std::ptr;

use crate::platform::sync::atomic::{AtomicU32, Ordering};

/// The front of every chunk, aligned as all chunks are.
#[repr(C, align(16))]
pub(crate) struct ChunkHeader {
    /// The nursery of these children; opaque here.
    owner: *const (),
    /// The thread to wake when one of the children is awaited; opaque here.
    spawner: *const (),
    /// The chunk's position among the chunks of its nursery.
    sequence: u64,
    /// The next chunk of the arena's list of full chunks.
    pub(super) next: Cell<*mut ChunkHeader>,
    /// Bytes in all, this header included.
    pub(super) size: u32,
    allocated: Cell<u32>,
    /// Records released by the arena's own thread.
    released_here: Cell<u32>,
    released_elsewhere: AtomicU32,
}

impl ChunkHeader {
    pub(super) fn new(owner: Owner, sequence: u64, size: usize) -> Self {
        Self {
            owner: owner.scope,
            spawner: owner.spawner,
            sequence,
            next: Cell::new(ptr::null_mut()),
            size: u32::try_from(size).expect("a child's closure or result exceeds 4 GiB"),
            allocated: Cell::new(0),
            released_here: Cell::new(0),
            released_elsewhere: AtomicU32::new(0),
        }
    }

    pub(crate) fn owner(&self) -> *const () {
        self.owner
    }

    pub(crate) fn spawner(&self) -> *const () {
        self.spawner
    }

    #[inline]
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Counts one record that is about to be written here, by the arena's own thread.
    #[inline]
    pub(super) fn note_allocated(&self) {
        self.allocated.set(self.allocated.get() + 1);
    }

    /// Gives one record of this chunk back. Nobody touches it any more, and it is released once.
    #[inline]
    pub(super) fn release(&self, releaser: Releaser) {
        match releaser {
            Releaser::Spawner => self.released_here.set(self.released_here.get() + 1),
            // ORDERING: Release; partner: the Acquire in `is_dead`. The record's last use happens
            // before its memory is handed out again. No model hands it out; sanitized tests do.
            Releaser::Anybody => {
                self.released_elsewhere.fetch_add(1, Ordering::Release);
            }
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        // ORDERING: Acquire; partner: the Release in `release`. No model, see there.
        let elsewhere = self.released_elsewhere.load(Ordering::Acquire);
        self.released_here.get() + elsewhere == self.allocated.get()
    }
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// In an arena's chunk: its memory goes with the chunk.
    Owned,
    /// In a fork's stack frame, and in no chunk: nobody asks for its nursery or its rank.
    Frame,
    /// In a chunk of its own, freed with it.
    Single,
}

/// Where a child may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// On any thread that computes.
    Compute,
    /// It may block: only on a thread that holds no place.
    Blocking,
}

/// What a record is, from its start on.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) class: Class,
    pub(super) storage: Storage,
}

/// Which thread gives a record back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Releaser {
    /// The thread that spawned the child: for records of an arena, the arena's own.
    Spawner,
    /// Any thread.
    Anybody,
}

/// The nursery of a chunk's children, and the thread to wake when one of them is awaited.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) scope: *const (),
    pub(crate) spawner: *const (),
}

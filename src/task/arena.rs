//! The memory of one nursery's records, filled by its opener.
//!
//! The arena bump-allocates. Its first small chunk lies in the nursery's own stack frame; further
//! chunks have [`SIZE`] bytes. A chunk without a live record is filled again, so memory is bounded
//! by the records outstanding or retained (law S8), and by the chunks that they keep.
#![allow(unsafe_code, reason = "a bump allocator")]

use std::alloc::Layout;
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::platform::failpoint::{self, Failpoint};
use crate::task::chunk::{ChunkHeader, Kind, Owner, Storage};
use crate::task::memory::{self, free_chunk, heap_chunk};
use crate::task::placement::{Room, place, size_for};
use crate::task::record::Class;

/// Bytes of records in the nursery's own frame: five small children. They are part of each level of
/// a recursion. With room for eight, a tree of nurseries of eight empty children takes a tenth less time.
const IN_FRAME: usize = 160;
/// Bytes of a regular chunk on the heap: a size that threads keep for their next nurseries.
const SIZE: usize = memory::LARGEST_PIECE;
/// How many full chunks are looked at for reuse before a new one is allocated: more than a few slow
/// threads keep alive, and few enough to cost nothing beside the children of a chunk.
const LOOKS: usize = 8;

#[repr(C)]
struct InFrame {
    header: MaybeUninit<ChunkHeader>,
    records: MaybeUninit<[u8; IN_FRAME]>,
}

/// The chunks of one nursery, filled by its opener.
///
/// INVARIANT: every method but `drop` is called by one thread, and from the first spawn on the
/// arena does not move.
pub(crate) struct Arena {
    current: Cell<*mut ChunkHeader>,
    /// Bytes of `current` in use, and in all; both zero while there is none.
    used: Cell<usize>,
    limit: Cell<usize>,
    /// Oldest and newest of the full chunks.
    oldest: Cell<*mut ChunkHeader>,
    newest: Cell<*mut ChunkHeader>,
    /// How many chunks were started.
    started: Cell<u64>,
    first: UnsafeCell<InFrame>,
}

impl Arena {
    #[allow(
        clippy::multiple_unsafe_ops_per_block,
        reason = "one field after the other"
    )]
    #[inline]
    pub(crate) fn new() -> Self {
        let mut arena = MaybeUninit::<Self>::uninit();
        let at = arena.as_mut_ptr();
        // As a struct expression it would be one constant: the compiler would clear the room in the
        // frame, too.
        // SAFETY: fields of `arena`.
        unsafe {
            (&raw mut (*at).current).write(Cell::new(ptr::null_mut()));
            (&raw mut (*at).used).write(Cell::new(0));
            (&raw mut (*at).limit).write(Cell::new(0));
            (&raw mut (*at).oldest).write(Cell::new(ptr::null_mut()));
            (&raw mut (*at).newest).write(Cell::new(ptr::null_mut()));
            (&raw mut (*at).started).write(Cell::new(0));
        }
        // SAFETY: `first`, the only field not written, may stay uninitialised.
        unsafe { arena.assume_init() }
    }

    /// Room for a record behind those before it.
    ///
    /// # Safety
    ///
    /// What `owner` names outlives the record, and the arena's invariant holds.
    #[inline]
    pub(crate) unsafe fn room(
        &self,
        owner: impl FnOnce() -> Owner,
        class: Class,
        record: Layout,
    ) -> Room {
        let mut at = self.place(record);
        if at.1 > self.limit.get() {
            let owner = owner();
            if self.current.get().is_null() {
                self.open_first(owner);
                at = self.place(record);
            }
            if at.1 > self.limit.get() {
                self.grow(owner, record);
                at = self.place(record);
            }
        }
        let (start, end) = at;
        self.used.set(end);
        let storage = Storage::Owned;
        // The bytes behind `used` belong to no live record.
        Room {
            chunk: self.chunk(),
            start,
            kind: Kind { class, storage },
        }
    }

    /// Where a record would start and end in the current chunk; both are beyond the limit if there
    /// is none.
    #[inline]
    fn place(&self, record: Layout) -> (usize, usize) {
        place(self.current.get(), self.used.get(), record)
    }

    #[inline]
    fn chunk(&self) -> NonNull<ChunkHeader> {
        let chunk = self.current.get();
        debug_assert!(!chunk.is_null());
        // SAFETY: a record has found room, so there is a chunk.
        unsafe { NonNull::new_unchecked(chunk) }
    }

    #[inline]
    fn open_first(&self, owner: Owner) {
        let chunk = NonNull::from(&self.first).cast::<ChunkHeader>();
        self.restart(chunk, owner, size_of::<InFrame>());
    }

    /// Retires the current chunk and starts one that the record fits into.
    #[cold]
    #[inline(never)]
    fn grow(&self, owner: Owner, record: Layout) {
        failpoint::reach(Failpoint::ChunkGrows);
        let full = self.current.get();
        if let Some(full) = NonNull::new(full) {
            if self.reuse(full, owner, record) {
                return;
            }
            self.push_full(full);
        }
        for _ in 0..LOOKS {
            if self.oldest.get() == full {
                // Each has been looked at.
                break;
            }
            let Some(oldest) = self.pop_full() else { break };
            if self.reuse(oldest, owner, record) {
                return;
            }
            self.push_full(oldest);
        }
        let size = size_for(record).max(SIZE);
        self.start(heap_chunk(owner, self.number(), size), size);
    }

    /// Starts a chunk again if no record in it is alive and this record would fit.
    fn reuse(&self, chunk: NonNull<ChunkHeader>, owner: Owner, record: Layout) -> bool {
        // SAFETY: chunks of the arena are valid.
        let header = unsafe { chunk.as_ref() };
        let size = header.size as usize;
        let fits = place(chunk.as_ptr(), size_of::<ChunkHeader>(), record).1 <= size;
        let can = fits && header.is_dead();
        if can {
            failpoint::reach(Failpoint::ChunkReused);
            self.restart(chunk, owner, size);
        }
        can
    }

    /// Starts a chunk that holds no live record.
    #[inline]
    fn restart(&self, chunk: NonNull<ChunkHeader>, owner: Owner, size: usize) {
        let header = ChunkHeader::new(owner, self.number(), size);
        // SAFETY: the front of a chunk of this arena; no record is alive in it, so nobody else
        // looks at it.
        unsafe { chunk.write(header) };
        self.start(chunk, size);
    }

    #[inline]
    fn start(&self, chunk: NonNull<ChunkHeader>, size: usize) {
        self.current.set(chunk.as_ptr());
        self.used.set(size_of::<ChunkHeader>());
        self.limit.set(size);
    }

    #[inline]
    fn number(&self) -> u64 {
        self.started.replace(self.started.get() + 1)
    }

    fn push_full(&self, chunk: NonNull<ChunkHeader>) {
        // SAFETY: a valid chunk of this arena.
        unsafe { chunk.as_ref() }.next.set(ptr::null_mut());
        match NonNull::new(self.newest.replace(chunk.as_ptr())) {
            None => self.oldest.set(chunk.as_ptr()),
            // SAFETY: a valid chunk of this arena.
            Some(newest) => unsafe { newest.as_ref() }.next.set(chunk.as_ptr()),
        }
    }

    fn pop_full(&self) -> Option<NonNull<ChunkHeader>> {
        let oldest = NonNull::new(self.oldest.get())?;
        // SAFETY: chunks of the list are valid.
        let next = unsafe { oldest.as_ref() }.next.get();
        self.oldest.set(next);
        if next.is_null() {
            self.newest.set(next);
        }
        Some(oldest)
    }

    #[cold]
    fn free_all(&self) {
        failpoint::reach(Failpoint::ChunksFreed);
        let in_frame: *mut ChunkHeader = self.first.get().cast();
        if let Some(current) = NonNull::new(self.current.get()) {
            self.push_full(current);
        }
        while let Some(chunk) = self.pop_full() {
            if chunk.as_ptr() != in_frame {
                // SAFETY: from `heap_chunk`; the nursery is over, so its records are too.
                unsafe { free_chunk(chunk) };
            }
        }
    }
}

impl Drop for Arena {
    #[inline]
    fn drop(&mut self) {
        // If at most one chunk was started, it is the chunk in the frame.
        if self.started.get() > 1 {
            self.free_all();
        }
    }
}

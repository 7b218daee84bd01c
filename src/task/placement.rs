//! Where records lie, and how they come there.
//!
//! Most records lie in the chunks of their nursery's arena. A record that another thread than the nursery's own
//! spawns lies in a chunk of its own, freed with its last reference. The record of a fork lies in the
//! fork's stack frame, in no chunk.
#![allow(unsafe_code, reason = "hands out raw memory")]

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::platform::failpoint::{self, Failpoint};
use crate::task::chunk::{ChunkHeader, Kind, Owner, Storage};
use crate::task::memory::{ALIGN, heap_chunk};
use crate::task::record::{Class, Handle, Header, Queued, Rank, Record, Vtable};

/// Bytes of a chunk with room for this one record, whatever its alignment.
pub(super) fn size_for(record: Layout) -> usize {
    let slack = record.align().saturating_sub(ALIGN);
    size_of::<ChunkHeader>()
        .saturating_add(record.size())
        .saturating_add(slack)
}

/// Where a record of this layout fits into a chunk behind its first `used` bytes: start and end.
#[inline]
pub(super) fn place(chunk: *const ChunkHeader, used: usize, record: Layout) -> (usize, usize) {
    let align = record.align();
    let start = if align == align_of::<Header>() {
        // Every record starts and ends at a multiple of this.
        used
    } else if align <= ALIGN {
        (used + align - 1) & !(align - 1)
    } else {
        let base = chunk.addr();
        (base + used).next_multiple_of(align) - base
    };
    // No overflow: neither a chunk nor a record is larger than `isize::MAX`.
    (start, start + record.size())
}

/// Where a record is to be written.
#[must_use]
pub(crate) struct Room {
    pub(super) chunk: NonNull<ChunkHeader>,
    /// Bytes from the chunk's header. INVARIANT: from [`place`], for one record in this chunk; the bytes there are for
    /// whoever has the room.
    pub(super) start: usize,
    pub(super) kind: Kind,
}

impl Room {
    /// A chunk of its own, for threads that have no arena of the nursery.
    pub(crate) fn single(owner: Owner, sequence: u64, class: Class, record: Layout) -> Self {
        failpoint::reach(Failpoint::ChunkOfOne);
        let chunk = heap_chunk(owner, sequence, size_for(record));
        let (start, _) = place(chunk.as_ptr(), size_of::<ChunkHeader>(), record);
        let storage = Storage::Single;
        Self {
            chunk,
            start,
            kind: Kind { class, storage },
        }
    }
}

/// Writes an unstarted record into a chunk.
///
/// # Safety
///
/// As [`Record::write`]; the room is for a record of this layout, and its owner outlives the record.
#[inline]
pub(crate) unsafe fn write_record<F, T>(
    room: Room,
    vtable: &'static Vtable,
    closure: impl FnOnce(Rank) -> F,
) -> (Queued, Handle<T>) {
    let Room { chunk, start, kind } = room;
    // SAFETY: `chunk` is valid.
    let header = unsafe { chunk.as_ref() };
    header.note_allocated();
    #[allow(clippy::cast_possible_truncation, reason = "chunk sizes fit 32 bits")]
    let offset = start as u32;
    let rank = Rank::new(header.sequence(), offset);
    // SAFETY: inside the chunk.
    let at = unsafe { chunk.byte_add(start) }.cast::<Record<F, T>>();
    // SAFETY: aligned and in bounds by `place`; the caller promises the rest.
    unsafe { Record::write(at, offset, kind, vtable, closure(rank)) }
}

/// Room for one record in the stack frame of a fork.
///
/// To begin with it holds a closure and nothing else, which is all that most forks need.
pub(crate) struct ForkRecord<F, T>(UnsafeCell<MaybeUninit<Record<F, T>>>);

impl<F, T> ForkRecord<F, T> {
    #[inline]
    pub(crate) fn new(closure: F) -> Self {
        let room = Self(UnsafeCell::new(MaybeUninit::uninit()));
        // SAFETY: the record's slot is valid for writes and nobody else's.
        unsafe { Record::closure(room.record()).write(closure) };
        room
    }

    #[inline]
    fn record(&self) -> NonNull<Record<F, T>> {
        NonNull::from(&self.0).cast()
    }

    /// Moves the closure out.
    ///
    /// # Safety
    ///
    /// It has not been moved out before, and [`publish`](Self::publish) was not called.
    #[inline]
    pub(crate) unsafe fn take(&self) -> F {
        // SAFETY: `new` put it there.
        unsafe { Record::closure(self.record()).read() }
    }

    /// Makes a record of the closure, whose handle is for [`handle`](Self::handle).
    ///
    /// # Safety
    ///
    /// As [`Record::write`], for the closure given before. It is called once, the closure has not
    /// been taken, and `self` stays in place until the record is released.
    pub(crate) unsafe fn publish(&self, vtable: &'static Vtable) -> Queued {
        let kind = Kind {
            class: Class::Compute,
            storage: Storage::Frame,
        };
        // SAFETY: the caller promises the same; a record in a frame has no chunk.
        let (queued, _handle) = unsafe { Record::write_header(self.record(), 0, kind, vtable) };
        queued
    }

    /// The handle of the record.
    ///
    /// # Safety
    ///
    /// [`publish`](Self::publish) was called, and this is called once.
    pub(crate) unsafe fn handle(&self) -> Handle<T> {
        // SAFETY: the caller promises the same.
        unsafe { Record::handle(self.record()) }
    }
}

/// A chunk with room for one record, in place: for models, which have no arena.
#[cfg(hatchery_loom)]
#[repr(C)]
pub(crate) struct LoneChunk<F, T> {
    header: UnsafeCell<MaybeUninit<ChunkHeader>>,
    record: UnsafeCell<MaybeUninit<Record<F, T>>>,
}

#[cfg(hatchery_loom)]
impl<F, T> LoneChunk<F, T> {
    pub(crate) fn new(closure: F) -> Self {
        let chunk = Self {
            header: UnsafeCell::new(MaybeUninit::uninit()),
            record: UnsafeCell::new(MaybeUninit::uninit()),
        };
        // SAFETY: the record's slot is valid for writes and nobody else's.
        unsafe { Record::closure(chunk.record()).write(closure) };
        chunk
    }

    fn record(&self) -> NonNull<Record<F, T>> {
        NonNull::from(&self.record).cast()
    }

    /// Whether the record has been given back, and just once.
    ///
    /// # Safety
    ///
    /// [`publish`](Self::publish) was called.
    pub(crate) unsafe fn is_released(&self) -> bool {
        let chunk = NonNull::from(self).cast::<ChunkHeader>();
        // SAFETY: `publish` has put it there.
        unsafe { chunk.as_ref() }.is_dead()
    }

    /// Moves the closure out.
    ///
    /// # Safety
    ///
    /// It has not been moved out before, and [`publish`](Self::publish) was not called.
    pub(crate) unsafe fn take(&self) -> F {
        // SAFETY: `new` put it there.
        unsafe { Record::closure(self.record()).read() }
    }

    /// Makes a record of the closure.
    ///
    /// # Safety
    ///
    /// As [`Record::write`], for the closure given before. It is called once, the closure has not
    /// been taken, and `self` stays in place until the record is released.
    pub(crate) unsafe fn publish(
        &self,
        owner: Owner,
        vtable: &'static Vtable,
    ) -> (Queued, Handle<T>) {
        let chunk = NonNull::from(self).cast::<ChunkHeader>();
        let header = ChunkHeader::new(owner, 0, size_of::<Self>());
        header.note_allocated();
        // SAFETY: the first field of `self`, and nobody else's.
        unsafe { chunk.write(header) };
        let offset = u32::try_from(std::mem::offset_of!(Self, record)).expect("a small field");
        let kind = Kind {
            class: Class::Compute,
            storage: Storage::Owned,
        };
        // SAFETY: the second field of `self`; the caller promises the rest.
        unsafe { Record::write_header(self.record(), offset, kind, vtable) }
    }
}

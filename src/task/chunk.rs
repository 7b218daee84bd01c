//! Chunks: pieces of memory that hold records and know which nursery these belong to.
//!
//! Most chunks belong to a nursery's arena. A record that another thread than the nursery's own
//! spawns is a chunk of its own, freed with its last reference. The record of a fork lies in the
//! fork's stack frame, in no chunk.
//!
//! INVARIANT: no more records are released than were allocated; a chunk whose counts are equal
//! holds no live record. Only the arena's thread allocates; any thread releases.
#![allow(unsafe_code, reason = "hands out raw memory")]

use std::alloc::Layout;
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicU32, Ordering};
use crate::task::memory::{self, ALIGN, Most};
use crate::task::record::{Class, Handle, Header, Kind, Queued, Rank, Record, Vtable};

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

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
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

pub(super) fn heap_chunk(owner: Owner, sequence: u64, size: usize) -> NonNull<ChunkHeader> {
    let chunk = memory::take(chunk_layout(size)).cast::<ChunkHeader>();
    let header = ChunkHeader::new(owner, sequence, size);
    // SAFETY: memory of at least a header's size and alignment, and nobody else's.
    unsafe { chunk.write(header) };
    chunk
}

fn chunk_layout(size: usize) -> Layout {
    Layout::from_size_align(size, ALIGN).expect("a child's closure or result is too large")
}

/// Gives a chunk back.
///
/// # Safety
///
/// `chunk` came from [`heap_chunk`], and nobody uses it any more.
pub(super) unsafe fn free(chunk: NonNull<ChunkHeader>) {
    // SAFETY: a chunk is valid until it is freed.
    let size = unsafe { chunk.as_ref() }.size as usize;
    // SAFETY: taken with this very layout; the caller promises the rest.
    unsafe { memory::give_back(chunk.cast(), chunk_layout(size), &Most::RECORDS) };
}

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

/// Writes an unstarted record into a chunk.
///
/// # Safety
///
/// As [`Record::write`]; `start` comes from [`place`] for this record in this chunk, and the
/// bytes there are the caller's.
#[inline]
pub(super) unsafe fn write_record<F, T>(
    chunk: NonNull<ChunkHeader>,
    start: usize,
    kind: Kind,
    vtable: &'static Vtable,
    closure: impl FnOnce(Rank) -> F,
) -> (Queued, Handle<T>) {
    // SAFETY: `chunk` is valid.
    let header = unsafe { chunk.as_ref() };
    header.allocated.set(header.allocated.get() + 1);
    #[allow(clippy::cast_possible_truncation, reason = "chunk sizes fit 32 bits")]
    let offset = start as u32;
    let rank = Rank::new(header.sequence, offset);
    // SAFETY: inside the chunk.
    let at = unsafe { chunk.byte_add(start) }.cast::<Record<F, T>>();
    // SAFETY: aligned and in bounds by `place`; the caller promises the rest.
    unsafe { Record::write(at, offset, kind, vtable, closure(rank)) }
}

/// A child in a chunk of its own, for threads that have no arena of its nursery.
///
/// # Safety
///
/// As [`Record::write`]; `owner` outlives the record.
pub(crate) unsafe fn single<F, T>(
    owner: Owner,
    sequence: u64,
    class: Class,
    vtable: &'static Vtable,
    closure: impl FnOnce(Rank) -> F,
) -> (Queued, Handle<T>) {
    failpoint::reach(Failpoint::ChunkOfOne);
    let record = Layout::new::<Record<F, T>>();
    let chunk = heap_chunk(owner, sequence, size_for(record));
    let (start, _) = place(chunk.as_ptr(), size_of::<ChunkHeader>(), record);
    let storage = Storage::Single;
    // SAFETY: a fresh chunk with this one record.
    unsafe { write_record(chunk, start, Kind { class, storage }, vtable, closure) }
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
        header.allocated.set(1);
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

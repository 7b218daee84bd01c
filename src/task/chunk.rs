//! The memory of records: chunks that a nursery owns.
//!
//! The opener of a nursery bump-allocates: the first small chunk lies in the nursery's own stack
//! frame, further ones double up to [`LARGEST`]. A record that another thread spawns is a chunk
//! of its own, freed with its last reference.
//!
//! INVARIANT: `released <= allocated`; a chunk whose two counts are equal holds no live record,
//! so its arena may hand its memory out again. Only the arena's thread allocates; any thread
//! releases. Memory is therefore bounded by the records outstanding or retained (law S8), give or
//! take the chunk that each of them keeps.
#![allow(unsafe_code, reason = "a bump allocator")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::platform::sync::atomic::{AtomicU32, Ordering};
use crate::task::record::{Class, Handle, Queued, Record, Vtable};

/// Bytes of records in the nursery's own frame: about ten small children.
const IN_FRAME: usize = 448;
/// Bytes of the first chunk on the heap; each further one doubles.
const SMALLEST: usize = 4 << 10;
/// Bytes of the largest regular chunk.
const LARGEST: usize = 64 << 10;
/// Full chunks looked at for reuse before a new one is allocated.
const LOOKS: usize = 2;

/// Alignment of every chunk.
const ALIGN: usize = 16;

enum Home {
    /// An arena's, or a stack frame's: freed with it.
    Owned,
    /// One record's own: freed with it.
    Single,
}

/// The front of every chunk.
#[repr(C, align(16))]
pub(crate) struct ChunkHeader {
    /// Whose children these are; opaque here.
    owner: *const (),
    /// Whom to wake when one of them is awaited; opaque here.
    spawner: *const (),
    /// Its place in the order of the nursery's chunks.
    sequence: u64,
    /// The next chunk of the arena's list of full ones.
    next: Cell<*mut ChunkHeader>,
    /// Bytes in all, this header included.
    size: u32,
    allocated: Cell<u32>,
    released: AtomicU32,
    home: Home,
}

impl ChunkHeader {
    fn new(owner: Owner, sequence: u64, size: usize, home: Home) -> Self {
        Self {
            owner: owner.scope,
            spawner: owner.spawner,
            sequence,
            next: Cell::new(ptr::null_mut()),
            size: u32::try_from(size).expect("a child's closure or result exceeds 4 GiB"),
            allocated: Cell::new(0),
            released: AtomicU32::new(0),
            home,
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

    /// Gives one record of the chunk back.
    ///
    /// # Safety
    ///
    /// `this` is valid; the record is not touched any more, and this is its one release. The
    /// chunk may be gone when the call returns.
    pub(crate) unsafe fn release(this: NonNull<Self>) {
        // SAFETY: valid by contract; the borrow ends before the memory is freed.
        let home = unsafe { &this.as_ref().home };
        match home {
            Home::Owned => {
                // SAFETY: as above.
                let released = unsafe { &this.as_ref().released };
                // ORDERING: Release; partner: the Acquire in `is_dead`. The record's last use
                // happens before its memory is handed out again.
                released.fetch_add(1, Ordering::Release);
            }
            // SAFETY: a single chunk was allocated by `heap_chunk` and holds this one record.
            Home::Single => unsafe { free(this) },
        }
    }

    fn is_dead(&self) -> bool {
        // ORDERING: Acquire; partner: the Release in `release`.
        self.released.load(Ordering::Acquire) == self.allocated.get()
    }
}

/// Whose children a chunk holds, and whom to wake when one of them is awaited.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) scope: *const (),
    pub(crate) spawner: *const (),
}

fn heap_chunk(owner: Owner, sequence: u64, size: usize, home: Home) -> NonNull<ChunkHeader> {
    let layout = chunk_layout(size);
    // SAFETY: the size is at least a header's, so not zero.
    let at = unsafe { alloc(layout) }.cast::<ChunkHeader>();
    let Some(chunk) = NonNull::new(at) else {
        handle_alloc_error(layout)
    };
    let header = ChunkHeader::new(owner, sequence, size, home);
    // SAFETY: fresh memory of at least a header's size and alignment.
    unsafe { chunk.write(header) };
    chunk
}

fn chunk_layout(size: usize) -> Layout {
    Layout::from_size_align(size, ALIGN).expect("a child's closure or result is too large")
}

/// # Safety
///
/// `chunk` came from [`heap_chunk`], and nobody uses it any more.
unsafe fn free(chunk: NonNull<ChunkHeader>) {
    // SAFETY: valid by contract.
    let size = unsafe { chunk.as_ref() }.size as usize;
    // SAFETY: allocated with this very layout.
    unsafe { dealloc(chunk.as_ptr().cast(), chunk_layout(size)) };
}

/// Bytes of a chunk with room for this one record, whatever its alignment.
fn size_for(record: Layout) -> usize {
    let slack = record.align().saturating_sub(ALIGN);
    size_of::<ChunkHeader>()
        .saturating_add(record.size())
        .saturating_add(slack)
}

/// Where a record of this layout fits into `chunk` behind its first `used` bytes: start and end.
fn place(chunk: NonNull<ChunkHeader>, used: usize, record: Layout) -> Option<(usize, usize)> {
    let base = chunk.addr().get();
    // SAFETY: the caller's chunk is valid.
    let size = unsafe { chunk.as_ref() }.size as usize;
    let start = (base + used).checked_next_multiple_of(record.align())? - base;
    let end = start.checked_add(record.size())?;
    (end <= size).then_some((start, end))
}

/// # Safety
///
/// As [`Record::write`]; `start` comes from [`place`] for this record in this chunk, and the
/// bytes there are the caller's.
unsafe fn write_record<F, T>(
    chunk: NonNull<ChunkHeader>,
    start: usize,
    class: Class,
    vtable: &'static Vtable,
    closure: F,
) -> (Queued, Handle<T>) {
    // SAFETY: `chunk` is valid.
    let header = unsafe { chunk.as_ref() };
    header.allocated.set(header.allocated.get() + 1);
    let offset = u32::try_from(start).expect("chunk sizes fit 32 bits");
    // SAFETY: inside the chunk.
    let at = unsafe { chunk.byte_add(start) }.cast::<Record<F, T>>();
    // SAFETY: aligned and in bounds by `place`; the rest is this function's contract.
    unsafe { Record::write(at, offset, class, vtable, closure) }
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
    closure: F,
) -> (Queued, Handle<T>) {
    let record = Layout::new::<Record<F, T>>();
    let chunk = heap_chunk(owner, sequence, size_for(record), Home::Single);
    let (start, _) = place(chunk, size_of::<ChunkHeader>(), record).expect("sized for it");
    // SAFETY: a fresh chunk with this one record.
    unsafe { write_record(chunk, start, class, vtable, closure) }
}

/// A chunk with room for one record, on the stack of a fork.
#[repr(C)]
pub(crate) struct ForkChunk<F, T> {
    header: UnsafeCell<MaybeUninit<ChunkHeader>>,
    record: UnsafeCell<MaybeUninit<Record<F, T>>>,
}

impl<F, T> ForkChunk<F, T> {
    pub(crate) fn new() -> Self {
        Self {
            header: UnsafeCell::new(MaybeUninit::uninit()),
            record: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Writes the one record.
    ///
    /// # Safety
    ///
    /// As [`Record::write`]; called once, and `self` stays in place until the record is released.
    pub(crate) unsafe fn write(
        &self,
        owner: Owner,
        vtable: &'static Vtable,
        closure: F,
    ) -> (Queued, Handle<T>) {
        let chunk = NonNull::from(self).cast::<ChunkHeader>();
        let header = ChunkHeader::new(owner, 0, size_of::<Self>(), Home::Owned);
        // SAFETY: the first field of `self`, and nobody else's.
        unsafe { chunk.write(header) };
        let start = std::mem::offset_of!(Self, record);
        // SAFETY: the second field of `self`, aligned by the compiler.
        unsafe { write_record(chunk, start, Class::Compute, vtable, closure) }
    }
}

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
    current: Cell<Option<NonNull<ChunkHeader>>>,
    /// Bytes of `current` in use.
    used: Cell<usize>,
    /// Oldest and newest of the full chunks.
    full: Cell<Option<(NonNull<ChunkHeader>, NonNull<ChunkHeader>)>>,
    /// Bytes of the next chunk on the heap.
    grow: Cell<usize>,
    sequence: Cell<u64>,
    first: UnsafeCell<InFrame>,
}

impl Arena {
    pub(crate) fn new() -> Self {
        Self {
            current: Cell::new(None),
            used: Cell::new(0),
            full: Cell::new(None),
            grow: Cell::new(SMALLEST),
            sequence: Cell::new(0),
            first: UnsafeCell::new(InFrame {
                header: MaybeUninit::uninit(),
                records: MaybeUninit::uninit(),
            }),
        }
    }

    /// Writes an unstarted child behind those before it.
    ///
    /// # Safety
    ///
    /// As [`Record::write`]; `owner` outlives the record, and the arena's invariant holds.
    pub(crate) unsafe fn write<F, T>(
        &self,
        owner: Owner,
        class: Class,
        vtable: &'static Vtable,
        closure: F,
    ) -> (Queued, Handle<T>) {
        let record = Layout::new::<Record<F, T>>();
        let (chunk, start) = loop {
            let Some(chunk) = self.current.get() else {
                self.open_first(owner);
                continue;
            };
            if let Some((start, end)) = place(chunk, self.used.get(), record) {
                self.used.set(end);
                break (chunk, start);
            }
            self.grow(owner, record);
        };
        // SAFETY: the bytes behind `used` belong to no live record; the rest by contract.
        unsafe { write_record(chunk, start, class, vtable, closure) }
    }

    fn open_first(&self, owner: Owner) {
        let chunk = NonNull::new(self.first.get())
            .expect("a field has an address")
            .cast::<ChunkHeader>();
        let header = ChunkHeader::new(owner, self.number(), size_of::<InFrame>(), Home::Owned);
        // SAFETY: the front of `first`, which nobody uses yet.
        unsafe { chunk.write(header) };
        self.start(chunk);
    }

    /// Retires the current chunk and starts one that the record fits into.
    #[cold]
    fn grow(&self, owner: Owner, record: Layout) {
        if let Some(full) = self.current.take() {
            self.push_full(full);
        }
        for _ in 0..LOOKS {
            let Some(oldest) = self.pop_full() else { break };
            // SAFETY: chunks of the list are valid.
            let header = unsafe { oldest.as_ref() };
            if header.is_dead() && place(oldest, size_of::<ChunkHeader>(), record).is_some() {
                let size = header.size as usize;
                let header = ChunkHeader::new(owner, self.number(), size, Home::Owned);
                // SAFETY: no record in it is alive, so nobody else looks at the chunk.
                unsafe { oldest.write(header) };
                return self.start(oldest);
            }
            self.push_full(oldest);
        }
        let size = self.grow.get();
        self.grow.set((size * 2).min(LARGEST));
        let size = size.max(size_for(record));
        let chunk = heap_chunk(owner, self.number(), size, Home::Owned);
        self.start(chunk);
    }

    fn start(&self, chunk: NonNull<ChunkHeader>) {
        self.current.set(Some(chunk));
        self.used.set(size_of::<ChunkHeader>());
    }

    fn number(&self) -> u64 {
        self.sequence.replace(self.sequence.get() + 1)
    }

    fn push_full(&self, chunk: NonNull<ChunkHeader>) {
        // SAFETY: a valid chunk of this arena.
        unsafe { chunk.as_ref() }.next.set(ptr::null_mut());
        let oldest = match self.full.get() {
            None => chunk,
            Some((oldest, newest)) => {
                // SAFETY: as above.
                unsafe { newest.as_ref() }.next.set(chunk.as_ptr());
                oldest
            }
        };
        self.full.set(Some((oldest, chunk)));
    }

    fn pop_full(&self) -> Option<NonNull<ChunkHeader>> {
        let (oldest, newest) = self.full.get()?;
        // SAFETY: chunks of the list are valid.
        let next = NonNull::new(unsafe { oldest.as_ref() }.next.get());
        self.full.set(next.map(|next| (next, newest)));
        Some(oldest)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let in_frame: *mut ChunkHeader = self.first.get().cast();
        if let Some(current) = self.current.take() {
            self.push_full(current);
        }
        while let Some(chunk) = self.pop_full() {
            if chunk.as_ptr() != in_frame {
                // SAFETY: from `heap_chunk`; the nursery is over, so its records are too.
                unsafe { free(chunk) };
            }
        }
    }
}

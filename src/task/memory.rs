//! Memory for chunks and batches, of which each thread keeps some for its next nurseries.
//!
//! To give memory to the system and to get it back costs a page fault for every 4 KiB, which is
//! more than the children or values in it cost. What a thread has not needed for a while is freed at
//! the ends of its `spawn_each`, a piece at a time: see [`trim`]. Chunks and batches share the largest
//! pieces, so a batch may get what was a chunk.
#![allow(
    unsafe_code,
    reason = "allocates, and keeps a list through free memory"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::task::chunk::{ChunkHeader, Owner};

/// Alignment of what is kept.
pub(super) const ALIGN: usize = 16;
/// Bytes of the pieces that are kept. The system's allocator is good at smaller sizes.
const SIZES: [usize; 3] = [8 << 10, 16 << 10, LARGEST_PIECE];
/// Bytes of the largest pieces that are kept.
pub(super) const LARGEST_PIECE: usize = 32 << 10;

/// How many pieces of each size a thread keeps at most when it frees one.
struct Most([u32; 3]);

impl Most {
    /// For records: 1 MiB, or about 32 000 small children.
    const RECORDS: Self = Self([0, 0, 32]);
    /// For batches: as many as a `spawn_each` has batches; in the largest, a million `u64`.
    const BATCHES: Self = Self([64, 64, 256]);
}

/// A stack of free pieces, through the memory itself.
struct Stack {
    first: Cell<*mut u8>,
    len: Cell<u32>,
    /// The fewest pieces there were since the last [`trim`].
    least: Cell<u32>,
}

struct Cache([Stack; 3]);

crate::platform::thread::thread_local! {
    static CACHE: Cache = const { Cache([Stack::new(), Stack::new(), Stack::new()]) };
}

impl Stack {
    const fn new() -> Self {
        Self {
            first: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
            least: Cell::new(0),
        }
    }

    fn pop(&self) -> Option<NonNull<u8>> {
        let first = NonNull::new(self.first.get())?;
        // SAFETY: `push` wrote it to a piece that nobody has used since.
        self.first.set(unsafe { first.cast::<*mut u8>().read() });
        self.len.set(self.len.get() - 1);
        self.least.set(self.least.get().min(self.len.get()));
        Some(first)
    }

    /// # Safety
    ///
    /// `piece` has the size of this stack and is nobody's.
    unsafe fn push(&self, piece: NonNull<u8>) {
        let next = self.first.replace(piece.as_ptr());
        // SAFETY: large and aligned enough; the caller promises that it is free.
        unsafe { piece.cast::<*mut u8>().write(next) };
        self.len.set(self.len.get() + 1);
    }
}

impl Cache {
    /// Frees one piece of this class, if there is one.
    fn free_one(&self, class: usize) -> bool {
        let Some(piece) = self.0[class].pop() else {
            return false;
        };
        let layout = Layout::from_size_align(SIZES[class], ALIGN).expect("a valid layout");
        // SAFETY: allocated with the layout of its class.
        unsafe { dealloc(piece.as_ptr(), layout) };
        true
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        for class in 0..SIZES.len() {
            while self.free_one(class) {}
        }
    }
}

/// The stack of pieces with this layout, if these are kept.
fn class_of(layout: Layout) -> Option<usize> {
    let class = SIZES.iter().position(|size| *size == layout.size())?;
    (layout.align() == ALIGN).then_some(class)
}

/// The smallest layout that is kept and large enough, unless that would waste too much.
fn round_up(layout: Layout) -> Layout {
    let fits = |size: &&usize| layout.size() <= **size && layout.size() > **size / 2;
    let size = SIZES.iter().find(fits).filter(|_| layout.align() <= ALIGN);
    size.and_then(|size| Layout::from_size_align(*size, ALIGN).ok())
        .unwrap_or(layout)
}

/// Takes memory of this layout from what the thread keeps, or from the system.
///
/// # Panics
///
/// If the size is zero.
#[inline]
fn take(layout: Layout) -> NonNull<u8> {
    if layout.size() >= SIZES[0] {
        if let Some(kept) = take_kept(layout) {
            return kept;
        }
    }
    assert!(layout.size() > 0, "a size that is not zero");
    // SAFETY: not of size zero.
    let at = unsafe { alloc(layout) };
    NonNull::new(at).unwrap_or_else(|| handle_alloc_error(layout))
}

#[inline(never)]
fn take_kept(layout: Layout) -> Option<NonNull<u8>> {
    let class = class_of(layout)?;
    CACHE.try_with(|cache| cache.0[class].pop()).ok()?
}

/// Keeps memory for the thread's next nurseries and batches, or frees it.
///
/// # Safety
///
/// `at` came from [`take`] with this layout, and nobody uses it any more.
#[inline]
unsafe fn give_back(at: NonNull<u8>, layout: Layout, most: &Most) {
    // SAFETY: the caller promises the same.
    if layout.size() >= SIZES[0] && unsafe { keep(at, layout, most) } {
        return;
    }
    // SAFETY: the caller promises that it was allocated with this layout and is out of use.
    unsafe { dealloc(at.as_ptr(), layout) };
}

/// Keeps memory, if the thread keeps such memory and has room for it.
///
/// # Safety
///
/// As [`give_back`].
#[inline(never)]
unsafe fn keep(at: NonNull<u8>, layout: Layout, most: &Most) -> bool {
    let Some(class) = class_of(layout) else {
        return false;
    };
    let kept = CACHE.try_with(|cache| {
        let stack = &cache.0[class];
        let has_room = stack.len.get() < most.0[class];
        if has_room {
            // SAFETY: of this class, and nobody's.
            unsafe { stack.push(at) };
        }
        has_room
    });
    kept.unwrap_or(false)
}

/// Frees one piece of each size that was not needed since the last call.
#[cfg(not(hatchery_loom))]
pub(crate) fn trim() {
    let _ = CACHE.try_with(|cache| {
        for (class, stack) in cache.0.iter().enumerate() {
            if stack.least.replace(u32::MAX) > 0 {
                cache.free_one(class);
            }
            stack.least.set(stack.len.get());
        }
    });
}

/// Takes memory for a chunk on the heap, whose header says its size.
pub(super) fn heap_chunk(owner: Owner, sequence: u64, size: usize) -> NonNull<ChunkHeader> {
    let chunk = take(chunk_layout(size)).cast::<ChunkHeader>();
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
pub(super) unsafe fn free_chunk(chunk: NonNull<ChunkHeader>) {
    // SAFETY: a chunk is valid until it is freed.
    let size = unsafe { chunk.as_ref() }.size as usize;
    // SAFETY: taken with this very layout; the caller promises the rest.
    unsafe { give_back(chunk.cast(), chunk_layout(size), &Most::RECORDS) };
}

/// The memory of a batch, which does not know what is in it.
///
/// INVARIANT: `at` is aligned; unless `size` is zero, it came from [`take`] with this size and
/// alignment.
pub(super) struct Buffer {
    at: NonNull<u8>,
    size: u32,
    align: u32,
}

// SAFETY: it is memory, and does not know what is in it.
unsafe impl Send for Buffer {}

impl Buffer {
    /// Takes memory for `len` values of one type, where as many of another type of the same size
    /// fit, too.
    pub(super) fn of<A, B>(len: usize) -> Self {
        let layout = Layout::array::<A>(len)
            .and_then(|layout| layout.align_to(align_of::<B>()))
            .expect("a batch of items is too large");
        let buffer = |at, layout: Layout| Self {
            at,
            size: u32::try_from(layout.size()).expect("a batch of items is too large"),
            align: u32::try_from(layout.align()).expect("an alignment is small"),
        };
        if layout.size() == 0 {
            let at = ptr::without_provenance_mut(layout.align());
            let at = NonNull::new(at).expect("not zero");
            return buffer(at, layout);
        }
        let layout = round_up(layout);
        buffer(take(layout), layout)
    }

    /// Where the first value of type `S` would be.
    #[inline]
    pub(super) fn start<S>(&self) -> NonNull<S> {
        self.at.cast()
    }

    /// A buffer without memory.
    pub(super) fn none() -> Self {
        Self::of::<(), ()>(0)
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        if self.size == 0 {
            return;
        }
        let layout =
            Layout::from_size_align(self.size as usize, self.align as usize).expect("it was valid");
        // SAFETY: by the invariant, and the buffer ends here.
        unsafe { give_back(self.at, layout, &Most::BATCHES) };
    }
}

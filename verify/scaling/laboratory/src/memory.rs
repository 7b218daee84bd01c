//! An allocator whose addresses depend on the program alone.
//!
//! Which values share a cache line must not depend on the system's allocator, nor on what was allocated before the
//! program ran: arguments, the environment. So virtual threads have memory of their own. This allocator lays
//! it out as common allocators do: each core takes pieces of 64 KiB, cuts them into blocks, and keeps the blocks that it frees, by
//! their size, to use the last one first. Everybody else gets the system's memory.
#![allow(unsafe_code, reason = "is an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::lines::MOST_CORES;

/// The address space that is reserved, in bytes. Pages that are not used take no memory.
const ALL: usize = 4 << 30;
/// What a core takes at once, in bytes.
const PIECE: usize = 64 << 10;
/// The granularity of blocks in bytes, which is their alignment too.
const GRAIN: usize = 16;
/// Larger alignments than [`GRAIN`] are all this one, in bytes: two lines, as padding is.
const ALIGNED: usize = 128;
/// Blocks up to this size are of sizes in steps of [`GRAIN`]. Larger sizes are powers of two.
const SMALL: usize = 1024;

const SMALL_CLASSES: usize = SMALL / GRAIN;
const CLASSES: usize = SMALL_CLASSES + 2 * usize::BITS as usize;

/// The global allocator of programs that run in a machine.
#[derive(Debug)]
pub struct Memory;

thread_local! {
    /// The core that allocates, if a virtual thread runs.
    static CORE: Cell<Option<usize>> = const { Cell::new(None) };
}

static HEAP: Mutex<Heap> = Mutex::new(Heap::NEW);

fn heap() -> MutexGuard<'static, Heap> {
    HEAP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `f` while this core allocates.
pub(crate) fn of_core<R>(core: usize, f: impl FnOnce() -> R) -> R {
    CORE.set(Some(core));
    let result = f();
    CORE.set(None);
    result
}

/// Calls `f`, whose allocations are not the program's.
#[inline]
pub(crate) fn aside<R>(f: impl FnOnce() -> R) -> R {
    let core = CORE.replace(None);
    let result = f();
    CORE.set(core);
    result
}

/// A list of free blocks, linked by their first words; null if it is empty.
type Blocks = *mut u8;

struct Heap {
    /// What is reserved, and what of it no core has taken.
    start: *mut u8,
    rest: *mut u8,
    /// For each core what is left of its piece, and its free blocks by class.
    cores: [Core; MOST_CORES],
}

// SAFETY: the heap owns what its pointers point to.
unsafe impl Send for Heap {}

#[derive(Clone, Copy)]
struct Core {
    piece: *mut u8,
    left: usize,
    free: [Blocks; CLASSES],
}

/// The size of the block for this layout in bytes, and its class.
fn class(layout: Layout) -> (usize, usize) {
    if layout.align() > GRAIN {
        let size = layout.size().next_power_of_two().max(ALIGNED);
        return (
            size,
            SMALL_CLASSES + usize::BITS as usize + size.ilog2() as usize,
        );
    }
    // Eight bytes are the allocator's, as in the GNU C library.
    let size = (layout.size() + 8).next_multiple_of(GRAIN).max(2 * GRAIN);
    if size < SMALL {
        (size, size / GRAIN)
    } else {
        let size = size.next_power_of_two();
        (size, SMALL_CLASSES + size.ilog2() as usize)
    }
}

/// Whether blocks are made for this layout.
fn is_fit(layout: Layout) -> bool {
    layout.align() <= ALIGNED && layout.size() < ALL / 4
}

impl Heap {
    const NEW: Self = {
        let core = Core {
            piece: ptr::null_mut(),
            left: 0,
            free: [ptr::null_mut(); CLASSES],
        };
        Self {
            start: ptr::null_mut(),
            rest: ptr::null_mut(),
            cores: [core; MOST_CORES],
        }
    };

    fn has(&self, block: *mut u8) -> bool {
        (self.start.addr()..self.start.addr() + ALL).contains(&block.addr())
            && !self.start.is_null()
    }

    fn allocate(&mut self, core: usize, layout: Layout) -> *mut u8 {
        let (size, class) = class(layout);
        let free = self.cores[core].free[class];
        if !free.is_null() {
            // SAFETY: a free block is ours, at least a word long and aligned for one; `free` has written the word.
            self.cores[core].free[class] = unsafe { free.cast::<*mut u8>().read() };
            return free;
        }
        if size > PIECE / 4 {
            return self.take(size);
        }
        let of = &self.cores[core];
        let align = if layout.align() > GRAIN {
            ALIGNED
        } else {
            GRAIN
        };
        let gap = of.piece.addr().next_multiple_of(align) - of.piece.addr();
        if of.piece.is_null() || of.left < gap + size {
            self.cores[core].piece = self.take(PIECE);
            self.cores[core].left = PIECE;
            return self.allocate(core, layout);
        }
        let of = &mut self.cores[core];
        let block = of.piece.wrapping_add(gap);
        of.piece = block.wrapping_add(size);
        of.left -= gap + size;
        block
    }

    /// Takes from what is reserved.
    fn take(&mut self, size: usize) -> *mut u8 {
        if self.start.is_null() {
            let all = Layout::from_size_align(ALL, PIECE).expect("a valid layout");
            // SAFETY: the size is not zero.
            self.start = unsafe { System.alloc(all) };
            assert!(
                !self.start.is_null(),
                "address space for the program's memory"
            );
            self.rest = self.start;
        }
        let size = size.next_multiple_of(ALIGNED);
        let used = self.rest.addr() - self.start.addr();
        assert!(used + size <= ALL, "the program's memory is used up");
        let taken = self.rest;
        self.rest = taken.wrapping_add(size);
        taken
    }

    fn free(&mut self, core: usize, block: *mut u8, layout: Layout) {
        let (_, class) = class(layout);
        let next = self.cores[core].free[class];
        // SAFETY: nobody uses the block any more; it is at least a word long and aligned for one.
        unsafe { block.cast::<*mut u8>().write(next) };
        self.cores[core].free[class] = block;
    }
}

// SAFETY: a block is cut from memory that nothing else was cut from, or was freed with a layout of the same class: so it
// is large enough and aligned, and nobody else's.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match CORE.get() {
            Some(core) if is_fit(layout) => heap().allocate(core, layout),
            // SAFETY: by the caller's promise.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let mut heap = heap();
        if heap.has(block) {
            // Blocks that no core frees are lost.
            if let Some(core) = CORE.get() {
                heap.free(core, block, layout);
            }
            return;
        }
        drop(heap);
        // SAFETY: by the caller's promise, and it is none of ours.
        unsafe { System.dealloc(block, layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("valid")
    }

    #[test]
    fn blocks_are_apart_aligned_and_used_again_by_the_core_that_freed_them() {
        let mut heap = Box::new(Heap::NEW);
        let mut ends = 0;
        for (size, align) in [
            (1, 1),
            (24, 8),
            (40, 16),
            (5, 128),
            (130, 64),
            (5_000, 8),
            (200_000, 8),
        ] {
            let block = heap.allocate(0, layout(size, align));
            assert!(block.addr() % align == 0 && heap.has(block));
            if size < PIECE / 4 {
                assert!(block.addr() >= ends, "{size}");
                ends = block.addr() + size;
            }
        }
        let small = layout(40, 8);
        let (first, second) = (heap.allocate(1, small), heap.allocate(1, small));
        assert_eq!(second.addr() - first.addr(), 48);
        heap.free(2, first, small);
        heap.free(2, second, small);
        assert_ne!(heap.allocate(1, small), second);
        assert_eq!(heap.allocate(2, small), second);
        assert_eq!(heap.allocate(2, layout(33, 1)), first);
    }
}

//! The memory of batches, which does not know what is in it.
//!
//! A thread keeps some of this memory for its next batches.
#![allow(
    unsafe_code,
    reason = "allocates, and keeps a list through free memory"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};

/// Raw memory.
///
/// INVARIANT: `at` is aligned; unless `size` is zero, it was allocated with this size and
/// alignment.
pub(super) struct Buffer {
    at: NonNull<u8>,
    size: u32,
    align: u32,
}

// SAFETY: it is memory, and does not know what is in it.
unsafe impl Send for Buffer {}

impl Buffer {
    /// Takes memory for `len` values of one type, where as many of another type of the same size fit, too.
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
        let layout = spare::class_of(layout).unwrap_or(layout);
        let at = spare::take(layout).unwrap_or_else(|| {
            // SAFETY: not of size zero.
            let at = unsafe { alloc(layout) };
            NonNull::new(at).unwrap_or_else(|| handle_alloc_error(layout))
        });
        buffer(at, layout)
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
        if !spare::keep(self.at, layout) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.at.as_ptr(), layout) };
        }
    }
}

/// Buffers that a thread keeps for its next batches.
///
/// To give the memory of a million values to the system and to get it back takes longer, in page
/// faults, than the values do. Buffers that a thread's batches did not need are freed bit by bit.
mod spare {
    use std::alloc::{Layout, dealloc};
    use std::cell::Cell;
    use std::ptr::{self, NonNull};

    /// Bytes of the buffers that are kept. The system's allocator is good at smaller sizes.
    const SIZES: [usize; 3] = [8 << 10, 16 << 10, 32 << 10];
    /// How many buffers of each size are kept: as many as a `spawn_each` has batches; in the largest,
    /// a million `u64`.
    const MOST: [u32; 3] = [64, 64, 256];
    const ALIGN: usize = 16;

    /// A stack of buffers, through the memory itself.
    struct Stack {
        first: Cell<*mut u8>,
        len: Cell<u32>,
        /// The fewest buffers there were since `Spare::trim`.
        least: Cell<u32>,
    }

    struct Spare([Stack; 3]);

    crate::platform::thread::thread_local! {
        static SPARE: Spare = const { Spare([Stack::new(), Stack::new(), Stack::new()]) };
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
            // SAFETY: `push` wrote it to a buffer that nobody has used since.
            self.first.set(unsafe { first.cast::<*mut u8>().read() });
            self.len.set(self.len.get() - 1);
            self.least.set(self.least.get().min(self.len.get()));
            Some(first)
        }

        /// # Safety
        ///
        /// `buffer` has the size of this stack and is nobody's.
        unsafe fn push(&self, buffer: NonNull<u8>) {
            let next = self.first.replace(buffer.as_ptr());
            // SAFETY: large and aligned enough; the caller promises that it is free.
            unsafe { buffer.cast::<*mut u8>().write(next) };
            self.len.set(self.len.get() + 1);
        }
    }

    impl Spare {
        fn free(&self, class: usize) {
            let layout = Layout::from_size_align(SIZES[class], ALIGN).expect("a valid layout");
            if let Some(buffer) = self.0[class].pop() {
                // SAFETY: allocated with the layout of its class.
                unsafe { dealloc(buffer.as_ptr(), layout) };
            }
        }
    }

    impl Drop for Spare {
        fn drop(&mut self) {
            for class in 0..SIZES.len() {
                while self.0[class].len.get() > 0 {
                    self.free(class);
                }
            }
        }
    }

    /// The layout of buffers that are kept and large enough, unless that would waste too much.
    pub(super) fn class_of(layout: Layout) -> Option<Layout> {
        let fits = |size: &&usize| layout.size() <= **size && layout.size() > **size / 2;
        let size = SIZES
            .iter()
            .find(fits)
            .filter(|_| layout.align() <= ALIGN)?;
        Layout::from_size_align(*size, ALIGN).ok()
    }

    fn index_of(layout: Layout) -> Option<usize> {
        let class = SIZES.iter().position(|size| *size == layout.size())?;
        (layout.align() == ALIGN).then_some(class)
    }

    /// Takes a buffer of this very layout.
    pub(super) fn take(layout: Layout) -> Option<NonNull<u8>> {
        let class = index_of(layout)?;
        SPARE.try_with(|spare| spare.0[class].pop()).ok()?
    }

    /// Keeps a buffer that nobody uses any more; false if it cannot be kept.
    pub(super) fn keep(buffer: NonNull<u8>, layout: Layout) -> bool {
        let Some(class) = index_of(layout) else {
            return false;
        };
        let kept = SPARE.try_with(|spare| {
            let stack = &spare.0[class];
            let has_room = stack.len.get() < MOST[class];
            if has_room {
                // SAFETY: of this class, and nobody's.
                unsafe { stack.push(buffer) };
            }
            has_room
        });
        kept.unwrap_or(false)
    }

    /// Frees one buffer of each size that was not needed since the last call.
    pub(crate) fn trim() {
        let _ = SPARE.try_with(|spare| {
            for (class, stack) in spare.0.iter().enumerate() {
                if stack.least.replace(u32::MAX) > 0 {
                    spare.free(class);
                }
                stack.least.set(stack.len.get());
            }
        });
    }
}

#[cfg(not(hatchery_loom))]
pub(crate) use spare::trim as trim_spare;

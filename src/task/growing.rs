//! Items of a batch that may become more: see `scope::filling`.
#![allow(unsafe_code, reason = "two pointers to one place")]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::task::record::Handle;
use crate::task::slab::{Done, Items, Stretch, Values};

/// Items in a child that has not started. While the child is private, its spawner [adds](Tail::fill) more.
///
/// INVARIANT: made from a box, and dropped as one.
pub(crate) struct Growing<I, T>(NonNull<Items<I, T>>);

// SAFETY: it owns the items; the other pointer to them is used on the terms of `Tail::fill`.
unsafe impl<I: Send, T: Send> Send for Growing<I, T> {}

/// Where more items are added. The child may have run on another thread meanwhile, and the items be gone.
pub(crate) struct Tail<I, T> {
    items: NonNull<Items<I, T>>,
    /// The place of the first item.
    start: NonNull<u8>,
}

impl<I, T> Growing<I, T> {
    /// The first item, with room for more of them.
    pub(crate) fn of(item: I, capacity: u32) -> (Self, Tail<I, T>) {
        let mut items = Items::with_capacity(capacity.max(1));
        items.push(item);
        let start = items.start().cast();
        let items = NonNull::from(Box::leak(Box::new(items)));
        (Self(items), Tail { items, start })
    }

    /// Pulls items while there are some and there is room. No child has them yet.
    #[inline]
    pub(crate) fn fill(&mut self, items: &mut impl Iterator<Item = I>) -> Filled<I> {
        // SAFETY: by the invariant, and nobody else has the items.
        unsafe { self.0.as_mut() }.fill(items)
    }

    /// How many items there are. No more are added.
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: by the invariant.
        unsafe { self.0.as_ref() }.len
    }

    /// As [`Items::run`].
    #[inline]
    pub(crate) fn run(
        &mut self,
        run: impl for<'brand> FnOnce(Stretch<'brand, I, T>) -> Done<'brand>,
    ) -> Values<T> {
        // SAFETY: by the invariant; the child has started.
        unsafe { self.0.as_mut() }.run(run)
    }
}

impl<I, T> Drop for Growing<I, T> {
    fn drop(&mut self) {
        // SAFETY: by the invariant.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<I, T> Tail<I, T> {
    /// Adds items while there are some and there is room, up to this many in all. Returns an item that could not be added
    /// because the child may have started, or another thread may have it.
    ///
    /// # Safety
    ///
    /// `child` is the child that has the items, and it has not been joined. The batch has room for `most` items.
    #[inline]
    pub(crate) unsafe fn fill(
        &mut self,
        child: &Handle<Values<T>>,
        items: &mut impl Iterator<Item = I>,
        len: &mut u32,
        most: u32,
    ) -> Filled<I> {
        while *len < most {
            let Some(item) = items.next() else {
                return Filled::End;
            };
            let item = ManuallyDrop::new(item);
            let is_added = child.in_private(|| {
                // SAFETY: a child that has not started has the items, and the caller promises the room.
                let place = unsafe { self.start.cast::<I>().add(*len as usize) };
                // SAFETY: no item is there, and this one is not used any more.
                unsafe { place.copy_from_nonoverlapping(NonNull::from(&item).cast(), 1) };
                // SAFETY: a child that has not started has the items, and this thread is alone with it.
                unsafe { self.items.as_mut() }.len = *len + 1;
            });
            if is_added.is_none() {
                return Filled::Taken(ManuallyDrop::into_inner(item));
            }
            *len += 1;
        }
        Filled::Full
    }
}

/// Why no more items are added.
pub(crate) enum Filled<I> {
    Full,
    /// Another thread has the batch, or may have it, or it has started: this item has to go elsewhere.
    Taken(I),
    /// There are no more items.
    End,
}

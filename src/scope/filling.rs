//! A batch that is filled while it waits: its items are children from the moment that they are pulled.
//!
//! An iterator may block in the middle of a batch, perhaps until a child has run that it has given an item for. So a
//! batch is spawned with its first item, and the others are added to it where it stands, for as long as it is private
//! to the thread that fills it. If another thread takes it meanwhile, or this thread starts it, the next item begins
//! another batch.
#![allow(unsafe_code, reason = "adds items to a child that is spawned")]

use std::any;

use crate::engine::frame::Frame;
use crate::engine::seat::Seat;
use crate::scope::each::{Batch, Batched, Function};
use crate::scope::nest::{Nest, Policy};
use crate::task::growing::{Filled, Growing, Tail};
use crate::task::record::{Class, Handle};
use crate::task::slab::Values;

/// Whether an iterator of this type is known never to block: it is one of the standard library's over a range or over
/// memory. To fill a batch apart saves nearly half of the time of an empty item.
///
/// The names of types may change with the compiler. A type that is not recognised costs time, and nothing else.
fn never_blocks<I>() -> bool {
    const ENUMERATE: &str = "core::iter::adapters::enumerate::Enumerate<";
    const SOURCES: [&str; 6] = [
        "core::ops::range::Range<",
        "core::ops::range::RangeInclusive<",
        "core::slice::iter::Iter<",
        "core::slice::iter::IterMut<",
        "core::slice::iter::Chunks",
        "alloc::vec::into_iter::IntoIter<",
    ];
    let name = any::type_name::<I>();
    let source = name.strip_prefix(ENUMERATE).unwrap_or(name);
    SOURCES.iter().any(|known| source.starts_with(known))
}

/// A batch that is being filled.
pub(super) struct Filling<I, T> {
    at: At<I, T>,
    len: u32,
    capacity: u32,
}

/// Where a batch is filled.
enum At<I, T> {
    /// In the list of its nursery. INVARIANT: the child has the items that the tail belongs to, and is not joined.
    InList(Handle<Values<T>>, Tail<I, T>),
    /// Nowhere yet. The batch is spawned when it is full, and its items wait until then: the iterator [never
    /// blocks](never_blocks), or no list of the nursery is on this thread.
    Apart(Growing<I, T>),
}

impl<I, T> Filling<I, T> {
    /// Pulls items until the batch is full or taken, or there are no more items.
    #[inline]
    pub(super) fn fill(&mut self, items: &mut impl Iterator<Item = I>) -> Filled<I> {
        match &mut self.at {
            // SAFETY: by the invariant; the room is for `capacity` items.
            At::InList(child, tail) => unsafe {
                tail.fill(child, items, &mut self.len, self.capacity)
            },
            At::Apart(growing) => {
                let filled = growing.fill(items);
                self.len = growing.len();
                filled
            }
        }
    }
}

impl<'scope> Nest<'scope, '_> {
    /// Begins a batch with this item from an iterator of the type `S`, and room for as many items as `capacity`.
    pub(super) fn open_batch<P, S, F, T>(
        &'scope self,
        first: S::Item,
        capacity: u32,
        function: &Function<'scope, F>,
        is_timed: bool,
    ) -> Filling<S::Item, T>
    where
        P: Policy<T>,
        S: Iterator,
        S::Item: Send + 'scope,
        F: Fn(S::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        let (items, tail) = Growing::of(first, capacity);
        let at = Frame::nearest(self.node(), |frame| match frame {
            Some(frame) if !never_blocks::<S>() => {
                let batch = |rank| {
                    let batch = Batch::new(items, function.with_rank(rank), is_timed);
                    move || batch.run()
                };
                let (queued, child) = self.write::<Batched<P>, _, _>(Class::Compute, batch);
                frame.push(queued);
                At::InList(child, tail)
            }
            _ => At::Apart(items),
        });
        Filling {
            at,
            len: 1,
            capacity,
        }
    }

    /// Ends the filling of a batch; returns its handle, and how many items it has.
    pub(super) fn close_batch<P, I, F, T>(
        &'scope self,
        batch: Filling<I, T>,
        function: &Function<'scope, F>,
        is_timed: bool,
    ) -> (Handle<Values<T>>, u32)
    where
        P: Policy<T>,
        I: Send + 'scope,
        F: Fn(I) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        // The record counts as one child.
        let others = u64::from(batch.len) - 1;
        if others > 0 {
            Seat::with(self.node().core(), |seat| {
                self.node().note_more_spawned(seat, others);
            });
        }
        let child = match batch.at {
            At::InList(child, _) => {
                Frame::nearest(self.node(), |frame| {
                    frame.expect("it is as before").note_queued();
                });
                child
            }
            At::Apart(items) => self.spawn_with::<Batched<P>, _, _>(Class::Compute, |rank| {
                let batch = Batch::new(items, function.with_rank(rank), is_timed);
                move || batch.run()
            }),
        };
        (child, batch.len)
    }
}

#[cfg(test)]
mod tests {
    use super::never_blocks;

    fn is_known<I: IntoIterator>(_: I) -> bool {
        never_blocks::<I::IntoIter>()
    }

    #[test]
    fn what_never_blocks_is_known_by_its_name() {
        assert!(is_known(0..3) && is_known(0..=3_u64));
        assert!(is_known([1].iter()) && is_known([1].iter_mut()) && is_known(vec![1]));
        assert!(is_known([1].chunks(2)) && is_known([1].iter().enumerate()));
        assert!(!is_known((0..3).map(|i| i + 1)) && !is_known(std::sync::mpsc::channel::<()>().1));
        assert!(!is_known([1].iter().cloned()) && !is_known(std::iter::once(1)));
    }
}

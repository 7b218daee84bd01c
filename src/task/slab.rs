//! The memory of a batch: many items, and the values that come of them.
//!
//! ```text
//!   Items ── run ──> Stretch ── split ──> Stretch, Stretch ── finish ──> Done ──> Values
//! ```
//!
//! The memory has no marks: what is alive in it is known from outside. In [`Items`] all items are;
//! in a [`Stretch`] the items from `at` on, and the values before `at` that are not in a [`Gap`];
//! in [`Values`] the values that are neither taken nor in a gap. So an item is moved into the
//! function, and its value back, with nothing in between.
//!
//! Values take the place of their items if both have the same size. Otherwise they have memory of
//! their own, so that neither is retained for the sake of the other.
//!
//! INVARIANT: a `Stretch` is the only one with its brand for its range of places; it covers a range
//! that [`Items::run`] made and [`Stretch::split`] divided, and so does the `Done` that it becomes.
//!
//! Model: `models::slab_*`.
#![allow(
    unsafe_code,
    reason = "memory without marks of what is alive in it: see the invariant"
)]

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::slice;

use crate::platform::thread;
use crate::task::completion::{Completion, Payload, lose};
use crate::task::consume::{Apart, Step, consume};
use crate::task::growing::Filled;
use crate::task::memory::Buffer;

/// Whether a value fits exactly where its item was.
const fn in_place<I, T>() -> bool {
    size_of::<I>() == size_of::<T>()
}

/// Items that nobody has consumed.
pub(super) struct Items<I, T> {
    buffer: Buffer,
    pub(super) capacity: u32,
    /// INVARIANT: the first `len` places hold an item.
    pub(super) len: u32,
    types: PhantomData<(I, T)>,
}

impl<I, T> Items<I, T> {
    pub(super) fn with_capacity(capacity: u32) -> Self {
        let len = capacity as usize;
        let buffer = if in_place::<I, T>() {
            Buffer::of::<I, T>(len)
        } else {
            Buffer::of::<I, I>(len)
        };
        Self {
            buffer,
            capacity,
            len: 0,
            types: PhantomData,
        }
    }

    /// Where the first item is.
    pub(super) fn start(&self) -> NonNull<I> {
        self.buffer.start()
    }

    /// Adds an item. There is room for it.
    pub(super) fn push(&mut self, item: I) {
        let filled = self.fill(&mut Some(item).into_iter());
        debug_assert!(matches!(filled, Filled::End | Filled::Full));
    }

    /// Pulls items while there are some and there is room.
    #[inline]
    pub(super) fn fill(&mut self, items: &mut impl Iterator<Item = I>) -> Filled<I> {
        let start = self.start();
        let mut step = Step {
            at: self.len as usize,
            keep: |at| self.len = at,
        };
        while step.at < self.capacity as usize {
            let Some(item) = items.next() else {
                return Filled::End;
            };
            // SAFETY: a place inside the room.
            let place = unsafe { start.add(step.at) };
            // SAFETY: as above, and no item is there.
            unsafe { place.write(item) };
            step.at += 1;
        }
        Filled::Full
    }

    /// Calls `run` with all of the items, and returns the values that it has made of them. No item is left then.
    #[inline]
    pub(super) fn run(
        &mut self,
        run: impl for<'brand> FnOnce(Stretch<'brand, I, T>) -> Done<'brand>,
    ) -> Values<T> {
        let len = mem::take(&mut self.len);
        let own = (!in_place::<I, T>()).then(|| Buffer::of::<T, T>(len as usize));
        let values = own.as_ref().unwrap_or(&self.buffer).start();
        let done = run(Stretch {
            items: self.buffer.start(),
            values,
            start: 0,
            at: 0,
            end: len,
            gaps: Gaps::default(),
            brand: PhantomData,
        });
        assert!(done.start == 0 && done.end == len, "all items were run");
        let items = mem::replace(&mut self.buffer, Buffer::none());
        Values::new(own.unwrap_or(items), len, done.gaps)
    }
}

impl<I, T> Drop for Items<I, T> {
    fn drop(&mut self) {
        let items = Stretch::<'_, I, T> {
            items: self.buffer.start(),
            values: NonNull::dangling(),
            start: 0,
            at: 0,
            end: self.len,
            gaps: Gaps::default(),
            brand: PhantomData,
        };
        drop(items);
    }
}

/// Consecutive items of a batch, and the room for their values.
///
/// `'brand` tells batches from each other: it is invariant, and new for each of them.
pub(crate) struct Stretch<'brand, I, T> {
    items: NonNull<I>,
    values: NonNull<T>,
    start: u32,
    /// The first item not yet consumed.
    at: u32,
    end: u32,
    /// The items before `at` that left no value, in order.
    gaps: Gaps,
    brand: PhantomData<fn(&'brand ()) -> &'brand ()>,
}

// SAFETY: by the invariant nobody else has these items, and the values are moved in here.
unsafe impl<I: Send, T: Send> Send for Stretch<'_, I, T> {}

/// Items without a value.
struct Gap {
    first: u32,
    end: u32,
    /// The payload of a single item that panicked; none if the items were skipped.
    payload: Option<Payload>,
}

/// Gaps in order; one word as long as there is none.
#[derive(Default)]
#[allow(clippy::box_collection, reason = "one word as long as there is none")]
struct Gaps(Option<Box<VecDeque<Gap>>>);

impl Gaps {
    fn first(&mut self) -> Option<&mut Gap> {
        self.0.as_mut()?.front_mut()
    }

    fn last(&mut self) -> Option<&mut Gap> {
        self.0.as_mut()?.back_mut()
    }

    fn pop_first(&mut self) {
        if let Some(gaps) = &mut self.0 {
            gaps.pop_front();
        }
    }

    #[cold]
    fn push(&mut self, gap: Gap) {
        self.0.get_or_insert_default().push_back(gap);
    }

    fn append(&mut self, later: Self) {
        match (&mut self.0, later.0) {
            (_, None) => {}
            (Some(gaps), Some(mut later)) => gaps.append(&mut later),
            (none, later) => *none = later,
        }
    }
}

impl<I, T> Stretch<'_, I, T> {
    /// How many items are left.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.end - self.at
    }

    /// Moves the first item out.
    #[inline]
    fn next(&mut self) -> Option<I> {
        if self.at == self.end {
            return None;
        }
        // SAFETY: places before `end` are inside the room.
        let place = unsafe { self.items.add(self.at as usize) };
        self.at += 1;
        // SAFETY: there was an item, and with this step it is out.
        Some(unsafe { place.read() })
    }

    /// Runs items until none is left, an item panics, or `goes_on`, asked after each item, says no;
    /// false if an item has panicked.
    #[inline]
    pub(crate) fn run(&mut self, f: &impl Fn(I) -> T, goes_on: impl Fn() -> bool) -> bool {
        let (start, len) = (self.at as usize, self.len() as usize);
        let mut consumed = 0;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: places before `end` are inside the room.
            let items = unsafe { self.items.add(start) };
            // SAFETY: as above.
            let values = unsafe { self.values.add(start) };
            if in_place::<I, T>() {
                // SAFETY: by the invariant nobody else looks at these places meanwhile, and they
                // are large enough for a value.
                let places = unsafe {
                    slice::from_raw_parts_mut(values.cast::<MaybeUninit<T>>().as_ptr(), len)
                };
                consume(places, f, &goes_on, &mut consumed);
            } else {
                consume(&mut Apart(items, values, len), f, &goes_on, &mut consumed);
            }
        }));
        self.at += consumed;
        self.note(outcome)
    }

    /// Drops an item unrun, if one is left; false if that has panicked.
    pub(crate) fn skip(&mut self) -> bool {
        let Some(item) = self.next() else { return true };
        let outcome = catch_unwind(AssertUnwindSafe(|| drop(item)));
        if outcome.is_ok() {
            match self.gaps.last() {
                Some(gap) if gap.payload.is_none() && gap.end + 1 == self.at => gap.end += 1,
                _ => self.push_gap(None),
            }
        }
        self.note(outcome)
    }

    fn note(&mut self, outcome: Result<(), Payload>) -> bool {
        let Err(payload) = outcome else { return true };
        self.push_gap(Some(payload));
        false
    }

    /// Notes that the last item has left no value.
    #[cold]
    fn push_gap(&mut self, payload: Option<Payload>) {
        self.gaps.push(Gap {
            first: self.at - 1,
            end: self.at,
            payload,
        });
    }

    /// Divides the items that are left into two halves; the first is not smaller than the second.
    pub(crate) fn split(mut self) -> (Self, Self) {
        let middle = self.at + self.len().div_ceil(2);
        let right = Self {
            items: self.items,
            values: self.values,
            start: middle,
            at: middle,
            end: self.end,
            gaps: Gaps::default(),
            brand: PhantomData,
        };
        self.end = middle;
        (self, right)
    }
}

impl<'brand, I, T> Stretch<'brand, I, T> {
    /// Confirms that no item is left.
    #[inline]
    pub(crate) fn finish(mut self) -> Done<'brand> {
        assert!(self.len() == 0, "all items were consumed");
        Done {
            start: self.start,
            end: self.end,
            gaps: mem::take(&mut self.gaps),
            brand: PhantomData,
        }
    }
}

impl<I, T> Drop for Stretch<'_, I, T> {
    #[inline]
    fn drop(&mut self) {
        if mem::needs_drop::<I>() && self.len() > 0 {
            drop_all(|| self.next());
        }
    }
}

/// Drops everything, and then raises the first panic.
#[cold]
pub(super) fn drop_all<S>(mut next: impl FnMut() -> Option<S>) {
    let mut first: Option<Payload> = None;
    while let Some(one) = next() {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(one))) {
            match first {
                None => first = Some(payload),
                Some(_) => lose(payload),
            }
        }
    }
    match first {
        Some(payload) if thread::panicking() => lose(payload),
        Some(payload) => resume_unwind(payload),
        None => {}
    }
}

/// The proof that all items of a range were consumed, and which of them left no value.
pub(crate) struct Done<'brand> {
    start: u32,
    end: u32,
    gaps: Gaps,
    brand: PhantomData<fn(&'brand ()) -> &'brand ()>,
}

impl Done<'_> {
    /// Joins the two ranges into one.
    pub(crate) fn then(mut self, right: Self) -> Self {
        assert_eq!(self.end, right.start, "one comes behind the other");
        self.end = right.end;
        self.gaps.append(right.gaps);
        self
    }
}

/// What the items of a batch have left, taken from the front.
pub(crate) struct Values<T> {
    buffer: Buffer,
    next: u32,
    /// INVARIANT: there is a value in every place from `next` up to here.
    until: u32,
    len: u32,
    /// What is missing from `until` on.
    gaps: Gaps,
    types: PhantomData<T>,
}

impl<T> Values<T> {
    /// Takes a room that has a value in all of the first `len` places but the gaps.
    #[inline]
    fn new(buffer: Buffer, len: u32, mut gaps: Gaps) -> Self {
        let until = gaps.first().map_or(len, |gap| gap.first);
        Self {
            buffer,
            next: 0,
            until,
            len,
            gaps,
            types: PhantomData,
        }
    }

    /// What a batch that was skipped as a whole has left, with the panic of a destructor if there
    /// was one.
    pub(crate) fn skipped(len: u32, payload: Option<Payload>) -> Self {
        let mut gaps = Gaps::default();
        let end = u32::from(payload.is_some());
        for (first, end, payload) in [(0, end, payload), (end, len, None)] {
            if first < end {
                gaps.push(Gap {
                    first,
                    end,
                    payload,
                });
            }
        }
        Self::new(Buffer::none(), len, gaps)
    }

    /// How many values have not been taken.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len - self.next
    }

    /// How many values have been taken.
    #[inline]
    pub(crate) fn taken(&self) -> u32 {
        self.next
    }

    /// Takes the next value, if the next item has left one.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.next == self.until {
            return None;
        }
        // SAFETY: by the invariant of `until` inside the room.
        let place = unsafe { self.buffer.start::<T>().add(self.next as usize) };
        self.next += 1;
        // SAFETY: by the invariant there is a value, and with this step it is out.
        Some(unsafe { place.read() })
    }

    /// Takes all values up to the next item that has left none.
    #[inline]
    pub(crate) fn fold_some<A>(&mut self, init: A, f: &mut impl FnMut(A, T) -> A) -> A {
        let values = self.buffer.start::<T>();
        let until = self.until as usize;
        let mut step = Step {
            at: self.next as usize,
            keep: |at| self.next = at,
        };
        let mut folded = init;
        while step.at < until {
            // SAFETY: by the invariant of `until` inside the room.
            let place = unsafe { values.add(step.at) };
            step.at += 1;
            // SAFETY: by the invariant there is a value, and with this step it is out.
            folded = f(folded, unsafe { place.read() });
        }
        folded
    }

    /// Takes what the next item has left.
    pub(crate) fn next(&mut self) -> Option<Completion<T>> {
        if let Some(value) = self.pop() {
            return Some(Completion::Done(value));
        }
        let gap = self.gaps.first()?;
        gap.first += 1;
        self.next += 1;
        let payload = gap.payload.take();
        if gap.first == gap.end {
            self.gaps.pop_first();
        }
        self.until = self.gaps.first().map_or(self.len, |gap| gap.first);
        Some(match payload {
            Some(payload) => Completion::Panicked(payload),
            None => Completion::Skipped,
        })
    }

    /// Whether it makes no difference if the values are just forgotten.
    #[inline]
    pub(crate) fn are_trivial(&self) -> bool {
        self.gaps.0.is_none() && (!mem::needs_drop::<T>() || self.next == self.len)
    }
}

impl<T> Drop for Values<T> {
    #[inline]
    fn drop(&mut self) {
        if mem::needs_drop::<T>() && self.next < self.len {
            drop_all(|| self.next());
        }
    }
}

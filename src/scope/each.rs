//! Many children of one kind: items in batches, values in slabs.
//!
//! A batch is one child of the nursery. It runs its items one after the other, as a plain loop,
//! until some thread asks for work: then what is left splits in two by a fork, and each half goes
//! on like that (lazy binary splitting, Tzannes et al., PPoPP 2010). So an item costs a few
//! instructions as long as nobody is hungry, and a batch of long items is shared all the same.
//!
//! Each item still is a child of its own to the user: it panics alone, is skipped alone, and what
//! it spawns runs before the item behind it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::mem;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use crate::engine::frame::Frame;
use crate::engine::seat::Seat;
use crate::platform::sync::Arc;
use crate::platform::thread;
use crate::scope::nest::{Nest, abandon, join_verdict, wait_for_any};
use crate::scope::panics::{catching, discard};
use crate::scope::{Scope, fork};
use crate::task::record::{Class, Handle, Payload, Rank, Verdict};

/// Items of the largest batch: its bookkeeping is 1 % of the items' even if they are empty.
const LARGEST: usize = 512;
/// A batch holds this part of the items before it, so that the last ones are not a lump.
const PART: usize = 8;
/// If pulling a batch takes longer, the next one is smaller: children wait for it meanwhile.
const PULL: Duration = Duration::from_micros(50);

/// Items not yet consumed.
struct Items<I>(Vec<Option<I>>);

impl<I> Drop for Items<I> {
    fn drop(&mut self) {
        if !mem::needs_drop::<I>() {
            return;
        }
        let mut first = None;
        for item in &mut self.0 {
            if let Err(payload) = catching(|| drop(item.take())) {
                match first {
                    None => first = Some(payload),
                    Some(_) => discard(payload),
                }
            }
        }
        if let Some(payload) = first
            && !thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}

type Panics = Vec<(u32, Payload)>;

/// What the items of one batch left.
struct Batch<'scope, T> {
    scope: &'scope Scope,
    rank: Rank,
    /// Nothing for an item that panicked or was skipped.
    values: Vec<Option<T>>,
    /// By item, in order.
    panics: Panics,
}

impl<T> Drop for Batch<'_, T> {
    fn drop(&mut self) {
        let values = mem::take(&mut self.values);
        if mem::needs_drop::<T>() {
            for (i, value) in (0..).zip(values) {
                if let Some(value) = value {
                    let rank = self.rank.of_item(i);
                    self.scope.dispose(rank, Verdict::Done(value));
                }
            }
        }
        for (i, payload) in self.panics.drain(..) {
            let rank = self.rank.of_item(i);
            self.scope.dispose::<T>(rank, Verdict::Panicked(payload));
        }
    }
}

/// Consecutive items of a batch, and room for their values.
struct Piece<'a, I, T, F> {
    scope: &'a Scope,
    f: &'a F,
    /// The number of the first item in its batch.
    first: u32,
    items: &'a mut [Option<I>],
    values: &'a mut [Option<T>],
}

impl<I, T, F> Piece<'_, I, T, F>
where
    I: Send,
    T: Send,
    F: Fn(I) -> T + Sync,
{
    /// Runs the items in the innermost frame.
    fn run(self) -> Panics {
        Frame::with_current(|frame| self.run_in(frame.expect("a child runs in a frame")))
    }

    fn run_in(self, frame: &Frame<'_>) -> Panics {
        let mut panics = Panics::new();
        let len = self.items.len();
        let (scope, f) = (self.scope, self.f);
        let mut done = 0;
        for (item, value) in self.items.iter_mut().zip(self.values.iter_mut()) {
            if frame.seat.should_split() && done + 1 < len {
                break;
            }
            match run_item(scope, f, item) {
                Ok(result) => *value = result,
                Err(payload) => panics.push((self.first + number(done), payload)),
            }
            done += 1;
            frame.run_spawned();
        }
        if done < len {
            let (left, right) = self.split(done);
            let (mut left, right) = fork(frame.seat, || left.run(), || right.run());
            panics.append(&mut left);
            panics.extend(right);
        }
        panics
    }

    /// The items from `start` on, in two halves.
    fn split(self, start: usize) -> (Self, Self) {
        let middle = start + (self.items.len() - start).div_ceil(2);
        let (items, right_items) = self.items.split_at_mut(middle);
        let (values, right_values) = self.values.split_at_mut(middle);
        let left = Self {
            first: self.first + number(start),
            items: &mut items[start..],
            values: &mut values[start..],
            ..self
        };
        let right = Self {
            first: self.first + number(middle),
            items: right_items,
            values: right_values,
            ..self
        };
        (left, right)
    }
}

/// Runs one item, or drops it if the nursery has been cancelled.
#[inline]
fn run_item<I, T>(
    scope: &Scope,
    f: &impl Fn(I) -> T,
    item: &mut Option<I>,
) -> Result<Option<T>, Payload> {
    let Some(item) = item.take() else {
        return Ok(None);
    };
    let result = if scope.is_cancelled() {
        catching(|| drop(item)).map(|()| None)
    } else {
        catching(|| f(item)).map(Some)
    };
    if result.is_err() {
        scope.note_panic();
    }
    result
}

fn number(item: usize) -> u32 {
    u32::try_from(item).expect("batches are small")
}

impl<'scope> Nest<'scope, '_> {
    /// Spawns a child for each item; see [`crate::Nursery::spawn_each`].
    pub(crate) fn spawn_each<I, F, T>(&'scope self, items: I, f: F) -> Batches<'scope, T>
    where
        I: Iterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        let f = Arc::new(f);
        let mut items = items;
        let mut batches = Batches::new(self.scope());
        let mut most = LARGEST;
        loop {
            let size = (1 + batches.len() / PART).min(most);
            let started = Instant::now();
            let mut pulled = Vec::with_capacity(size.min(items.size_hint().0.max(1)));
            let end = catching(|| {
                while pulled.len() < size {
                    match items.next() {
                        Some(item) => pulled.push(Some(item)),
                        None => return true,
                    }
                }
                false
            });
            most = match started.elapsed() {
                elapsed if elapsed > PULL => (size / 2).max(1),
                _ => (most * 2).min(LARGEST),
            };
            let len = pulled.len();
            if len > 0 {
                batches.push(self.spawn_batch(pulled, &f), len);
            }
            if len == LARGEST {
                Seat::run_one_of_several(self.frame());
            }
            match end {
                Ok(false) => {}
                Ok(true) => return batches,
                Err(payload) => {
                    // The children so far are children like any other.
                    drop(batches);
                    discard(items);
                    resume_unwind(payload);
                }
            }
        }
    }

    fn spawn_batch<I, F, T>(
        &'scope self,
        items: Vec<Option<I>>,
        f: &Arc<F>,
    ) -> Handle<Batch<'scope, T>>
    where
        I: Send + 'scope,
        F: Fn(I) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        let scope = self.scope();
        let f = Arc::clone(f);
        let mut items = Items(items);
        self.spawn_with(Class::Compute, move |rank| {
            move || {
                let mut values = Vec::new();
                values.resize_with(items.0.len(), || None);
                let piece = Piece {
                    scope,
                    f: &*f,
                    first: 0,
                    items: &mut items.0,
                    values: &mut values,
                };
                let mut panics = piece.run();
                // The last batch takes the function along.
                if let Err(payload) = catching(|| drop(f)) {
                    scope.note_panic();
                    panics.push((u32::MAX, payload));
                }
                Batch {
                    scope,
                    rank,
                    values,
                    panics,
                }
            }
        })
    }
}

/// A batch that nobody has joined yet.
struct Unjoined<'scope, T> {
    handle: Handle<Batch<'scope, T>>,
    /// The number of its first item among all.
    first: usize,
    len: usize,
}

/// A batch that is being consumed.
struct Open<'scope, T> {
    batch: Batch<'scope, T>,
    first: usize,
    next: usize,
}

/// The values of one `spawn_each`.
pub(crate) struct Batches<'scope, T> {
    scope: &'scope Scope,
    unjoined: VecDeque<Unjoined<'scope, T>>,
    open: Option<Open<'scope, T>>,
    left: usize,
}

impl<'scope, T> Batches<'scope, T> {
    fn new(scope: &'scope Scope) -> Self {
        Self {
            scope,
            unjoined: VecDeque::new(),
            open: None,
            left: 0,
        }
    }

    fn push(&mut self, handle: Handle<Batch<'scope, T>>, len: usize) {
        let first = self.left;
        self.left += len;
        self.unjoined.push_back(Unjoined { handle, first, len });
    }

    /// How many values have not been taken.
    pub(crate) fn len(&self) -> usize {
        self.left
    }

    /// Waits for the next child in spawn order and takes its value, or raises its panic.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<T> {
        loop {
            if let Some((_, value)) = self.next_open() {
                return Some(value);
            }
            let next = self.unjoined.pop_front()?;
            self.join(next);
        }
    }

    /// Waits until any child has ended and takes its number and value, or raises its panic.
    #[inline]
    pub(crate) fn next_finished(&mut self) -> Option<(usize, T)> {
        loop {
            if let Some(value) = self.next_open() {
                return Some(value);
            }
            let next = self.take_finished()?;
            self.join(next);
        }
    }

    #[inline]
    fn next_open(&mut self) -> Option<(usize, T)> {
        let open = self.open.as_mut()?;
        let value = open.batch.values.get_mut(open.next)?.take();
        let number = open.first + open.next;
        self.left -= 1;
        open.next += 1;
        match value {
            Some(value) => Some((number, value)),
            None => self.raise(),
        }
    }

    #[inline(never)]
    fn take_finished(&mut self) -> Option<Unjoined<'scope, T>> {
        if self.unjoined.is_empty() {
            return None;
        }
        let handles = || self.unjoined.iter().map(|batch| &batch.handle);
        wait_for_any(self.scope, &handles);
        let finished = handles().position(|handle| handle.outcome().is_some());
        self.unjoined.remove(finished.expect("waited for one"))
    }

    #[inline(never)]
    fn join(&mut self, unjoined: Unjoined<'scope, T>) {
        let Unjoined { handle, first, len } = unjoined;
        let rank = handle.rank();
        let panics = match join_verdict(handle) {
            Verdict::Done(batch) => {
                let next = 0;
                self.open = Some(Open { batch, first, next });
                return;
            }
            // Skipped as a whole; perhaps a destructor of the items panicked.
            Verdict::Panicked(payload) => vec![(0, payload)],
            Verdict::Skipped => Vec::new(),
        };
        let mut values = Vec::new();
        values.resize_with(len, || None);
        let batch = Batch {
            scope: self.scope,
            rank,
            values,
            panics,
        };
        let next = 0;
        self.open = Some(Open { batch, first, next });
    }

    /// The item just passed has no value.
    #[cold]
    fn raise(&mut self) -> ! {
        let open = self.open.as_mut().expect("an open batch");
        let item = number(open.next - 1);
        let panics = &mut open.batch.panics;
        let verdict = match panics.iter().position(|(i, _)| *i == item) {
            Some(at) => Verdict::Panicked(panics.remove(at).1),
            None => Verdict::Skipped,
        };
        match self.scope.resolve::<Infallible>(verdict) {}
    }
}

impl<T> Drop for Batches<'_, T> {
    fn drop(&mut self) {
        for batch in self.unjoined.drain(..) {
            abandon(batch.handle);
        }
    }
}

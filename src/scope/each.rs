//! Many children of one kind: items in batches, values in slabs.
//!
//! A batch is one child of the nursery. It runs its items one after the other, as a plain loop,
//! until another thread asks for work. Then the rest is split in two by a fork, and each half goes
//! on in the same way (lazy binary splitting, Tzannes et al., PPoPP 2010). So an item costs a few
//! instructions as long as nobody asks, and a batch of long items is shared all the same.
//!
//! To the user each item is still a child of its own: it panics alone, is skipped alone, and what
//! it spawns runs before the next item.

use std::marker::PhantomData;
use std::mem;
use std::panic::resume_unwind;
use std::time::Duration;

use crate::engine::frame::Frame;
use crate::engine::grain::{self, Grain};
use crate::engine::seat::Seat;
use crate::platform::clock;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::scope::Scope;
use crate::scope::batches::{Batches, dispose_of};
use crate::scope::fork::fork_in;
use crate::scope::nest::{Nest, Policy, Total};
use crate::scope::panics::{catching, discard};
use crate::task::growing::{Filled, Growing};
use crate::task::record::{Completion, Payload, Rank};
use crate::task::slab::{Done, Stretch, Values};

/// The most items in a batch. A batch costs 0.2 us besides its items; an empty item takes 0.8 ns.
const MOST_ITEMS: u32 = 4096;
/// Bytes of items or values in the largest batch, unless one of them is larger.
const LARGEST_BYTES: usize = 32 << 10;
/// If the number of items is known, a batch holds one in this many of them: what comes after a long
/// item cannot be shared while that item runs.
const PART_OF_ALL: usize = 32;
/// If the number of items is not known, a batch holds one in this many of the items before it.
const PART_OF_FORMER: usize = 8;
/// How many times as large as the batch before it a batch is at most.
const GROWTH: u32 = 8;
/// After this many batches the thread that spawns them looks whether any batch has ended. If none has since the last
/// look, the thread lets others run some, so that an iterator without an end does not take all memory.
const BACKLOG: usize = 1024;
/// The same, if items need dropping, or are larger than their values.
const HEAVY_BACKLOG: usize = 64;

/// What the batches of one `spawn_each` share.
struct Shared<F> {
    f: F,
    /// If items are coarse, all that comes after an item is offered before the item is run. One
    /// batch in [`grain::TIMED`] is timed for that, beginning with the first; and while items are
    /// coarse, every item is. A pool that computes on one thread times none.
    items: Grain,
    /// How many batches have ended.
    ended: Arc<AtomicUsize>,
}

/// The function of one `spawn_each`, for one user of it.
///
/// The last user drops the function, under a catch.
pub(super) struct Function<'scope, F> {
    scope: &'scope Scope,
    rank: Option<Rank>,
    shared: Option<Arc<Shared<F>>>,
}

impl<'scope, F> Function<'scope, F> {
    /// The same function, for the batch with this rank.
    pub(super) fn with_rank(&self, rank: Rank) -> Self {
        Self {
            scope: self.scope,
            rank: Some(rank),
            shared: self.shared.clone(),
        }
    }

    fn get(&self) -> &Shared<F> {
        self.shared.as_ref().expect("there until the end")
    }
}

impl<F> Drop for Function<'_, F> {
    fn drop(&mut self) {
        let shared = self.shared.take();
        if let Some(rank) = self.rank {
            let rank = rank.of_item(u32::MAX);
            self.scope.dispose(rank, Completion::Done(shared));
        }
    }
}

/// The policy of a batch: what nobody joins is disposed of item by item, each a child of policy `P`.
pub(super) struct Batched<P>(PhantomData<P>);

impl<P: Policy<T>, T> Policy<Values<T>> for Batched<P> {
    const ASKS: bool = true;

    #[inline]
    fn run(closure: impl FnOnce() -> Values<T>) -> Result<Values<T>, Payload> {
        catching(closure)
    }

    fn dispose(scope: &Scope, rank: Rank, completion: Completion<Values<T>>) {
        match completion {
            Completion::Done(mut values) => dispose_of(scope, rank, &mut values, P::dispose),
            // It was skipped as a whole; perhaps a destructor of its items panicked.
            completion => scope.dispose(rank, completion),
        }
    }
}

/// A batch to be run.
pub(super) struct Batch<'scope, I, T, F> {
    items: Growing<I, T>,
    function: Function<'scope, F>,
    /// Whether to look how long its items take.
    is_timed: bool,
}

impl<'scope, I, T, F> Batch<'scope, I, T, F>
where
    I: Send,
    T: Send,
    F: Fn(I) -> T + Sync,
{
    pub(super) fn new(items: Growing<I, T>, function: Function<'scope, F>, is_timed: bool) -> Self {
        Self {
            items,
            function,
            is_timed,
        }
    }

    pub(super) fn run(mut self) -> Values<T> {
        let (scope, is_timed) = (self.function.scope, self.is_timed);
        let shared = self.function.get();
        self.items.run(|stretch| {
            let piece = Piece {
                scope,
                shared,
                is_timed,
                counted: 1,
                stretch,
            };
            piece.run()
        })
    }
}

impl<I, T, F> Drop for Batch<'_, I, T, F> {
    fn drop(&mut self) {
        if self.items.len() > 0 {
            // It was not run, and the record was counted as one child.
            let others = u64::from(self.items.len()) - 1;
            self.function.scope.note_begun(others);
            self.function.scope.note_skipped(others);
        }
        // ORDERING: Relaxed: a hint that it is worth looking.
        self.function.get().ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Consecutive items of a batch, and what to do with them.
struct Piece<'a, 'brand, I, T, F> {
    scope: &'a Scope,
    shared: &'a Shared<F>,
    is_timed: bool,
    /// Items that were counted before they begin: the batch was counted as one child.
    counted: u32,
    stretch: Stretch<'brand, I, T>,
}

impl<'brand, I, T, F> Piece<'_, 'brand, I, T, F>
where
    I: Send,
    T: Send,
    F: Fn(I) -> T + Sync,
{
    /// Runs the items in the innermost frame.
    fn run(mut self) -> Done<'brand> {
        Frame::with_current(|frame| {
            let frame = frame.expect("a child runs in a frame");
            self.run_until_asked(frame);
            if self.stretch.len() > 0 {
                return self.split_in(frame);
            }
            self.stretch.finish()
        })
    }

    /// Runs items until none is left, or the items that are left should be split.
    #[inline(never)]
    fn run_until_asked(&mut self, frame: &Frame<'_>) {
        let (scope, seat) = (self.scope, frame.seat);
        // In a fork, children that the items spawn stand in an outer frame, unless they go to the
        // strays.
        let spawned = frame.child_of(&scope.node).unwrap_or(frame);
        while self.stretch.len() > 0 {
            if scope.is_cancelled() {
                self.skip(seat);
                continue;
            }
            if self.shared.items.is_coarse() {
                seat.offer_all();
            }
            if self.stretch.len() > 1 && (self.shared.items.is_coarse() || seat.should_split()) {
                return;
            }
            let before = self.stretch.len();
            let started = (self.is_timed || self.shared.items.is_coarse()).then(clock::tick);
            let is_well = self.run_undisturbed(spawned);
            let items = before - self.stretch.len();
            if let Some(started) = started {
                self.note_time(started, items);
            }
            self.note_begun(seat, items);
            if !is_well {
                scope.note_panic(None);
            }
            frame.run_spawned(spawned, &scope.node);
        }
    }

    /// Drops an item unrun.
    #[cold]
    #[inline(never)]
    fn skip(&mut self, seat: &Seat) {
        let is_well = self.stretch.skip();
        self.note_begun(seat, 1);
        self.scope.node.note_skipped(seat, 1);
        if !is_well {
            self.scope.note_known_skip();
            self.scope.note_panic(None);
        }
    }

    /// Counts items that have begun on this seat's thread, and ended.
    fn note_begun(&mut self, seat: &Seat, items: u32) {
        let uncounted = items - mem::take(&mut self.counted);
        self.scope.node.note_begun(seat, uncounted.into());
    }

    /// Notes how long this many items have taken.
    #[cold]
    #[inline(never)]
    fn note_time(&self, started: clock::Tick, items: u32) {
        self.shared.items.note(clock::tick() - started, items);
    }

    /// Runs items until there is something to do besides running the next item; false if an item
    /// has panicked. Children that the items spawn stand in the frame `spawned`.
    #[inline]
    fn run_undisturbed(&mut self, spawned: &Frame<'_>) -> bool {
        let cancel = &self.scope.cancel;
        let is_asked = spawned.seat.slot().requests.flag();
        self.stretch.run(&self.shared.f, || {
            // Without `&&`: the branches are what the loop of an empty item spends its time on.
            // ORDERING: Relaxed: the caller looks again.
            spawned.list.is_empty() & !is_asked.load(Ordering::Relaxed) & !cancel.would_skip()
        })
    }

    #[cold]
    #[inline(never)]
    fn split_in(self, frame: &Frame<'_>) -> Done<'brand> {
        failpoint::reach(Failpoint::BatchSplit);
        let (left, right) = self.stretch.split();
        let left = Self {
            stretch: left,
            ..self
        };
        let right = Self {
            stretch: right,
            counted: 0,
            ..self
        };
        let (left, right) = fork_in(frame, || left.run(), || right.run());
        left.then(right)
    }
}

/// How many items to pull next.
struct BatchSize {
    pulled: usize,
    /// The most items in the next batch, as far as its growth and the speed of the iterator allow.
    most: u32,
    /// The most items in any batch.
    largest: u32,
}

impl BatchSize {
    fn new<I, T>() -> Self {
        let bytes = size_of::<I>().max(size_of::<T>()).max(1);
        let largest = u32::try_from(LARGEST_BYTES / bytes).unwrap_or(MOST_ITEMS);
        Self {
            pulled: 0,
            most: 1,
            largest: largest.clamp(1, MOST_ITEMS),
        }
    }

    /// How many items the next batch has, by what the iterator says of the items left. Coarse items get a batch each:
    /// their values are there when the batch ends, and a batch costs much less than such an item.
    fn size(&self, are_coarse: bool, (least, most): (usize, Option<usize>)) -> u32 {
        if are_coarse {
            return 1;
        }
        let part = if most == Some(least) {
            // One more than is left, so that the last batch meets the end.
            let all = self.pulled.saturating_add(least);
            all.div_ceil(PART_OF_ALL).min(least.saturating_add(1))
        } else {
            1 + self.pulled / PART_OF_FORMER
        };
        let part = u32::try_from(part).unwrap_or(u32::MAX);
        part.min(self.most).max(1)
    }

    fn note(&mut self, len: u32, took: Duration) {
        self.pulled += len as usize;
        // Pulling a batch should not be coarse itself: children wait for it meanwhile.
        let growth = grain::COARSE.as_nanos() / took.as_nanos().max(1);
        self.most = match u32::try_from(growth) {
            Ok(0) => len / 2,
            Ok(growth) => len.saturating_mul(growth.min(GROWTH)),
            Err(_) => len.saturating_mul(GROWTH),
        };
        self.most = self.most.clamp(1, self.largest);
    }
}

impl<'scope> Nest<'scope, '_> {
    /// Spawns a child for each item; see [`crate::Nursery::spawn_each`].
    pub(crate) fn spawn_each<I, F, T>(&'scope self, items: I, f: F) -> Box<Batches<'scope, T>>
    where
        I: Iterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        self.spawn_each_as::<Total, _, _, _>(items, f)
    }

    /// Spawns a child for each item, as children of this policy.
    #[inline(never)]
    pub(super) fn spawn_each_as<P, I, F, T>(
        &'scope self,
        mut items: I,
        f: F,
    ) -> Box<Batches<'scope, T>>
    where
        P: Policy<T>,
        I: Iterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        let is_heavy = mem::needs_drop::<I::Item>() || size_of::<I::Item>() > size_of::<T>();
        let backlog = if is_heavy { HEAVY_BACKLOG } else { BACKLOG };
        let scope = self.scope();
        let has_others = self.node().core().threads() > 1;
        let mut batches = Box::new(Batches::new(scope, P::dispose));
        let mut function = Function {
            scope,
            rank: None,
            shared: Some(Arc::new(Shared {
                f,
                items: Grain::new(false),
                ended: batches.ended(),
            })),
        };
        let mut batch_size = BatchSize::new::<I::Item, T>();
        let mut now = clock::tick();
        // An item that came when its batch had been taken, and how many should follow it.
        let mut left = None;
        let mut ended_before = 0;
        let ended = loop {
            let pull = || {
                let are_coarse = function.get().items.is_coarse();
                let size = batch_size.size(are_coarse, items.size_hint());
                items.next().map(|first| (first, size))
            };
            let pulled = left
                .take()
                .map_or_else(|| catching(pull), |pulled| Ok(Some(pulled)));
            let (first, size) = match pulled {
                Ok(Some(pulled)) => pulled,
                Ok(None) => break catching(|| drop(items)),
                Err(payload) => {
                    discard(items);
                    break Err(payload);
                }
            };
            let is_timed = has_others && batches.number() % grain::TIMED as usize == 0;
            let mut batch = self.open_batch::<P, I, _, _>(first, size, &function, is_timed);
            let filled = catching(|| batch.fill(&mut items));
            let started = mem::replace(&mut now, clock::tick());
            let (handle, len) = self.close_batch::<P, _, _, _>(batch, &function, is_timed);
            function.rank = Some(handle.rank());
            batch_size.note(len, now - started);
            batches.push(handle, len);
            match filled {
                Ok(Filled::Full) => {}
                Ok(Filled::Taken(item)) => left = Some((item, size)),
                Ok(Filled::End) => break catching(|| drop(items)),
                Err(payload) => {
                    discard(items);
                    break Err(payload);
                }
            }
            if batches.number() % backlog == 0 {
                let ended = batches.number_ended();
                if mem::replace(&mut ended_before, ended) == ended {
                    Seat::let_others_run(self.node());
                }
            }
        };
        if let Err(payload) = ended {
            // The children so far are children like any other.
            drop(batches);
            discard(function);
            resume_unwind(payload);
        }
        drop(function);
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of the batches of an iterator that takes this time for each item.
    fn sizes(all: usize, is_exact: bool, item: Duration) -> Vec<u32> {
        let mut batch_size = BatchSize::new::<u64, u64>();
        let mut sizes = Vec::new();
        while batch_size.pulled < all {
            let left = all - batch_size.pulled;
            let hint = if is_exact {
                (left, Some(left))
            } else {
                (0, None)
            };
            let len = batch_size
                .size(false, hint)
                .min(u32::try_from(left).unwrap());
            batch_size.note(len, item * len);
            sizes.push(len);
        }
        sizes
    }

    #[test]
    fn items_that_turn_out_to_be_coarse_get_batches_of_their_own() {
        let mut batch_size = BatchSize::new::<u64, u64>();
        let all = (1_000_000, Some(1_000_000));
        for len in [1, 8, 64, 512] {
            assert_eq!(batch_size.size(false, all), len);
            batch_size.note(len, Duration::from_nanos(1));
        }
        for _ in 0..3 {
            assert_eq!(batch_size.size(true, all), 1);
            batch_size.note(1, Duration::from_nanos(1));
        }
        // It was one long item: batches grow again.
        assert_eq!(batch_size.size(false, all), 8);
    }

    #[test]
    fn batches_are_large_only_if_there_are_many_items_and_they_come_quickly() {
        let quick = Duration::from_nanos(1);
        assert_eq!(sizes(1000, true, quick)[..5], [1, 8, 32, 32, 32]);
        assert!(sizes(1_000_000, true, quick).contains(&MOST_ITEMS));
        // No batch is so large that a thread which starts it last is much behind the others.
        let unknown = sizes(10_000, false, quick);
        assert!(unknown.iter().all(|len| *len <= 10_000 / 8), "{unknown:?}");
        assert!(unknown.len() < 100, "{unknown:?}");
        // Not more than 50 us at a time, give or take the first ones.
        for item in [10, 20, 60, 1000].map(Duration::from_micros) {
            let slow = sizes(1000, true, item);
            assert!(
                slow.iter()
                    .all(|len| *len == 1 || item * *len <= grain::COARSE),
                "{slow:?}"
            );
        }
    }
}

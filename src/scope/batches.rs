//! The values of a `spawn_each`: batch by batch, in spawn order or as they end.

use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::scope::Scope;
use crate::scope::nest::{Begun, abandon, wait_for_any};
use crate::task::memory;
use crate::task::record::{Completion, Handle, Payload, Rank};
use crate::task::slab::Values;

/// What becomes of an item that nobody joins.
pub(super) type Dispose<T> = fn(&Scope, Rank, Completion<T>);

/// What the items of one batch have left.
pub(super) struct Outcome<'scope, T> {
    scope: &'scope Scope,
    dispose: Dispose<T>,
    /// None if this belongs to no batch.
    rank: Option<Rank>,
    values: Values<T>,
}

impl<'scope, T> Outcome<'scope, T> {
    pub(super) fn new(
        scope: &'scope Scope,
        dispose: Dispose<T>,
        rank: Option<Rank>,
        values: Values<T>,
    ) -> Self {
        Self {
            scope,
            dispose,
            rank,
            values,
        }
    }

    #[cold]
    fn dispose(&mut self) {
        let Some(rank) = self.rank else { return };
        while let Some(completion) = self.values.next() {
            let rank = rank.of_item(self.values.taken() - 1);
            (self.dispose)(self.scope, rank, completion);
        }
    }
}

impl<T> Drop for Outcome<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if !self.values.are_trivial() {
            self.dispose();
        }
    }
}

/// A batch that nobody has joined yet.
struct Unjoined<'scope, T> {
    handle: Handle<Outcome<'scope, T>>,
    /// The number of the batch's first item among all items.
    first: usize,
    len: u32,
}

/// The values of one `spawn_each`.
pub(crate) struct Batches<'scope, T> {
    scope: &'scope Scope,
    dispose: Dispose<T>,
    unjoined: Vec<Option<Unjoined<'scope, T>>>,
    /// All batches before this index have been joined.
    front: usize,
    /// The index of the batch that was last found to have ended.
    found: usize,
    joined: usize,
    /// How many batches have ended; a few of them may only be about to end.
    ended: Arc<AtomicUsize>,
    /// The batch whose values are being taken.
    open: Outcome<'scope, T>,
    /// The number of the first item of the open batch.
    first: usize,
    /// How many items the unjoined batches have.
    left: usize,
}

impl<'scope, T> Batches<'scope, T> {
    pub(super) fn new(scope: &'scope Scope, dispose: Dispose<T>) -> Self {
        Self {
            scope,
            dispose,
            unjoined: Vec::new(),
            front: 0,
            found: 0,
            joined: 0,
            ended: Arc::new(AtomicUsize::new(0)),
            open: Outcome::new(scope, dispose, None, Values::skipped(0, None)),
            first: 0,
            left: 0,
        }
    }

    pub(super) fn push(&mut self, handle: Handle<Outcome<'scope, T>>, len: u32) {
        let first = self.left;
        self.left += len as usize;
        self.unjoined.push(Some(Unjoined { handle, first, len }));
    }

    /// The number that every batch adds itself to when it has ended.
    pub(super) fn ended(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.ended)
    }

    pub(super) fn dispose(&self) -> Dispose<T> {
        self.dispose
    }

    /// How many batches there have been.
    pub(super) fn number(&self) -> usize {
        self.unjoined.len()
    }

    /// How many values have not been taken.
    pub(crate) fn len(&self) -> usize {
        self.left + self.open.values.len() as usize
    }

    /// Waits for the next child in spawn order and takes its value, or raises its panic.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<T> {
        loop {
            if let Some(value) = self.open.values.pop() {
                return Some(value);
            }
            if !self.open_next(Self::take_front) {
                return None;
            }
        }
    }

    /// Waits until any child has ended and takes its number and value, or raises its panic.
    #[inline]
    pub(crate) fn next_ended(&mut self) -> Option<(usize, T)> {
        loop {
            if let Some(value) = self.open.values.pop() {
                return Some((self.first + self.open.values.taken() as usize - 1, value));
            }
            if !self.open_next(Self::take_ended) {
                return None;
            }
        }
    }

    /// Folds all values in spawn order, each taken as by [`next`](Self::next).
    #[inline]
    pub(crate) fn fold<A>(&mut self, init: A, mut f: impl FnMut(A, T) -> A) -> A {
        let mut folded = init;
        loop {
            folded = self.open.values.fold_some(folded, &mut f);
            if !self.open_next(Self::take_front) {
                return folded;
            }
        }
    }

    /// Goes on to the batch that `take` chooses; false if there is none.
    ///
    /// # Panics
    ///
    /// If the next item of the open batch has no value, with the panic of that item.
    #[inline(never)]
    fn open_next(&mut self, take: impl Fn(&mut Self) -> Option<Unjoined<'scope, T>>) -> bool {
        if let Some(completion) = self.open.values.next() {
            self.raise(completion);
        }
        let Some(next) = take(self) else { return false };
        let Unjoined { handle, first, len } = next;
        let rank = handle.rank();
        let begun = Begun::of(handle);
        self.first = first;
        self.left -= len as usize;
        self.joined += 1;
        self.open(begun, rank, len);
        true
    }

    #[cold]
    #[inline(never)]
    fn raise(&self, missing: Completion<T>) -> ! {
        drop(self.scope.resolve(missing));
        unreachable!("an item without a value unwinds");
    }

    fn take_front(&mut self) -> Option<Unjoined<'scope, T>> {
        loop {
            let front = self.unjoined.get_mut(self.front)?.take();
            self.front += 1;
            if front.is_some() {
                return front;
            }
        }
    }

    /// Takes a batch that has ended; waits for one if there is none.
    fn take_ended(&mut self) -> Option<Unjoined<'scope, T>> {
        if self.joined == self.unjoined.len() {
            return None;
        }
        // ORDERING: Relaxed: if it comes too late, another batch is taken.
        if self.ended.load(Ordering::Relaxed) == self.joined {
            let front = self.take_front_if(|handle| handle.is_private_and_unstarted());
            if front.is_some() {
                return front;
            }
        }
        if let Some(ended) = self.find_ended() {
            return Some(ended);
        }
        let rest = &self.unjoined[self.front..];
        let handles = || rest.iter().flatten().map(|batch| &batch.handle);
        wait_for_any(self.scope, &handles);
        self.find_ended()
    }

    fn take_front_if(
        &mut self,
        wanted: impl Fn(&Handle<Outcome<'scope, T>>) -> bool,
    ) -> Option<Unjoined<'scope, T>> {
        while self.unjoined.get(self.front).is_some_and(Option::is_none) {
            self.front += 1;
        }
        let front = self.unjoined.get_mut(self.front)?;
        front.take_if(|front| wanted(&front.handle))
    }

    /// Finds a batch that has ended, from the batch last found onwards: batches that ran one after
    /// the other are neighbours.
    fn find_ended(&mut self) -> Option<Unjoined<'scope, T>> {
        let (front, found) = (self.front, self.found.max(self.front));
        let places = (found..self.unjoined.len()).chain(front..found);
        for place in places {
            let ended = self.unjoined[place].take_if(|batch| batch.handle.outcome().is_some());
            if ended.is_some() {
                self.found = place;
                return ended;
            }
        }
        None
    }

    /// Waits for the batch, and opens what it left. Out of line, so that its locals are not on the stack while
    /// the items run here.
    #[inline(never)]
    fn open(&mut self, begun: Begun<Outcome<'scope, T>>, rank: Rank, len: u32) {
        self.open = match begun.wait() {
            Completion::Done(outcome) => outcome,
            // The batch was skipped as a whole; perhaps a destructor of its items panicked.
            Completion::Panicked(payload) => self.skipped(rank, len, Some(payload)),
            Completion::Skipped => self.skipped(rank, len, None),
        };
    }
}

impl<'scope, T> Batches<'scope, T> {
    #[cold]
    fn skipped(&self, rank: Rank, len: u32, payload: Option<Payload>) -> Outcome<'scope, T> {
        let values = Values::skipped(len, payload);
        Outcome::new(self.scope, self.dispose, Some(rank), values)
    }
}

impl<T> Drop for Batches<'_, T> {
    fn drop(&mut self) {
        for batch in self.unjoined.drain(..).flatten() {
            abandon(batch.handle);
        }
        memory::trim();
    }
}

//! The values of a `spawn_each`: batch by batch, in spawn order or as they end.

use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::scope::Scope;
use crate::scope::nest::{Begun, abandon, wait_for_any};
use crate::task::memory;
use crate::task::record::{Completion, Handle, Rank};
use crate::task::slab::Values;

/// What becomes of an item that nobody joins.
pub(super) type Dispose<T> = fn(&Scope, Rank, Completion<T>);

/// Disposes of the values that are left of a batch, each of them a child of its own.
pub(super) fn dispose_of<T>(
    scope: &Scope,
    batch: Rank,
    values: &mut Values<T>,
    dispose: Dispose<T>,
) {
    if values.are_trivial() {
        return;
    }
    while let Some(completion) = values.next() {
        dispose(scope, batch.of_item(values.taken() - 1), completion);
    }
}

/// A batch that nobody has joined yet.
struct Unjoined<T> {
    handle: Handle<Values<T>>,
    /// The number of the batch's first item among all items.
    first: usize,
    len: u32,
}

/// The values of one `spawn_each`.
pub(crate) struct Batches<'scope, T> {
    scope: &'scope Scope,
    dispose: Dispose<T>,
    unjoined: Vec<Option<Unjoined<T>>>,
    /// All batches before this index have been joined.
    front: usize,
    /// The index of the batch that was last found to have ended.
    found: usize,
    joined: usize,
    /// How many batches have ended; a few of them may only be about to end.
    ended: Arc<AtomicUsize>,
    /// What is left of the batch whose values are being taken.
    open: Values<T>,
    /// Which batch that is.
    opened: Option<Rank>,
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
            open: Values::skipped(0, None),
            opened: None,
            first: 0,
            left: 0,
        }
    }

    pub(super) fn push(&mut self, handle: Handle<Values<T>>, len: u32) {
        let first = self.left;
        self.left += len as usize;
        self.unjoined.push(Some(Unjoined { handle, first, len }));
    }

    /// The number that every batch adds itself to when it has ended.
    pub(super) fn ended(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.ended)
    }

    /// How many batches have ended, or are about to end.
    pub(super) fn number_ended(&self) -> usize {
        // ORDERING: Relaxed: a hint.
        self.ended.load(Ordering::Relaxed)
    }

    /// How many batches there have been.
    pub(super) fn number(&self) -> usize {
        self.unjoined.len()
    }

    /// How many values have not been taken.
    pub(crate) fn len(&self) -> usize {
        self.left + self.open.len() as usize
    }

    /// Waits for the next child in spawn order and takes its value, or raises its panic.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<T> {
        loop {
            if let Some(value) = self.open.pop() {
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
            if let Some(value) = self.open.pop() {
                return Some((self.first + self.open.taken() as usize - 1, value));
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
            folded = self.open.fold_some(folded, &mut f);
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
    fn open_next(&mut self, take: impl Fn(&mut Self) -> Option<Unjoined<T>>) -> bool {
        if self.open.len() > 0 {
            self.raise_next();
        }
        let Some(next) = take(self) else { return false };
        let Unjoined { handle, first, len } = next;
        self.opened = Some(handle.rank());
        self.first = first;
        self.left -= len as usize;
        self.joined += 1;
        self.open(Begun::of(handle), len);
        true
    }

    #[cold]
    #[inline(never)]
    fn raise_next(&mut self) -> ! {
        let missing = self.open.next().expect("one is left");
        drop(self.scope.resolve(missing));
        unreachable!("an item without a value unwinds");
    }

    fn take_front(&mut self) -> Option<Unjoined<T>> {
        loop {
            let front = self.unjoined.get_mut(self.front)?.take();
            self.front += 1;
            if front.is_some() {
                return front;
            }
        }
    }

    /// Takes a batch that has ended; waits for one if there is none.
    fn take_ended(&mut self) -> Option<Unjoined<T>> {
        if self.joined == self.unjoined.len() {
            return None;
        }
        // If it comes too late, another batch is taken.
        if self.number_ended() == self.joined {
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
        wanted: impl Fn(&Handle<Values<T>>) -> bool,
    ) -> Option<Unjoined<T>> {
        while self.unjoined.get(self.front).is_some_and(Option::is_none) {
            self.front += 1;
        }
        let front = self.unjoined.get_mut(self.front)?;
        front.take_if(|front| wanted(&front.handle))
    }

    /// Finds a batch that has ended, from the batch last found onwards: batches that ran one after
    /// the other are neighbours.
    fn find_ended(&mut self) -> Option<Unjoined<T>> {
        let (front, found) = (self.front, self.found.max(self.front));
        let all = (found..self.unjoined.len()).chain(front..found);
        for at in all {
            let ended = self.unjoined[at].take_if(|batch| batch.handle.outcome().is_some());
            if ended.is_some() {
                self.found = at;
                return ended;
            }
        }
        None
    }

    /// Waits for the batch, and opens what it left. Out of line, so that its locals are not on the stack while
    /// the items run here.
    #[inline(never)]
    fn open(&mut self, begun: Begun<Values<T>>, len: u32) {
        self.open = match begun.wait() {
            Completion::Done(values) => values,
            // The batch was skipped as a whole; perhaps a destructor of its items panicked.
            Completion::Panicked(payload) => Values::skipped(len, Some(payload)),
            Completion::Skipped => Values::skipped(len, None),
        };
    }
}

impl<T> Drop for Batches<'_, T> {
    fn drop(&mut self) {
        if let Some(batch) = self.opened {
            dispose_of(self.scope, batch, &mut self.open, self.dispose);
        }
        for batch in self.unjoined.drain(..).flatten() {
            abandon(batch.handle);
        }
        memory::trim();
    }
}

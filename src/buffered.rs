//! One function over the items of an iterator, with a bound on how many items are outstanding at a time.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::ControlFlow;
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};

use crate::child::Child;
use crate::platform::sync::Arc;
use crate::platform::thread;
use crate::scope::{catching, discard};

/// A lazy iterator over the values of children, which it spawns while it goes on: one child for each item.
///
/// [`Nursery::spawn_buffered`](crate::Nursery::spawn_buffered) and
/// [`TryNursery::spawn_buffered`](crate::TryNursery::spawn_buffered) return it, and say how it goes on. Its values
/// come in the order of the items. The iterator may be dropped early: it takes no more items, and the nursery waits
/// for the children that were spawned, and drops their values.
///
/// A `Buffered` is neither `Send` nor `Sync`, see [`Child`].
///
/// # Examples
///
/// ```
/// use std::ops::RangeFrom;
/// use hatchery::Buffered;
///
/// /// The sum of the values up to the first zero.
/// fn sum(values: Buffered<'_, RangeFrom<u32>, u32>) -> u32 {
///     values.take_while(|&value| value != 0).sum()
/// }
///
/// let sum = hatchery::nursery(|n| sum(n.spawn_buffered(4, 1.., |i| i * i % 49)));
/// assert_eq!(sum, 1 + 4 + 9 + 16 + 25 + 36);
/// ```
#[must_use = "iterators are lazy: no child is spawned before a value is asked for"]
pub struct Buffered<'scope, I, T> {
    /// Children that may be outstanding, at least one.
    most: usize,
    /// The children whose values were not handed out yet, in the order of their items.
    children: VecDeque<Child<'scope, T>>,
    /// `None` once no more items are taken.
    source: Option<Source<'scope, I, T>>,
}

/// Where further children come from.
struct Source<'scope, I, T> {
    items: Yielding<I>,
    spawn_next: Box<SpawnNext<'scope, I, T>>,
    /// Whether it may end before its items do.
    is_partial: bool,
}

/// Takes an item, and spawns its child. It breaks with the last child, or without one.
///
/// It can be sent, so that the compiler gives one reason why a `Buffered` cannot: the children.
type SpawnNext<'scope, I, T> = dyn Fn(&mut I) -> ControlFlow<Option<Child<'scope, T>>, Child<'scope, T>>
    + Send
    + Sync
    + 'scope;

impl<'scope, I: Iterator, T> Buffered<'scope, I, T> {
    /// The items of a total nursery.
    pub(crate) fn total<S>(most: usize, items: I, spawn: S) -> Self
    where
        S: Fn(I::Item) -> Child<'scope, T> + Send + Sync + 'scope,
    {
        let spawn_next = move |items: &mut I| match items.next() {
            Some(item) => ControlFlow::Continue(spawn(item)),
            None => ControlFlow::Break(None),
        };
        Self::new(most, items, Box::new(spawn_next), false)
    }

    /// The items of a partial nursery. Once that is cancelled, `spawn` gets `None` for the items that are left.
    pub(crate) fn partial<S>(
        most: usize,
        items: I,
        is_cancelled: impl Fn() -> bool + Send + Sync + 'scope,
        spawn: S,
    ) -> Self
    where
        S: Fn(Option<I::Item>) -> Child<'scope, T> + Send + Sync + 'scope,
    {
        let spawn_next = move |items: &mut I| {
            if is_cancelled() {
                let is_at_end = items.size_hint() == (0, Some(0));
                return ControlFlow::Break((!is_at_end).then(|| spawn(None)));
            }
            match items.next() {
                item @ Some(_) => ControlFlow::Continue(spawn(item)),
                None => ControlFlow::Break(None),
            }
        };
        Self::new(most, items, Box::new(spawn_next), true)
    }

    fn new(
        most: usize,
        items: I,
        spawn_next: Box<SpawnNext<'scope, I, T>>,
        is_partial: bool,
    ) -> Self {
        Self {
            most: most.max(1),
            children: VecDeque::new(),
            source: Some(Source {
                items: Yielding::new(items),
                spawn_next,
                is_partial,
            }),
        }
    }

    /// Spawns children until as many are outstanding as may be, or there are no more items.
    fn fill(&mut self) {
        while self.children.len() < self.most {
            let Some(source) = &mut self.source else {
                return;
            };
            match catching(|| (source.spawn_next)(source.items.get_mut())) {
                Ok(ControlFlow::Continue(child)) => self.children.push_back(child),
                Ok(ControlFlow::Break(last)) => {
                    self.children.extend(last);
                    drop(self.source.take());
                }
                Err(payload) => {
                    discard(self.source.take());
                    resume_unwind(payload);
                }
            }
        }
    }
}

impl<I: Iterator, T> Iterator for Buffered<'_, I, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.fill();
        self.children.pop_front().map(Child::join)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let outstanding = self.children.len();
        let Some(source) = &self.source else {
            return (outstanding, Some(outstanding));
        };
        let (mut least, most) = source.items.get().size_hint();
        if source.is_partial {
            // One child stands for all items that are left when the nursery is cancelled.
            least = least.min(1);
        }
        let most = most.and_then(|most| most.checked_add(outstanding));
        (least.saturating_add(outstanding), most)
    }
}

impl<I: Iterator, T> FusedIterator for Buffered<'_, I, T> {}

// A panic leaves the children as they are: finished, or not. What the iterator borrows may be seen after its panic.
impl<I: UnwindSafe, T> UnwindSafe for Buffered<'_, I, T> {}
impl<I: RefUnwindSafe, T> RefUnwindSafe for Buffered<'_, I, T> {}

impl<I, T> fmt::Debug for Buffered<'_, I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered")
            .field("most", &self.most)
            .field("outstanding", &self.children.len())
            .finish()
    }
}

/// A value of the user whose destructor may panic: that panic gives way to one that came before it (law E8).
struct Yielding<V>(Option<V>);

impl<V> Yielding<V> {
    fn new(value: V) -> Self {
        Self(Some(value))
    }

    fn get(&self) -> &V {
        self.0.as_ref().expect("there until it is dropped")
    }

    fn get_mut(&mut self) -> &mut V {
        self.0.as_mut().expect("there until it is dropped")
    }
}

impl<V> Drop for Yielding<V> {
    fn drop(&mut self) {
        if thread::panicking() {
            discard(self.0.take());
        }
    }
}

/// The function of one `spawn_buffered`; the last of its users drops it.
pub(crate) struct Function<F>(Arc<Yielding<F>>);

impl<F> Function<F> {
    pub(crate) fn new(f: F) -> Self {
        Self(Arc::new(Yielding::new(f)))
    }

    /// This function with its argument.
    pub(crate) fn with<A>(&self, item: A) -> Call<A, F> {
        let function = Self(Arc::clone(&self.0));
        Call { item, function }
    }
}

/// A function with its argument.
///
/// If neither is used, the item is dropped first. If the item's destructor panics, a panic in the function's destructor
/// gives way to that panic.
pub(crate) struct Call<A, F> {
    item: A,
    function: Function<F>,
}

impl<A, F> Call<A, F> {
    pub(crate) fn run<R>(self) -> R
    where
        F: Fn(A) -> R,
    {
        let Self { item, function } = self;
        function.0.get()(item)
    }
}

//! The partial nursery: the first failure cancels the rest, all failures come back.

use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

use crate::child::{Child, Children};
use crate::failure::{Failure, Failures, Kind, Panic, Told};
use crate::outcome::Left;
use crate::pool;
use crate::scope::{
    Cancelled, Class, Origin, PartialNest, Payload, Reason, Seat, Task, Terms, catching, tell,
};
use crate::stats::NurseryStats;

/// A nursery whose children may fail; [`try_nursery`] opens one.
///
/// It is `Send` and `Sync`: children may capture it, spawn siblings and cancel it.
pub struct TryNursery<'scope, 'env: 'scope, E> {
    nest: PartialNest<'scope, 'env, Left<E>>,
}

/// Opens a partial nursery in place, runs `body` in it, and waits for all children.
///
/// The first child that fails, or panics, cancels the nursery: siblings that have not started are
/// dropped unrun, running ones are told when they ask. All that failed comes back. The pool is
/// chosen as by [`nursery`](crate::nursery()).
///
/// ```
/// use std::num::ParseIntError;
/// use hatchery::Failures;
///
/// fn parse_all(lines: &[&str]) -> Result<Vec<i64>, Failures<ParseIntError>> {
///     hatchery::try_nursery(|n| n.spawn_each(lines, |line| line.parse()).collect())
/// }
/// assert_eq!(parse_all(&["1", "2"]).unwrap(), [1, 2]);
/// assert_eq!(
///     parse_all(&["1", "two"]).unwrap_err().to_string(),
///     "child 1: invalid digit found in string",
/// );
/// ```
///
/// # Errors
///
/// | the body returned | of the children nobody has joined | this returns |
/// |---|---|---|
/// | `Ok(value)` | none has failed; all were started, or skipped by the nursery's own [`cancel`](TryNursery::cancel) | `Ok(value)` |
/// | `Ok(value)` | none has failed; some were skipped for another reason | `Err`: cancelled, with that reason |
/// | `Ok(value)` | some have failed | `Err`: their failures |
/// | `Err(failure)` | | `Err`: that failure and theirs |
/// | `Err`: cancelled | none has failed | `Err`: cancelled |
/// | `Err`: cancelled | some have failed | `Err`: their failures |
///
/// A child that was told of the cancellation and returned an error counts as skipped here, and its
/// error as [late](Failures::late). A panic of the body or of a child is a failure.
///
/// # Blocking
///
/// As [`nursery`](crate::nursery()).
///
/// # Cancellation
///
/// It is cancelled with the nursery it was opened in, and by its own [`cancel`](TryNursery::cancel).
pub fn try_nursery<'env, E, T, F>(body: F) -> Result<T, Failures<E>>
where
    F: for<'scope> FnOnce(&'scope TryNursery<'scope, 'env, E>) -> Result<T, Failure<E>>,
    E: Send + 'env,
{
    pool::with_current(|seat| open(seat, Terms::default(), body))
}

pub(crate) fn open<'env, E, T, F>(seat: &Seat, terms: Terms, body: F) -> Result<T, Failures<E>>
where
    F: for<'scope> FnOnce(&'scope TryNursery<'scope, 'env, E>) -> Result<T, Failure<E>>,
    E: Send + 'env,
{
    let nursery = TryNursery {
        nest: PartialNest::new(seat, terms, Left::new()),
    };
    let result = nursery.run(seat, || body(&nursery));
    let nest = &nursery.nest;
    let cancelled = nest.cancelled();
    if cancelled.is_some_and(|cancelled| cancelled.is_inherited()) {
        tell();
    }
    if let Some(payload) = nest.take_panic() {
        nest.collector().add_panic(payload);
    }
    nest.collector().settle(result, cancelled)
}

impl<'scope, E: Send> TryNursery<'scope, '_, E> {
    fn run<T>(
        &self,
        seat: &Seat,
        body: impl FnOnce() -> Result<T, Failure<E>>,
    ) -> Result<T, Failure<E>> {
        let body = |task: &Task<'_>| match catching(body) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(failure)) => {
                let failure = failure.of(None, self.told(task));
                if !failure.is_cancellation() {
                    self.nest.fail(Reason::BodyFailed);
                }
                Err(failure)
            }
            Err(payload) => {
                self.nest.fail(Reason::BodyPanicked);
                Err(panicked(payload, None))
            }
        };
        match self.nest.hold(seat, body) {
            Ok(result) => result,
            Err(payload) => Err(panicked(payload, None)),
        }
    }

    /// Runs one child, unless the nursery is cancelled.
    #[inline]
    fn run_child<T>(
        &self,
        origin: &Origin,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() -> Result<T, Failure<E>>,
    ) -> Result<T, Failure<E>> {
        if let Some(cancelled) = self.nest.cancelled() {
            return Err(self.skip(origin, cancelled, f));
        }
        self.nest.as_task(origin, |task| match catching(f) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(failure)) => Err(self.failed(task, failure)),
            Err(payload) => {
                self.nest.note_panicked();
                Err(panicked(payload, Some(spawned_at)).of(task.id(), Told::Nobody))
            }
        })
    }

    /// The siblings know before anybody learns of the failure (law E5).
    #[cold]
    fn failed(&self, task: &Task<'_>, failure: Failure<E>) -> Failure<E> {
        let failure = failure.of(task.id(), self.told(task));
        if !failure.is_cancellation() {
            self.nest.fail(Reason::ChildFailed);
        }
        failure
    }

    /// What a task knows that ends now.
    fn told(&self, task: &Task<'_>) -> Told {
        match (self.nest.cancelled(), task.was_told()) {
            (None, _) => Told::NotCancelled,
            (Some(_), false) => Told::Nobody,
            (Some(_), true) => Told::Child,
        }
    }

    #[cold]
    fn skip(&self, origin: &Origin, cancelled: Cancelled, f: impl Sized) -> Failure<E> {
        let id = origin.id();
        self.nest.note_skipped();
        match catching(|| drop(f)) {
            Ok(()) => Failure::cancelled(cancelled).of(Some(id), Told::Nobody),
            Err(payload) => {
                self.nest.note_panicked();
                panicked(payload, None).of(Some(id), Told::Nobody)
            }
        }
    }

    #[inline]
    fn spawn_as<T, F>(
        &'scope self,
        class: Class,
        spawned_at: &'static Location<'static>,
        f: F,
    ) -> Child<'scope, Result<T, Failure<E>>>
    where
        F: FnOnce() -> Result<T, Failure<E>> + Send + 'scope,
        T: Send + 'scope,
    {
        let origin = self.nest.origin();
        let child = move || self.run_child(&origin, spawned_at, f);
        Child::new(self.nest.spawn(class, child))
    }

    /// Spawns a child that returns a value or an error.
    ///
    /// The handle's [`join`](Child::join) returns what it returned. A failure that nobody joins is the
    /// nursery's; one that is joined is the joiner's, who may pass it on by `?`.
    ///
    /// ```
    /// let sum = hatchery::try_nursery(|n| {
    ///     let (a, b) = (n.spawn(|| "3".parse::<i32>()), n.spawn(|| "4".parse::<i32>()));
    ///     Ok(a.join()? + b.join()?)
    /// });
    /// assert_eq!(sum.unwrap(), 7);
    /// ```
    #[track_caller]
    #[inline]
    pub fn spawn<F, T>(&'scope self, f: F) -> Child<'scope, Result<T, Failure<E>>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_as(Class::Compute, Location::caller(), || {
            f().map_err(Failure::from)
        })
    }

    /// Spawns a child that returns what a body returns: one that asks whether it should stop, joins
    /// siblings that it has spawned, or opens a nursery in turn.
    ///
    /// ```
    /// let sum = hatchery::try_nursery::<std::num::ParseIntError, _, _>(|n| {
    ///     let child = n.spawn_nested(|| {
    ///         n.checkpoint()?;
    ///         let sibling = n.spawn(|| "3".parse::<i32>());
    ///         Ok(sibling.join()? + "4".parse::<i32>()?)
    ///     });
    ///     child.join()
    /// });
    /// assert_eq!(sum.unwrap(), 7);
    /// ```
    #[track_caller]
    #[inline]
    pub fn spawn_nested<F, T>(&'scope self, f: F) -> Child<'scope, Result<T, Failure<E>>>
    where
        F: FnOnce() -> Result<T, Failure<E>> + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_as(Class::Compute, Location::caller(), f)
    }

    /// Spawns a child that may block, see [`Nursery::spawn_blocking`](crate::Nursery::spawn_blocking).
    ///
    /// It is asked to stop like any other, and not interrupted: what it waits for has to come to an
    /// end, or be ended by somebody who asks [`checkpoint`](Self::checkpoint).
    #[track_caller]
    pub fn spawn_blocking<F, T>(&'scope self, f: F) -> Child<'scope, Result<T, Failure<E>>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_as(Class::Blocking, Location::caller(), || {
            f().map_err(Failure::from)
        })
    }

    /// Spawns a child for each item, see [`Nursery::spawn_each`](crate::Nursery::spawn_each).
    ///
    /// Once the nursery is cancelled it takes no more items; the children then end in one that says
    /// so. Collecting into a `Result` stops at the first failure.
    #[track_caller]
    pub fn spawn_each<I, F, T>(
        &'scope self,
        items: I,
        f: F,
    ) -> Children<'scope, Result<T, Failure<E>>>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> Result<T, E> + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        let spawned_at = Location::caller();
        let items = Until {
            items: items.into_iter(),
            nursery: self,
            is_over: false,
        };
        let child = move |(origin, item): (Origin, Option<I::Item>)| match item {
            Some(item) => self.run_child(&origin, spawned_at, || f(item).map_err(Failure::from)),
            None => match self.nest.cancelled() {
                Some(cancelled) => {
                    self.nest.note_skipped();
                    Err(Failure::cancelled(cancelled).of(Some(origin.id()), Told::Nobody))
                }
                None => unreachable!("cancelled for good"),
            },
        };
        Children::new(self.nest.spawn_each(items, child))
    }

    /// Cancels the nursery and those in it: what has not started is dropped unrun, what runs is told
    /// when it asks. True for exactly one caller, of all that cancel it.
    ///
    /// What was computed is kept, and the nursery still returns `Ok` if its body does.
    pub fn cancel(&self) -> bool {
        self.nest.cancel(Reason::Requested)
    }

    /// Whether the nursery is cancelled, by whomever. It takes a nanosecond or two.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.nest.ask().is_some()
    }

    /// The same as an error, so that `?` ends the body or a [nested](Self::spawn_nested) child.
    ///
    /// # Errors
    ///
    /// If the nursery is cancelled. What the child returns from then on counts as a consequence.
    #[inline]
    pub fn checkpoint(&self) -> Result<(), Failure<E>> {
        match self.nest.ask() {
            None => Ok(()),
            Some(cancelled) => Err(Failure::cancelled(cancelled)),
        }
    }

    /// What has happened in the nursery so far; from any thread, and it takes nanoseconds.
    #[must_use]
    pub fn stats(&self) -> NurseryStats {
        NurseryStats::new(self.nest.numbers())
    }
}

#[cold]
fn panicked<E>(payload: Payload, spawned_at: Option<&'static Location<'static>>) -> Failure<E> {
    Failure::new(Kind::Panic(Panic::new(payload, spawned_at)))
}

/// Items as long as the nursery is not cancelled, and who their children will be; then one of none.
struct Until<'a, 'scope, 'env, I, E> {
    items: I,
    nursery: &'a TryNursery<'scope, 'env, E>,
    is_over: bool,
}

impl<I: Iterator, E: Send> Iterator for Until<'_, '_, '_, I, E> {
    type Item = (Origin, Option<I::Item>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let nest = &self.nursery.nest;
        if nest.cancelled().is_some() {
            self.is_over = true;
            return Some((nest.origin(), None));
        }
        let item = self.items.next()?;
        Some((nest.origin(), Some(item)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

// A panic cancels a nursery, which is a state like any other.
impl<E> UnwindSafe for TryNursery<'_, '_, E> {}
impl<E> RefUnwindSafe for TryNursery<'_, '_, E> {}

impl<E> fmt::Debug for TryNursery<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nest.fmt(f)
    }
}

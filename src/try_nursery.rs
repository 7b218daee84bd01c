//! The partial nursery: the first failure cancels the rest, all failures come back.

use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::time::Instant;

use crate::buffered::{Buffered, Function};
use crate::child::{Child, Children};
use crate::failure::{Failure, FailureKind, Failures, Whose};
use crate::options::Options;
use crate::outcome::Left;
use crate::panicked::Panic;
use crate::pool::{self, Pool};
use crate::scope::{
    CancelReason, Cancelled, ChildId, Class, How, Origin, PartialNest, Payload, Scope, Seat, Task,
    Terms, Told, catching, message_of,
};
use crate::stats::NurseryStats;

/// Whether a task returns a `Failure`, as bodies do, or an error.
const BODY: bool = true;
const PLAIN: bool = !BODY;

/// A nursery whose children may fail; [`try_nursery`] opens one.
///
/// A `TryNursery` is `Sync`, so children may capture a reference to it, spawn siblings and cancel it.
///
/// # Lifetimes
///
/// `'scope` and `'env` mean the same as for [`Nursery`](crate::Nursery#lifetimes). The example below shows the
/// signature of a function that spawns into the nursery of its caller.
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
/// use hatchery::TryNursery;
///
/// fn check<'s>(n: &'s TryNursery<'s, '_, ParseIntError>, lines: &'s [&'s str]) {
///     n.spawn_each(lines, |line| line.parse::<i32>());
/// }
///
/// let checked = hatchery::try_nursery(|n| {
///     check(n, &["1", "2"]);
///     Ok("all lines are numbers")
/// });
/// assert_eq!(checked.unwrap(), "all lines are numbers");
/// ```
pub struct TryNursery<'scope, 'env: 'scope, E> {
    nest: PartialNest<'scope, 'env, Left<'env, E>>,
}

/// Opens a partial nursery in place, runs `body` in it, and waits for all children.
///
/// The nursery is *partial*: the first child that fails or panics cancels it. Siblings that have not
/// started are dropped unrun, siblings that run learn of it when they call a checkpoint, and the nursery
/// returns all failures. The pool is chosen as by [`nursery`](crate::nursery()).
///
/// # Errors
///
/// | the body returned | children that nobody joined | `try_nursery` returns |
/// |---|---|---|
/// | `Ok(value)` | none failed; all were started, or skipped by the nursery's own [`cancel`](TryNursery::cancel) | `Ok(value)` |
/// | `Ok(value)` | none failed; some were skipped for another reason | `Err`: cancelled, with that reason |
/// | `Ok(value)` | some failed | `Err`: their failures |
/// | `Err(failure)` | | `Err`: this failure and the failures of the children |
/// | `Err`: cancelled | none failed | `Err`: cancelled |
/// | `Err`: cancelled | some failed | `Err`: their failures |
///
/// A child is *skipped* if it was dropped unrun.
///
/// **Panics** of the body and of children are failures. `try_nursery` does not go on with them, see
/// [`Failures::resume_panic`].
///
/// **Late errors.** A child that was told of the cancellation and then returned an error counts as skipped in
/// this table. Its error is [late](Failures::late): if the nursery returns `Err`, the error comes along in
/// the [`Failures`]; if it returns `Ok`, the error goes to [`on_late`](TryNursery::on_late) or is dropped.
/// The body and children of [`spawn_body`](TryNursery::spawn_body) can return the cancellation itself. So
/// an error that they return is a failure even then, with one exception: if the free
/// [`checkpoint`](crate::checkpoint()) or an inner nursery told them of the cancellation, the error may have
/// been made of that, and is late.
///
/// **Failures of other nurseries.** If a child or the body returns a failure that another nursery returned,
/// for example by [`Failures::into_cause`], it becomes a failure of that child or body, of the kind
/// [`Nested`](FailureKind::Nested). This includes a failure that says that the other nursery was cancelled.
///
/// # Blocking
///
/// `try_nursery` returns when the last child has ended, and runs children until then, as
/// [`nursery`](crate::nursery()) does.
///
/// # Cancellation
///
/// The nursery is cancelled by its first failure, by [`cancel`](TryNursery::cancel), and with the nursery it was
/// opened in unless it is a [shield](crate::Options::shield). Cancelling never interrupts a child that runs.
///
/// # Examples
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
pub fn try_nursery<'env, E, T, F>(body: F) -> Result<T, Failures<E>>
where
    F: for<'scope> FnOnce(&'scope TryNursery<'scope, 'env, E>) -> Result<T, Failure<E>>,
    E: Send + 'env,
{
    pool::with_current(|seat| open(seat, Terms::default, body))
}

impl Pool {
    /// Opens a partial nursery on this pool, see [`try_nursery`](crate::try_nursery()).
    ///
    /// # Errors
    ///
    /// If the body or a child fails, or a child is skipped: see [`try_nursery`](crate::try_nursery()).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let parsed = pool.try_nursery(|n| n.spawn(|| "seven".parse::<i32>()).join());
    /// assert!(parsed.is_err());
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn try_nursery<'env, E, T, F>(&self, body: F) -> Result<T, Failures<E>>
    where
        F: for<'scope> FnOnce(&'scope TryNursery<'scope, 'env, E>) -> Result<T, Failure<E>>,
        E: Send + 'env,
    {
        self.with_seat(|seat| open(seat, Terms::default, body))
    }
}

impl Options {
    /// Opens a partial nursery with these options, see [`try_nursery`](crate::try_nursery()).
    ///
    /// # Errors
    ///
    /// If the body or a child fails, or a child is skipped: see [`try_nursery`](crate::try_nursery()).
    ///
    /// # Cancellation
    ///
    /// A token or a deadline in the options cancels the nursery too.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{OnFailure, Options};
    ///
    /// let options = Options::new().on_failure(OnFailure::Continue);
    /// let parsed = options.try_nursery(|n| {
    ///     n.spawn_each(["1", "two", "three"], str::parse::<i32>);
    ///     Ok(())
    /// });
    /// assert_eq!(parsed.unwrap_err().len(), 2); // every failure, and not only the first
    /// ```
    pub fn try_nursery<'env, E, T, F>(&self, body: F) -> Result<T, Failures<E>>
    where
        F: for<'scope> FnOnce(&'scope TryNursery<'scope, 'env, E>) -> Result<T, Failure<E>>,
        E: Send + 'env,
    {
        let terms = self.terms();
        self.with_seat(|seat| open(seat, || terms, body))
    }
}

fn open<'env, E, T, F>(
    seat: &Seat,
    terms: impl FnOnce() -> Terms,
    body: F,
) -> Result<T, Failures<E>>
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
        // The caller may make an error of what failed here.
        nest.tell(Told::AsError);
    }
    if let Some((rank, payload, has_cancelled)) = nest.take_panic() {
        nest.collector().add_dropped(rank, payload, has_cancelled);
    }
    nest.collector().settle(result, cancelled)
}

/// What a task has returned that was unwound, if a [`Cancelled::unwind`] has unwound it.
#[cold]
fn of_unwound<T, E>(payload: Payload) -> Result<Result<T, Failure<E>>, Payload> {
    let cancelled = payload.downcast::<Cancelled>()?;
    Ok(Err(Failure::cancelled(*cancelled)))
}

impl<'scope, E: Send> TryNursery<'scope, '_, E> {
    fn run<T>(
        &self,
        seat: &Seat,
        body: impl FnOnce() -> Result<T, Failure<E>>,
    ) -> Result<T, Failure<E>> {
        let body = |task: &Task<'_>| match catching(body).or_else(of_unwound) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(failure)) => {
                let failure = failure.of(self.whose(None), self.told::<BODY>(task));
                Err(self.noted(failure, CancelReason::BodyFailed))
            }
            Err(payload) => {
                self.nest
                    .note_failed(None, || How::panicked(message_of(&*payload)));
                let has_cancelled = self.nest.fail(CancelReason::BodyPanicked);
                Err(self.nest.collector().panicked(payload, has_cancelled))
            }
        };
        match self.nest.hold(seat, body) {
            Ok(result) => result,
            Err(payload) => Err(self.nest.collector().panicked(payload, false)),
        }
    }

    /// Runs one child, unless the nursery is cancelled.
    #[inline]
    fn run_child<const IS_BODY: bool, T>(
        &self,
        origin: &Origin,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() -> Result<T, Failure<E>>,
    ) -> Result<T, Failure<E>> {
        if let Some(cancelled) = self.nest.cancelled() {
            return Err(self.skip(origin, cancelled, f));
        }
        self.nest
            .as_task(origin, |task| match catching(f).or_else(of_unwound) {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(failure)) => Err(self.failed::<IS_BODY>(task, failure)),
                Err(payload) => Err(self.panicked(payload, Some(spawned_at), task.id())),
            })
    }

    /// The siblings learn of the cancellation before anybody learns of the failure (law E5).
    #[cold]
    fn failed<const IS_BODY: bool>(&self, task: &Task<'_>, failure: Failure<E>) -> Failure<E> {
        let failure = failure.of(self.whose(task.id()), self.told::<IS_BODY>(task));
        if failure.is_late() {
            self.nest.note_late();
        }
        self.noted(failure, CancelReason::ChildFailed)
    }

    /// Cancels the nursery for a failure, unless it is cancelled already or the failure is a consequence.
    fn noted(&self, failure: Failure<E>, reason: CancelReason) -> Failure<E> {
        if failure.is_cancellation() {
            return failure;
        }
        self.nest.note_failed(failure.child(), || failure.how());
        if !self.nest.fail(reason) {
            return failure;
        }
        failure.which_cancelled(true)
    }

    /// What a task that ends now knows of the cancellation, if there was one.
    ///
    /// A task that returns an error, and no `Failure`, makes an error of all that it is told.
    fn told<const IS_BODY: bool>(&self, task: &Task<'_>) -> Option<Told> {
        self.nest.cancelled()?;
        Some(match task.told() {
            Told::AsFailure if !IS_BODY => Told::AsError,
            told => told,
        })
    }

    #[cold]
    fn skip(&self, origin: &Origin, cancelled: Cancelled, f: impl Sized) -> Failure<E> {
        self.nest.note_skipped();
        match catching(|| drop(f)) {
            Ok(()) => self.skipped(origin, cancelled),
            Err(payload) => self.panicked(payload, None, Some(origin.id())),
        }
    }

    #[cold]
    fn skipped(&self, origin: &Origin, cancelled: Cancelled) -> Failure<E> {
        let whose = self.whose(Some(origin.id()));
        Failure::whose(FailureKind::Cancelled(cancelled), whose)
    }

    #[cold]
    fn panicked(
        &self,
        payload: Payload,
        spawned_at: Option<&'static Location<'static>>,
        child: Option<ChildId>,
    ) -> Failure<E> {
        self.nest
            .note_failed(child.as_ref(), || How::panicked(message_of(&*payload)));
        let has_cancelled = self.nest.note_panicked();
        let panic = FailureKind::Panic(Panic::new(payload, spawned_at));
        Failure::whose(panic, self.whose(child)).which_cancelled(has_cancelled)
    }

    fn whose(&self, child: Option<ChildId>) -> Whose {
        self.nest.collector().whose(child)
    }

    #[inline]
    fn spawn_as<const IS_BODY: bool, T, F>(
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
        let child = move || self.run_child::<IS_BODY, _>(&origin, spawned_at, f);
        Child::new(self.nest.spawn(class, child))
    }

    /// Spawns a child that returns a value or an error.
    ///
    /// [`join`](Child::join) returns the value, or a [`Failure`] with the error. If nobody joins the child, the
    /// nursery returns its failure. If a task joins it, that task decides: `?` passes the failure on.
    ///
    /// The closure returns a plain error `E`. Use [`spawn_body`](Self::spawn_body) for a child that joins
    /// siblings with `?`, or calls [`TryNursery::checkpoint`] with `?`.
    ///
    /// If any error converts into `E`, as into `anyhow::Error` or a boxed error, a plain child can join siblings
    /// too: it makes an error of a sibling's failure with [`Failure::boxed`]. Then the sibling's panic or
    /// cancellation becomes an error of this child, in which `downcast_ref` finds it.
    ///
    /// # Cancellation
    ///
    /// If the nursery is cancelled before the child starts, the child is dropped unrun. A child that runs
    /// learns of the cancellation from the free [`checkpoint`](crate::checkpoint()).
    ///
    /// # Examples
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
        self.spawn_as::<PLAIN, _, _>(Class::Compute, Location::caller(), || {
            f().map_err(Failure::from)
        })
    }

    /// Spawns a child whose closure is written like a body: it returns a value or a [`Failure`].
    ///
    /// In such a child `?` works on [`TryNursery::checkpoint`], on the `join` of siblings that it spawned, and on
    /// nurseries that it opens, as well as on errors of type `E`.
    ///
    /// # Cancellation
    ///
    /// If the nursery is cancelled before the child starts, the child is dropped unrun.
    ///
    /// # Examples
    ///
    /// ```
    /// let sum = hatchery::try_nursery::<std::num::ParseIntError, _, _>(|n| {
    ///     let child = n.spawn_body(|| {
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
    pub fn spawn_body<F, T>(&'scope self, f: F) -> Child<'scope, Result<T, Failure<E>>>
    where
        F: FnOnce() -> Result<T, Failure<E>> + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_as::<BODY, _, _>(Class::Compute, Location::caller(), f)
    }

    /// Spawns a child that may block, see [`Nursery::spawn_blocking`](crate::Nursery::spawn_blocking).
    ///
    /// # Cancellation
    ///
    /// Cancelling the nursery does not interrupt the child. End what it waits for, or let it wait for a short
    /// time and call a checkpoint in between. The closure returns a plain error `E` and no [`Failure`], so
    /// it calls the free [`checkpoint`](crate::checkpoint()); its answer must convert into `E`.
    /// [`Cancelled`] converts into a [`std::io::Error`]; your own error types need a `From<Cancelled>`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use std::sync::mpsc::{RecvTimeoutError, channel};
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = channel::<u8>();
    /// let stopped = hatchery::try_nursery::<io::Error, _, _>(|n| {
    ///     let child = n.spawn_blocking(move || loop {
    ///         hatchery::checkpoint()?;
    ///         match receiver.recv_timeout(Duration::from_millis(1)) {
    ///             Err(RecvTimeoutError::Timeout) => {}
    ///             received => return Ok(received.ok()),
    ///         }
    ///     });
    ///     n.cancel();
    ///     child.join()
    /// });
    /// drop(sender);
    /// assert!(stopped.unwrap_err().cancelled().is_some());
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, T>(&'scope self, f: F) -> Child<'scope, Result<T, Failure<E>>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_as::<PLAIN, _, _>(Class::Blocking, Location::caller(), || {
            f().map_err(Failure::from)
        })
    }

    /// Spawns a child that may block, and whose closure is written like a body.
    ///
    /// The child is [blocking](Self::spawn_blocking), and its closure returns a [`Failure`] as in
    /// [`spawn_body`](Self::spawn_body). So it may call [`TryNursery::checkpoint`] with `?`.
    ///
    /// # Cancellation
    ///
    /// Cancelling the nursery does not interrupt the child, see [`spawn_blocking`](Self::spawn_blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc::{RecvTimeoutError, channel};
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = channel::<u8>();
    /// let stopped = hatchery::try_nursery::<RecvTimeoutError, _, _>(|n| {
    ///     let child = n.spawn_blocking_body(move || loop {
    ///         n.checkpoint()?;
    ///         match receiver.recv_timeout(Duration::from_millis(1)) {
    ///             Err(RecvTimeoutError::Timeout) => {}
    ///             received => return Ok(received?),
    ///         }
    ///     });
    ///     n.cancel();
    ///     child.join()
    /// });
    /// drop(sender);
    /// assert!(stopped.unwrap_err().cancelled().is_some());
    /// ```
    #[track_caller]
    pub fn spawn_blocking_body<F, T>(&'scope self, f: F) -> Child<'scope, Result<T, Failure<E>>>
    where
        F: FnOnce() -> Result<T, Failure<E>> + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_as::<BODY, _, _>(Class::Blocking, Location::caller(), f)
    }

    /// Spawns one child per item, see [`Nursery::spawn_each`](crate::Nursery::spawn_each).
    ///
    /// The returned iterator yields one `Result` per child. Collecting it into a `Result` stops at the first
    /// failure. The function `f` learns of a cancellation from the free [`checkpoint`](crate::checkpoint()).
    ///
    /// # Cancellation
    ///
    /// `spawn_each` stops taking items once the nursery is cancelled. One more child then represents the items
    /// that it did not take: it is never started, and its `Result` says
    /// [cancelled](FailureKind::Cancelled). So [`len`](ExactSizeIterator::len) is one more than the number of
    /// items taken. If [`size_hint`](Iterator::size_hint) says that no items are left, there is no such
    /// child.
    ///
    /// # Panics
    ///
    /// If the iterator panics, see [`Nursery::spawn_each`](crate::Nursery::spawn_each).
    ///
    /// # Examples
    ///
    /// ```
    /// let sum = hatchery::try_nursery(|n| {
    ///     let numbers = n.spawn_each(["1", "2", "3"], str::parse::<i32>);
    ///     numbers.sum::<Result<i32, _>>()
    /// });
    /// assert_eq!(sum.unwrap(), 6);
    /// ```
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
        self.spawn_each_at(Location::caller(), items, f)
    }

    /// Spawns one child per item, for a caller whose own caller is at `spawned_at`.
    pub(crate) fn spawn_each_at<I, F, T>(
        &'scope self,
        spawned_at: &'static Location<'static>,
        items: I,
        f: F,
    ) -> Children<'scope, Result<T, Failure<E>>>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> Result<T, E> + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        let items = Until {
            items: items.into_iter(),
            nursery: self,
            is_over: false,
        };
        let child = move |(origin, item): (Origin, Option<I::Item>)| match item {
            Some(item) => {
                self.run_child::<PLAIN, _>(&origin, spawned_at, || f(item).map_err(Failure::from))
            }
            None => match self.nest.cancelled() {
                Some(cancelled) => {
                    self.nest.note_skipped();
                    Err(self.skipped(&origin, cancelled))
                }
                None => unreachable!("cancelled for good"),
            },
        };
        Children::new(self.nest.spawn_each(items, child))
    }

    /// Spawns one child per item as values are taken, see
    /// [`Nursery::spawn_buffered`](crate::Nursery::spawn_buffered).
    ///
    /// At most `most` items are outstanding at a time, and `0` means `1`. The returned iterator yields one `Result`
    /// per child, as [`Child::join`] returns it. Collecting it into a `Result` stops at the first failure. The
    /// function `f` learns of a cancellation from the free [`checkpoint`](crate::checkpoint()).
    ///
    /// # Cancellation
    ///
    /// The iterator takes no items once the nursery is cancelled. It yields the results of the children that are
    /// outstanding. One more child then represents the items that it did not take: it is never started, and its
    /// `Result` says [cancelled](FailureKind::Cancelled). If the [`size_hint`](Iterator::size_hint) of `items` says
    /// that no items are left, there is no such child.
    ///
    /// # Blocking
    ///
    /// Each call of `next` may call `items`, and waits as [`Child::join`] does.
    ///
    /// # Panics
    ///
    /// `next` panics if the iterator `items` panics, see
    /// [`Nursery::spawn_buffered`](crate::Nursery::spawn_buffered). The panic of a child is in its `Result`.
    ///
    /// # Examples
    ///
    /// ```
    /// let words = ["1", "2", "three", "4"].into_iter().cycle(); // without an end
    /// let failed = hatchery::try_nursery(|n| {
    ///     for number in n.spawn_buffered(2, words, str::parse::<i32>) {
    ///         assert!(number? < 3);
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!(failed.unwrap_err().to_string(), "child 2: invalid digit found in string");
    /// ```
    #[track_caller]
    pub fn spawn_buffered<I, F, T>(
        &'scope self,
        most: usize,
        items: I,
        f: F,
    ) -> Buffered<'scope, I::IntoIter, Result<T, Failure<E>>>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> Result<T, E> + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        let spawned_at = Location::caller();
        let function = Function::new(f);
        let spawn = move |item: Option<I::Item>| {
            let call = item.map(|item| function.with(item));
            self.spawn_as::<PLAIN, _, _>(Class::Compute, spawned_at, || match call {
                Some(call) => call.run().map_err(Failure::from),
                None => unreachable!("cancelled for good"),
            })
        };
        Buffered::partial(most, items.into_iter(), || self.is_cancelled(), spawn)
    }

    /// Cancels the nursery and the nurseries inside it.
    ///
    /// It returns whether this call has cancelled the nursery: `false` if the nursery was cancelled already.
    /// Children that have not started are dropped unrun. Children that run learn of the cancellation when they
    /// call a checkpoint. Values that were computed are kept, and the nursery still returns `Ok` if its body
    /// does.
    ///
    /// # Examples
    ///
    /// ```
    /// let value = hatchery::try_nursery::<(), _, _>(|n| {
    ///     assert!(n.cancel());
    ///     assert!(!n.cancel()); // it is cancelled already
    ///     n.spawn(|| -> Result<(), ()> { unreachable!("it does not start") });
    ///     Ok(7)
    /// });
    /// assert_eq!(value.unwrap(), 7);
    /// ```
    pub fn cancel(&self) -> bool {
        self.nest.cancel()
    }

    /// Sets the nursery's own deadline to a later or an earlier time, or removes it.
    ///
    /// The nursery may have been opened without a deadline. If a deadline has cancelled the nursery already, it
    /// remains cancelled. Deadlines of nurseries around this one hold as before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use hatchery::{Options, CancelReason};
    ///
    /// const HOUR: Duration = Duration::from_secs(3600);
    /// let stopped = Options::new().timeout(HOUR).try_nursery::<(), (), _>(|n| {
    ///     n.set_deadline(Some(Instant::now() + 2 * HOUR)); // it goes well
    ///     n.checkpoint()?;
    ///     n.set_deadline(Some(Instant::now())); // that is enough
    ///     n.checkpoint()
    /// });
    /// assert_eq!(stopped.unwrap_err().cancelled().unwrap().reason(), CancelReason::Deadline);
    /// ```
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.nest.set_deadline(deadline);
    }

    /// Returns whether the nursery is cancelled.
    ///
    /// A nursery is cancelled by [`cancel`](Self::cancel), by its token or deadline, by a failure or panic in it, or
    /// with a nursery around it. The call takes a nanosecond or two.
    ///
    /// The call has no effect. In particular, it does not *tell* the calling task: an error that a child returns
    /// after a `true` is a failure like any other. A child that ends because the nursery is cancelled should
    /// call [`checkpoint`](Self::checkpoint) or the free [`checkpoint`](crate::checkpoint()). Then its error
    /// is [late](Failures::late), a consequence of the cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// let value = hatchery::try_nursery::<(), _, _>(|n| {
    ///     assert!(!n.is_cancelled());
    ///     n.cancel();
    ///     assert!(n.is_cancelled());
    ///     Ok(7)
    /// });
    /// assert_eq!(value.unwrap(), 7);
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.nest.poll()
    }

    /// Returns an error if the nursery is cancelled.
    ///
    /// With `?` it ends the body or a child of [`spawn_body`](Self::spawn_body). Children that return a plain
    /// error, and no [`Failure`], call the free [`checkpoint`](crate::checkpoint()):
    /// [`spawn_blocking`](Self::spawn_blocking) shows how.
    ///
    /// # Errors
    ///
    /// If the nursery is cancelled, see [`is_cancelled`](Self::is_cancelled).
    ///
    /// # Cancellation
    ///
    /// A body or child that returns this error adds no failure of its own to the nursery. If it returns an
    /// error of type `E` instead, that is a failure like any other.
    ///
    /// # Examples
    ///
    /// ```
    /// let stopped = hatchery::try_nursery::<String, u64, _>(|n| {
    ///     n.cancel(); // say, in a child that has seen enough
    ///     let mut sum = 0;
    ///     for i in 0.. {
    ///         n.checkpoint()?;
    ///         sum += i;
    ///     }
    ///     Ok(sum)
    /// });
    /// assert!(stopped.unwrap_err().cancelled().is_some());
    /// ```
    #[inline]
    pub fn checkpoint(&self) -> Result<(), Failure<E>> {
        match self.nest.ask() {
            None => Ok(()),
            Some(cancelled) => Err(self.nest.collector().cancelled(cancelled)),
        }
    }

    /// Returns the nursery's numbers so far: children spawned, run, dropped unrun and so on.
    ///
    /// Any thread may ask, and the call takes nanoseconds.
    ///
    /// # Examples
    ///
    /// ```
    /// let skipped = hatchery::try_nursery::<(), _, _>(|n| {
    ///     n.cancel();
    ///     assert!(n.spawn(|| Ok(())).join().is_err());
    ///     Ok(n.stats().skipped)
    /// });
    /// assert_eq!(skipped.unwrap(), 1);
    /// ```
    #[must_use]
    pub fn stats(&self) -> NurseryStats {
        NurseryStats::new(self.nest.poll_numbers())
    }
}

impl<'env, E: Send> TryNursery<'_, 'env, E> {
    /// Sets a function that takes the [late](Failures::late) errors if the nursery returns `Ok`.
    ///
    /// For example, a child that was told to stop may be unable to save what it had. `f` is called for each
    /// late error in spawn order, once all children have ended, on the thread that opened the nursery. If
    /// the nursery returns `Err`, the late errors are in the [`Failures`] and `f` is not called. A second call of
    /// `on_late` replaces the function.
    ///
    /// # Panics
    ///
    /// A panic in `f` is a failure of the nursery.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut late = Vec::new();
    /// let value = hatchery::try_nursery(|n| {
    ///     n.on_late(|failure| late.push(failure.to_string()));
    ///     n.spawn(|| {
    ///         n.cancel(); // say, on another thread
    ///         hatchery::checkpoint().map_err(|_| "disk full") // when it saved what it had
    ///     });
    ///     Ok(7)
    /// });
    /// assert_eq!(value.unwrap(), 7);
    /// assert_eq!(late, ["child 0: disk full"]);
    /// ```
    pub fn on_late<F>(&self, f: F)
    where
        F: FnMut(Failure<E>) + Send + 'env,
    {
        self.nest.collector().set_on_late(Box::new(f));
    }
}

/// Each item with the origin of its child; `None` instead of an item if the nursery is cancelled before the end.
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
            let is_at_end = self.items.size_hint() == (0, Some(0));
            return (!is_at_end).then(|| (nest.origin(), None));
        }
        let item = self.items.next()?;
        Some((nest.origin(), Some(item)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.is_over {
            true => (0, Some(0)),
            false => self.items.size_hint(),
        }
    }
}

impl<E> TryNursery<'_, '_, E> {
    pub(crate) fn scope(&self) -> &Scope {
        self.nest.scope()
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

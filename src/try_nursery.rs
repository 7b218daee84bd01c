//! The partial nursery: the first failure cancels the rest, all failures come back.

use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::time::Instant;

use crate::child::{Child, Children};
use crate::failure::{Failure, FailureKind, Failures, Whose};
use crate::options::Options;
use crate::outcome::Left;
use crate::panicked::Panic;
use crate::pool::{self, Pool};
use crate::scope::{
    CancelReason, Cancelled, ChildId, Class, Origin, PartialNest, Payload, Seat, Task, Terms, Told,
    catching,
};
use crate::stats::NurseryStats;

/// Of a task: whether it returns failures, as bodies do, or errors.
const BODY: bool = true;
const PLAIN: bool = !BODY;

/// A nursery whose children may fail; [`try_nursery`] opens one.
///
/// It is `Sync`: children may capture it, spawn siblings and cancel it.
pub struct TryNursery<'scope, 'env: 'scope, E> {
    nest: PartialNest<'scope, 'env, Left<'env, E>>,
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
/// error as [late](Failures::late): where `Err` is returned it comes along, where `Ok` is, it goes to
/// [`on_late`](TryNursery::on_late), or is dropped. Bodies and children of
/// [`spawn_body`](TryNursery::spawn_body) can pass on the cancellation itself; so an error of theirs is a failure even then, unless the
/// free [`checkpoint`](crate::checkpoint()) or a nursery further in has told them, of which it may have
/// been made. A panic of the body or of a child is a failure. So is whatever was taken out of another
/// nursery, say by [`Failures::into_cause`], that it was cancelled included: in this one it is
/// [nested](FailureKind::Nested), and of the child or body that returned it.
///
/// # Blocking
///
/// As [`nursery`](crate::nursery()).
///
/// # Cancellation
///
/// It is cancelled with the nursery it was opened in, unless it is a [shield](crate::Options::shield), and
/// by its own [`cancel`](TryNursery::cancel).
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
    /// As [`try_nursery`](crate::try_nursery()).
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
    /// As [`try_nursery`](crate::try_nursery()).
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
    /// assert_eq!(parsed.unwrap_err().iter().count(), 2); // every failure, not the first one only
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
        // What has failed here may be made an error of.
        nest.tell(Told::AsError);
    }
    if let Some((rank, payload, has_cancelled)) = nest.take_panic() {
        nest.collector().add_dropped(rank, payload, has_cancelled);
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
                let failure = failure.of(self.whose(None), self.told::<BODY>(task));
                Err(self.noted(failure, CancelReason::BodyFailed))
            }
            Err(payload) => {
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
        self.nest.as_task(origin, |task| match catching(f) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(failure)) => Err(self.failed::<IS_BODY>(task, failure)),
            Err(payload) => Err(self.panicked(payload, Some(spawned_at), task.id())),
        })
    }

    /// The siblings know before anybody learns of the failure (law E5).
    #[cold]
    fn failed<const IS_BODY: bool>(&self, task: &Task<'_>, failure: Failure<E>) -> Failure<E> {
        let failure = failure.of(self.whose(task.id()), self.told::<IS_BODY>(task));
        if failure.is_late() {
            self.nest.note_late();
        }
        self.noted(failure, CancelReason::ChildFailed)
    }

    /// The nursery is cancelled for a failure, if it was not before and this is no consequence.
    fn noted(&self, failure: Failure<E>, reason: CancelReason) -> Failure<E> {
        if failure.is_cancellation() || !self.nest.fail(reason) {
            return failure;
        }
        failure.which_cancelled(true)
    }

    /// What a task that ends now knows of the cancellation, if there was one.
    ///
    /// Who returns errors and no failures makes one of whatever it is told.
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
    /// The handle's [`join`](Child::join) returns what it returned. A failure that nobody joins is the
    /// nursery's; one that is joined is the joiner's, who may pass it on by `?`. It asks whether to stop
    /// as a [blocking](Self::spawn_blocking) child does, or is spawned by [`spawn_body`](Self::spawn_body).
    ///
    /// A child that joins siblings by `?` is spawned by `spawn_body`, too. If `E` takes in any error, as
    /// `anyhow::Error` and boxed ones do, a plain child can make an error of its own of a sibling's failure by
    /// [`Failure::boxed`]. Then a sibling's panic or cancellation is this child's error; what it was is
    /// to be had by `downcast_ref`.
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

    /// Spawns a child that is written as a body is: it returns a value or a [`Failure`].
    ///
    /// Such a child may ask the nursery whether to stop, join siblings that it has spawned, and open a
    /// nursery in turn, each with a `?`.
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
    /// It is not interrupted: what it waits for has to come to an end, or it waits for a little while at
    /// a time and asks in between. It has an error of its own and no [`Failure`], so it asks the free
    /// [`checkpoint`](crate::checkpoint()), whose answer has to convert into that error. The answer
    /// [converts](Cancelled) into a [`std::io::Error`]; your own error types
    /// need `From<Cancelled>`.
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

    /// Spawns a child that may block, and is written as a body is.
    ///
    /// It is both: [blocking](Self::spawn_blocking), and like a child of [`spawn_body`](Self::spawn_body). So it
    /// asks the nursery whether to stop with a `?`.
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

    /// Spawns a child for each item, see [`Nursery::spawn_each`](crate::Nursery::spawn_each).
    ///
    /// Once the nursery is cancelled it takes no more items. What stands for those not taken is one more
    /// child, which is not started: [`Children::len`](ExactSizeIterator::len) then is one more than the
    /// number of items taken. There is none if [`size_hint`](Iterator::size_hint) says that no items are
    /// left. Collecting into a `Result` stops at the first failure.
    ///
    /// The function asks whether to stop as a [blocking](Self::spawn_blocking) child does.
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

    /// The same for whoever was called there.
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

    /// Cancels the nursery and those in it; true for exactly one caller.
    ///
    /// What has not started is dropped unrun, what runs is told when it asks. What was computed is
    /// kept, and the nursery still returns `Ok` if its body does.
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

    /// Moves the nursery's own deadline, to a later or an earlier time, or takes it away.
    ///
    /// It need not have had one. A deadline that has passed has cancelled the nursery, which stays so.
    /// Deadlines of nurseries further out hold as before.
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

    /// Whether the nursery is cancelled: by its [`cancel`](Self::cancel), token or deadline, by a failure or
    /// panic in it, or with a nursery that it was opened in. It takes a nanosecond or two.
    ///
    /// To ask has no effect. In particular, an error that a child returns after a `true` is a failure like
    /// any other. A child that ends because the nursery is cancelled asks by `checkpoint`, this one or the
    /// [free](crate::checkpoint()) one: then the error is [late](Failures::late), a consequence.
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
        self.nest.cancelled().is_some()
    }

    /// An error if the nursery is cancelled, so that `?` ends the body, or a child of
    /// [`spawn_body`](Self::spawn_body).
    ///
    /// Children that return an error of their own, and no [`Failure`], have the free
    /// [`checkpoint`](crate::checkpoint()): [`spawn_blocking`](Self::spawn_blocking) shows how.
    ///
    /// # Errors
    ///
    /// If the nursery is cancelled. To pass that on is a consequence and no failure; an error of its own
    /// that the body, or such a child, returns instead is a failure like any other.
    #[inline]
    pub fn checkpoint(&self) -> Result<(), Failure<E>> {
        match self.nest.ask() {
            None => Ok(()),
            Some(cancelled) => Err(self.nest.collector().cancelled(cancelled)),
        }
    }

    /// What has happened in the nursery so far; from any thread, and it takes nanoseconds.
    #[must_use]
    pub fn stats(&self) -> NurseryStats {
        NurseryStats::new(self.nest.numbers())
    }
}

impl<'env, E: Send> TryNursery<'_, 'env, E> {
    /// Hands errors that are [late](Failures::late) to `f` in the end, if the nursery returns `Ok`.
    ///
    /// Such as that of a child that could not save what it had when it was told to stop. They come in spawn
    /// order, once all children have ended, on the thread that has opened the nursery. If it returns
    /// `Err`, they come along there. A panic in `f` is a failure of the nursery. Called again, it replaces
    /// `f`.
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

/// Items and who their children will be; one of none if the nursery is cancelled before the end.
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

// A panic cancels a nursery, which is a state like any other.
impl<E> UnwindSafe for TryNursery<'_, '_, E> {}
impl<E> RefUnwindSafe for TryNursery<'_, '_, E> {}

impl<E> fmt::Debug for TryNursery<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nest.fmt(f)
    }
}

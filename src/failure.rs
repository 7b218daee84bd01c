//! Failures of a partial nursery: of a single child, and of all of them together.
//!
//! Failures may be nested as deep as nurseries are. So no function here recurses into them.

mod listing;
mod summary;

use std::any::type_name;
#[cfg(doc)]
use std::error::Error;
use std::mem;
use std::slice;
use std::vec;

use crate::panicked::Panic;
use crate::protocol::nursery_id::NurseryId;
use crate::scope::{Cancelled, ChildId, How, Told, discard};
use listing::Level;
use summary::Summary;

/// One thing that went wrong in a partial nursery, and in which child.
///
/// Bodies and children of [`spawn_body`](crate::TryNursery::spawn_body) return a `Failure`. The `?` operator
/// makes a `Failure` of an error `E` and of the [`Failures`] of an inner nursery; [`Failure::new`]
/// makes one of anything that converts into an `E`. In a function that returns [`Failures`], `?` converts a
/// `Failure` into them. A `Failure` is as large as a pointer.
///
/// The [picture](Failures#how-the-types-relate) at `Failures` shows how the types of failures relate.
///
/// # As an error
///
/// A `Failure<E>` is an [`Error`] if `E` is one. Its text is the name of the child and the text of the error. Its
/// [`source`](Error::source) is the source of that error, so no text comes twice in a chain of errors. For an
/// `E` that is no [`Error`], such as `anyhow::Error`, see
/// [With `anyhow` and `eyre`](Failures#with-anyhow-and-eyre).
///
/// # Examples
///
/// ```
/// use hatchery::{Failure, FailureKind};
///
/// let handled = hatchery::try_nursery::<String, _, _>(|n| {
///     let child = n.spawn(|| -> Result<u32, String> { Err("disk full".into()) });
///     let failure: Failure<String> = child.join().unwrap_err();
///     assert!(matches!(failure.kind(), FailureKind::Error(error) if error == "disk full"));
///     assert_eq!(failure.to_string(), "child 0: disk full");
///     Ok(()) // the child was joined, so its failure is handled
/// });
/// assert!(handled.is_ok());
/// ```
pub struct Failure<E> {
    // On the heap, so that a `Result` of a small value travels in registers.
    inner: Box<One<E>>,
}

struct One<E> {
    kind: FailureKind<E>,
    place: Place,
}

/// Where a failure happened.
#[derive(Default)]
pub(crate) struct Place {
    /// The nursery; none if the task that is about to return the failure made it.
    nursery: Option<NurseryId>,
    child: Option<ChildId>,
    /// Whether this failure cancelled its nursery; true for at most one failure of a nursery.
    has_cancelled: bool,
}

/// What went wrong in a child or in the body.
///
/// The [picture](Failures#how-the-types-relate) at `Failures` shows how the types of failures relate.
///
/// # Examples
///
/// ```
/// use hatchery::FailureKind;
///
/// let failed = hatchery::try_nursery::<std::num::ParseIntError, _, _>(|n| {
///     n.spawn(|| "seven".parse::<i32>());
///     Ok(())
/// });
/// let text = match failed.unwrap_err().into_cause().into_kind() {
///     FailureKind::Error(error) => format!("failed: {error}"),
///     FailureKind::Panic(panic) => panic.resume(),
///     other => format!("something else: {other}"),
/// };
/// assert_eq!(text, "failed: invalid digit found in string");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureKind<E> {
    /// The task returned this error.
    Error(E),
    /// The task returned this error after a checkpoint had told it that its nursery was cancelled.
    ///
    /// Most of the time, such an error is a consequence of the cancellation. See [`Failures::late`], and
    /// [`TryNursery::on_late`](crate::TryNursery::on_late) for nurseries that return `Ok`.
    Late(E),
    /// The task panicked.
    Panic(Panic),
    /// The child was dropped unrun, or the task returned the error of a checkpoint.
    Cancelled(Cancelled),
    /// A nursery that the task opened failed, or the task returned a failure of another nursery.
    Nested(Failures<E>),
}

impl<E> Failure<E> {
    /// Makes a failure of an error that converts into an `E`.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Failure;
    ///
    /// let parsed = hatchery::try_nursery::<Box<dyn std::error::Error + Send + Sync>, _, _>(|n| {
    ///     let child = n.spawn(|| Ok("7".parse::<i32>()?));
    ///     let own: i32 = "8".parse().map_err(Failure::new)?;
    ///     Ok(child.join()? + own)
    /// });
    /// assert_eq!(parsed.unwrap(), 15);
    /// ```
    pub fn new(error: impl Into<E>) -> Self {
        Self::of_kind(FailureKind::Error(error.into()))
    }

    /// Makes a failure of a cancellation.
    ///
    /// With it a task passes on the answer of a free [`checkpoint`](crate::checkpoint()). It is for bodies and
    /// for children of [`spawn_body`](crate::TryNursery::spawn_body). If their own nursery is not cancelled,
    /// the answer was about another nursery. Then the failure is a failure like any other.
    ///
    /// If `E` converts from [`Cancelled`] and you want such an error instead, use [`Failure::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Cancelled, Failure};
    ///
    /// /// Knows nothing of its callers, nor of their errors.
    /// fn sum(numbers: &[u64]) -> Result<u64, Cancelled> {
    ///     hatchery::checkpoint()?;
    ///     Ok(numbers.iter().sum())
    /// }
    /// let stopped = hatchery::try_nursery::<String, _, _>(|n| {
    ///     n.cancel();
    ///     sum(&[1, 2]).map_err(Failure::cancelled)
    /// });
    /// assert!(stopped.unwrap_err().cancelled().is_some());
    /// ```
    #[must_use]
    pub fn cancelled(cancelled: Cancelled) -> Self {
        Self::of_kind(FailureKind::Cancelled(cancelled))
    }

    #[cold]
    fn of_kind(kind: FailureKind<E>) -> Self {
        Self::put_together(kind, Place::default())
    }

    /// Makes a failure of the body, of a child, or of a destructor.
    #[cold]
    pub(crate) fn whose(kind: FailureKind<E>, whose: Whose) -> Self {
        let place = Place {
            nursery: Some(whose.nursery),
            child: whose.child,
            has_cancelled: false,
        };
        Self::put_together(kind, place)
    }

    pub(crate) fn put_together(kind: FailureKind<E>, place: Place) -> Self {
        Self {
            inner: Box::new(One { kind, place }),
        }
    }

    pub(crate) fn take_apart(self) -> (FailureKind<E>, Place) {
        (self.inner.kind, self.inner.place)
    }

    /// Sets whether this failure cancelled its nursery.
    #[must_use]
    pub(crate) fn which_cancelled(mut self, has_cancelled: bool) -> Self {
        self.inner.place.has_cancelled = has_cancelled;
        self
    }

    /// Returns what went wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Failure, FailureKind};
    ///
    /// let failure: Failure<String> = Failure::new("disk full");
    /// assert!(matches!(failure.kind(), FailureKind::Error(error) if error == "disk full"));
    /// ```
    #[must_use]
    pub fn kind(&self) -> &FailureKind<E> {
        &self.inner.kind
    }

    /// Converts the failure into what went wrong, by value.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Failure, FailureKind};
    ///
    /// let failure: Failure<String> = Failure::new("disk full");
    /// let FailureKind::Error(error) = failure.into_kind() else { panic!("no error") };
    /// assert_eq!(error, "disk full");
    /// ```
    #[must_use]
    pub fn into_kind(self) -> FailureKind<E> {
        self.inner.kind
    }

    /// Returns the child that failed; `None` if the body or a destructor failed.
    ///
    /// A value that nobody joins is dropped after its child has ended, perhaps much later. A panic in the
    /// destructor of the value cancels the nursery like any other panic, but belongs to no child.
    ///
    /// # Examples
    ///
    /// ```
    /// let failed = hatchery::try_nursery(|n| n.spawn(|| Err::<(), _>("disk full")).join());
    /// let failures = failed.unwrap_err();
    /// assert_eq!(failures.cause().child().unwrap().index(), 0);
    /// ```
    #[must_use]
    pub fn child(&self) -> Option<&ChildId> {
        self.inner.place.child.as_ref()
    }

    /// Converts the failure into the error that the task returned, late or not.
    ///
    /// # Errors
    ///
    /// If the failure is not an error but a panic, a cancellation or nested failures, it is returned as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// let sum = hatchery::try_nursery(|n| {
    ///     let child = n.spawn(|| Err::<i32, _>("too hot"));
    ///     match child.join() {
    ///         Ok(value) => Ok(value),
    ///         Err(failure) => failure.into_error().map(|_too_hot| -1), // handled, unless a panic
    ///     }
    /// });
    /// assert_eq!(sum.unwrap(), -1);
    /// ```
    pub fn into_error(self) -> Result<E, Self> {
        match self.inner.kind {
            FailureKind::Error(error) | FailureKind::Late(error) => Ok(error),
            _ => Err(self),
        }
    }

    /// Attributes a failure to the task that returned it.
    ///
    /// - A failure of another child of *this* nursery stays as it is: the task only passed it on.
    /// - A failure of *another* nursery is wrapped in [`FailureKind::Nested`].
    /// - Any other failure becomes the failure of this task.
    ///
    /// If this nursery is cancelled, `told` is what the task knows of that. Then two kinds of failures are
    /// consequences of the cancellation: an error that may have been made of it, which becomes
    /// [`FailureKind::Late`]; and nested failures which only say that a nursery was cancelled, whatever the task
    /// knows, because that nursery may have been cancelled with this one.
    pub(crate) fn of(self, whose: Whose, told: Option<Told>) -> Self {
        let mut failure = self.unwrapped(&whose);
        match failure.inner.place.nursery {
            Some(nursery) if nursery != whose.nursery => {
                failure = Self::of_kind(FailureKind::Nested(Failures::only(failure)));
            }
            Some(_) if failure.child().is_some() => return failure,
            _ => {}
        }
        let kind = match (failure.inner.kind, told) {
            (FailureKind::Error(error), Some(Told::AsError)) => FailureKind::Late(error),
            // This nursery is not cancelled: another one was.
            (kind @ FailureKind::Cancelled(_), None) => {
                FailureKind::Nested(Failures::only(Self::of_kind(kind)))
            }
            (FailureKind::Nested(mut failures), told) => {
                let summary = failures.summary();
                failures.inner.is_consequence = told.is_some_and(|told| {
                    summary.are_cancelled || told != Told::Nothing && summary.are_late_at_most
                });
                FailureKind::Nested(failures)
            }
            (kind, _) => kind,
        };
        Self::whose(kind, whose)
    }

    /// Takes a failure of this nursery out of the `Failures` that it was converted into on its way here.
    fn unwrapped(mut self, whose: &Whose) -> Self {
        if self.inner.place.nursery.is_some() {
            return self;
        }
        if let FailureKind::Nested(failures) = &mut self.inner.kind {
            let failures = &mut failures.inner.failures;
            let is_own = |only: &Self| {
                let nursery = only.inner.place.nursery;
                nursery.is_none_or(|nursery| nursery == whose.nursery)
            };
            if failures.len() == 1 && is_own(&failures[0]) {
                return failures.pop().expect("there is one");
            }
        }
        self
    }

    /// Whether the failure is a consequence of a cancellation.
    pub(crate) fn is_cancellation(&self) -> bool {
        match self.kind() {
            FailureKind::Cancelled(_) | FailureKind::Late(_) => true,
            FailureKind::Nested(failures) => failures.inner.is_consequence,
            FailureKind::Error(_) | FailureKind::Panic(_) => false,
        }
    }

    /// In which way the task failed, for people who look while its nursery is open.
    pub(crate) fn how(&self) -> How {
        match self.kind() {
            FailureKind::Panic(panic) => How::panicked(panic.message()),
            FailureKind::Nested(_) => How::Nested,
            _ => How::ReturnedError(type_name::<E>()),
        }
    }

    pub(crate) fn is_late(&self) -> bool {
        match self.kind() {
            FailureKind::Late(_) => true,
            FailureKind::Nested(failures) => self.is_cancellation() && failures.summary().has_late,
            _ => false,
        }
    }

    /// Drops the failure: errors one by one, because any of them may panic on drop.
    pub(crate) fn discard(self) {
        Failures::only(self).discard();
    }

    /// The failures of an inner nursery, if this failure consists of them.
    pub(crate) fn nested(&self) -> Option<&Failures<E>> {
        match self.kind() {
            FailureKind::Nested(failures) => Some(failures),
            _ => None,
        }
    }
}

/// The task or destructor that failed, and its nursery.
pub(crate) struct Whose {
    pub(crate) nursery: NurseryId,
    /// None for the body and for destructors.
    pub(crate) child: Option<ChildId>,
}

impl<E> From<E> for Failure<E> {
    fn from(error: E) -> Self {
        Self::of_kind(FailureKind::Error(error))
    }
}

impl<E> From<Failures<E>> for Failure<E> {
    fn from(failures: Failures<E>) -> Self {
        Self::of_kind(FailureKind::Nested(failures))
    }
}

/// With this conversion `?` works on a `join` in a function that returns [`Failures`].
impl<E> From<Failure<E>> for Failures<E> {
    fn from(failure: Failure<E>) -> Self {
        let nursery = failure.inner.place.nursery;
        match failure.inner.kind {
            FailureKind::Nested(failures) if nursery.is_none() => failures,
            _ => Self::only(failure),
        }
    }
}

/// All failures of a partial nursery: at least one.
///
/// One of them is the [cause](Self::cause). The text of `Failures` is the text of the cause and the number of the
/// others: `child 1: disk full (and 2 more)`. With `{:#}` it lists all failures, one a line, the cause first.
/// Failures of inner nurseries count one by one, and the path to them stands before their text, as in
/// `child 3: child 0: disk full` or `body: child 0: disk full`. The middle of a long path is left out.
///
/// # How the types relate
///
/// ```text
///   Result<T, Failures<E>>            try_nursery returns it: the outcome of the nursery
///             |
///             | cause(), iter(), late()
///             v
///          Failure<E>                 `join` returns it: what happened to one child (or to the body)
///             |
///             |-- child() ---------> ChildId       which child; None for the body
///             |
///             | kind()
///             v
///        FailureKind<E>
///             |-- Error(E)             the task returned an error of yours
///             |-- Late(E)              the same, after a checkpoint had told it to stop
///             |-- Panic(Panic)         the task panicked: text, payload, where it was spawned
///             |-- Cancelled(Cancelled) the child did not run, or the task passed on a checkpoint's answer
///             |                            `-- reason() -> CancelReason
///             `-- Nested(Failures<E>)  a nursery inside the task failed
/// ```
///
/// A failure that a `join` returned is handled, and is not among the `Failures` unless a task passes it on.
/// [`late`](Self::late) failures are kept apart from the others.
///
/// # Examples
///
/// ```
/// let failed = hatchery::try_nursery(|n| {
///     n.spawn_each(["1", "two", "3"], str::parse::<i32>);
///     Ok(())
/// });
/// let failures = failed.unwrap_err();
/// assert_eq!(failures.to_string(), "child 1: invalid digit found in string");
/// ```
///
/// # As an error
///
/// `Failures<E>` is an [`Error`] if `E` is one, so `?` converts it into an `anyhow::Error`, an `eyre::Report` or a
/// `Box<dyn Error>`. Its text includes the text of the cause, so its [`source`](Error::source) is the source of
/// the cause: a report of the whole chain says everything once. Downcasting such an error gives the
/// `Failures` back, with all errors in it.
///
/// ```
/// use std::{fs, io};
/// use hatchery::{Failures, FailureKind};
///
/// fn sizes(paths: &[&str]) -> anyhow::Result<Vec<u64>> {
///     let sizes = hatchery::try_nursery(|n| {
///         let children = n.spawn_each(paths, |path| Ok(fs::metadata(path)?.len()));
///         children.collect::<Result<_, hatchery::Failure<io::Error>>>()
///     })?;
///     Ok(sizes)
/// }
/// let error = sizes(&["/no/such/file"]).unwrap_err();
/// let failures = error.downcast_ref::<Failures<io::Error>>().unwrap();
/// let FailureKind::Error(cause) = failures.cause().kind() else { panic!("no error") };
/// assert_eq!(cause.kind(), io::ErrorKind::NotFound);
/// ```
///
/// # With `anyhow` and `eyre`
///
/// `anyhow::Error`, `eyre::Report` and `Box<dyn Error>` do not implement [`Error`] themselves, and neither do
/// strings. If `E` is one of them, choose what to return:
///
/// - [`map_err(Failures::into_error)?`](Self::into_error) returns the error of the cause alone, as it was, with
///   its chain and its backtrace. If there was a panic, it panics.
/// - [`map_err(Failures::boxed)?`](Self::boxed) returns all failures as one error, with the chain of the cause. A
///   panic is one of the failures.
///
/// The text of an `anyhow::Error` is the text of its outermost context. With `{:#}` it is the whole chain, and
/// so is each line in a list of failures.
///
/// ```
/// use anyhow::Context;
/// use hatchery::Failures;
///
/// fn parse(lines: &[&str]) -> Result<Vec<i32>, Failures<anyhow::Error>> {
///     let parse = |line: &&str| line.parse().with_context(|| format!("in {line:?}"));
///     hatchery::try_nursery(|n| n.spawn_each(lines, parse).collect())
/// }
/// fn alone() -> anyhow::Result<Vec<i32>> {
///     Ok(parse(&["1", "two"]).map_err(Failures::into_error)?)
/// }
/// fn all() -> anyhow::Result<Vec<i32>> {
///     Ok(parse(&["1", "two"]).map_err(Failures::boxed)?)
/// }
///
/// let failures = parse(&["1", "two"]).unwrap_err();
/// assert_eq!(failures.to_string(), r#"child 1: in "two""#);
/// let whole = r#"child 1: in "two": invalid digit found in string"#;
/// assert_eq!(format!("{failures:#}"), whole);
///
/// let error = alone().unwrap_err();
/// assert_eq!(format!("{error:#}"), r#"in "two": invalid digit found in string"#);
/// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
///
/// let error = all().unwrap_err();
/// assert_eq!(format!("{error:#}"), whole);
/// assert!(error.chain().any(|link| link.is::<std::num::ParseIntError>()));
/// ```
pub struct Failures<E> {
    // On the heap, so that a `Result` of a small value stays small.
    inner: Box<Inner<E>>,
}

struct Inner<E> {
    /// At least one, in the order of [`Failures::iter`].
    failures: Vec<Failure<E>>,
    late: Vec<Failure<E>>,
    /// Which of them is the cause.
    cause: usize,
    summary: Summary,
    /// Whether the nursery around was cancelled, and these failures say no more than that.
    is_consequence: bool,
}

/// How failures in one list relate: which are late, which is the cause.
pub(crate) struct Shape {
    /// The number of failures that are not late.
    number: usize,
    cause: usize,
    is_consequence: bool,
}

impl<E> Drop for Inner<E> {
    /// Drops nested failures without recursion, however deep they are nested.
    fn drop(&mut self) {
        if self.summary.has_nested {
            self.dismantle(drop);
        }
    }
}

impl<E> Inner<E> {
    /// Takes all failures apart, the late ones included, and calls `end` on each when nothing is nested in it.
    fn dismantle(&mut self, end: impl Fn(Failure<E>)) {
        let mut left = Vec::new();
        self.unpack_onto(&mut left);
        while let Some(mut failure) = left.pop() {
            if let FailureKind::Nested(failures) = &mut failure.inner.kind {
                failures.inner.unpack_onto(&mut left);
            }
            end(failure);
        }
    }

    fn unpack_onto(&mut self, left: &mut Vec<Failure<E>>) {
        left.extend(self.late.drain(..).rev());
        left.extend(self.failures.drain(..).rev());
    }
}

impl<E> Failures<E> {
    /// Sorts failures by their children, and adds `last` behind them.
    ///
    /// # Panics
    ///
    /// If there are no failures.
    pub(crate) fn new(
        mut failures: Vec<Failure<E>>,
        last: Vec<Failure<E>>,
        mut late: Vec<Failure<E>>,
    ) -> Self {
        failures.sort_by(|a, b| a.child().cmp(&b.child()));
        failures.extend(last);
        late.sort_by(|a, b| a.child().cmp(&b.child()));
        assert!(!failures.is_empty(), "a failure without a cause");
        let has_cancelled = |failure: &Failure<E>| failure.inner.place.has_cancelled;
        let cause = failures.iter().position(has_cancelled).unwrap_or(0);
        Self::made(failures, late, cause)
    }

    fn made(failures: Vec<Failure<E>>, late: Vec<Failure<E>>, cause: usize) -> Self {
        let summary = Summary::of(&failures, &late, &failures[cause]);
        Self {
            inner: Box::new(Inner {
                failures,
                late,
                cause,
                summary,
                is_consequence: false,
            }),
        }
    }

    pub(crate) fn only(failure: Failure<E>) -> Self {
        Self::made(vec![failure], Vec::new(), 0)
    }

    /// Returns all failures in one list, the late ones behind the others.
    pub(crate) fn take_apart(self) -> (Vec<Failure<E>>, Shape) {
        let shape = Shape {
            number: self.inner.failures.len(),
            cause: self.inner.cause,
            is_consequence: self.inner.is_consequence,
        };
        let (mut all, late) = self.into_parts();
        all.extend(late);
        (all, shape)
    }

    pub(crate) fn put_together(mut all: Vec<Failure<E>>, shape: Shape) -> Self {
        let late = all.split_off(shape.number);
        let mut failures = Self::made(all, late, shape.cause);
        failures.inner.is_consequence = shape.is_consequence;
        failures
    }

    /// Returns the failure that went wrong first: the one that cancelled the nursery.
    ///
    /// A child fails when its closure has returned and the closure's captures have been dropped. If a sibling
    /// learns of that by a captured channel that closes, for example, the sibling's failure may come first.
    ///
    /// The failure that cancelled the nursery may not be among these: it was handled by a `join`, or something
    /// else cancelled the nursery, or nothing did, as with
    /// [`OnFailure::Continue`](crate::OnFailure::Continue). Then the cause is the first failure of
    /// [`iter`](Self::iter). It does not depend on the schedule: it is the body's own failure, or else the failure
    /// of the first child in spawn order that failed. (If the body passed on a failure of a child, it belongs to
    /// the child.)
    ///
    /// The cancellation of this nursery is the cause only if there are no other failures. If a child returned the
    /// failures of another nursery that was cancelled, they count like any failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let failures = hatchery::try_nursery(|n| {
    ///     let (sender, receiver) = mpsc::channel::<u8>();
    ///     n.spawn_blocking(move || receiver.recv().map_err(|error| error.to_string()));
    ///     let written = n.spawn(|| Err::<(), _>("disk full".to_owned())).join();
    ///     drop(sender); // so that the reader fails, too
    ///     written
    /// });
    /// assert_eq!(failures.unwrap_err().cause().to_string(), "child 1: disk full");
    /// ```
    #[must_use]
    pub fn cause(&self) -> &Failure<E> {
        &self.inner.failures[self.inner.cause]
    }

    /// Converts the failures into the [cause](Self::cause), and drops the other failures.
    ///
    /// # Examples
    ///
    /// ```
    /// let failed = hatchery::try_nursery(|n| n.spawn(|| Err::<(), _>("disk full")).join());
    /// let cause = failed.unwrap_err().into_cause();
    /// assert_eq!(cause.into_error().unwrap(), "disk full");
    /// ```
    #[must_use]
    pub fn into_cause(mut self) -> Failure<E> {
        let cause = self.inner.cause;
        self.inner.failures.swap_remove(cause)
    }

    /// Converts the failures into one error.
    ///
    /// It is the error of the [cause](Self::cause), or an error made of the cancellation if there is nothing else.
    /// The other failures are dropped.
    ///
    /// # Panics
    ///
    /// If there is a panic among the failures, in this nursery or in an inner one, `into_error` goes on with
    /// it instead, as [`resume_panic`](Self::resume_panic) does. So no panic is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Cancelled, Failures};
    ///
    /// #[derive(Debug)]
    /// enum Error {
    ///     Empty,
    ///     Stopped(Cancelled),
    /// }
    /// impl From<Cancelled> for Error {
    ///     fn from(cancelled: Cancelled) -> Self {
    ///         Self::Stopped(cancelled)
    ///     }
    /// }
    ///
    /// fn lengths(lines: &[&str]) -> Result<Vec<usize>, Error> {
    ///     let length = |line: &&str| if line.is_empty() { Err(Error::Empty) } else { Ok(line.len()) };
    ///     hatchery::try_nursery(|n| n.spawn_each(lines, length).collect())
    ///         .map_err(Failures::into_error)
    /// }
    /// assert!(matches!(lengths(&["a", ""]), Err(Error::Empty)));
    /// ```
    #[must_use]
    pub fn into_error(self) -> E
    where
        E: From<Cancelled>,
    {
        let mut failures = self.resume_panic();
        loop {
            match failures.into_cause().into_kind() {
                FailureKind::Error(error) | FailureKind::Late(error) => return error,
                FailureKind::Cancelled(cancelled) => return cancelled.into(),
                FailureKind::Nested(nested) => failures = nested,
                FailureKind::Panic(panic) => panic.resume(),
            }
        }
    }

    /// Returns an iterator over all failures that are not late.
    ///
    /// The body's own failure comes first, then the failures of children in spawn order, then panics of destructors.
    /// [`late`](Self::late) errors are in a list of their own.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{OnFailure, Options};
    ///
    /// let options = Options::new().on_failure(OnFailure::Continue);
    /// let failed = options.try_nursery(|n| {
    ///     n.spawn_each(["1", "two", "three"], str::parse::<i32>);
    ///     Ok(())
    /// });
    /// let failures = failed.unwrap_err();
    /// let children = failures.iter().filter_map(|failure| failure.child());
    /// assert!(children.map(|child| child.index()).eq([1, 2]));
    /// ```
    pub fn iter(&self) -> slice::Iter<'_, Failure<E>> {
        self.inner.failures.iter()
    }

    pub(crate) fn level(&self) -> Level<'_, E> {
        Level {
            failures: &self.inner.failures,
            cause: self.inner.cause,
            late: &self.inner.late,
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        self.inner.summary
    }

    /// Returns the number of failures, which is at least one.
    ///
    /// It is the number of items in [`iter`](Self::iter): the failures of an inner nursery count as one, and
    /// [late](Self::late) errors do not count.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{OnFailure, Options};
    ///
    /// let options = Options::new().on_failure(OnFailure::Continue);
    /// let failed = options.try_nursery(|n| {
    ///     n.spawn_each(["1", "two", "three"], str::parse::<i32>);
    ///     Ok(())
    /// });
    /// assert_eq!(failed.unwrap_err().len(), 2);
    /// ```
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.inner.failures.len()
    }

    /// Returns the late errors, in spawn order.
    ///
    /// An error is late if the task returned it after a checkpoint had told it of the cancellation. Most of the
    /// time such errors are consequences of the cancellation, so they do not count among the failures.
    /// [`into_parts`](Self::into_parts) returns them by value.
    ///
    /// # Examples
    ///
    /// ```
    /// let stopped = hatchery::try_nursery::<_, (), _>(|n| {
    ///     n.cancel();
    ///     let told = hatchery::checkpoint();
    ///     Ok(told.map_err(|_cancelled| "could not save the file")?)
    /// });
    /// let failures = stopped.unwrap_err();
    /// assert_eq!(failures.late()[0].to_string(), "could not save the file");
    /// ```
    #[must_use]
    pub fn late(&self) -> &[Failure<E>] {
        &self.inner.late
    }

    /// Converts the failures into two lists: what [`iter`](Self::iter) gives, and what [`late`](Self::late) gives.
    ///
    /// # Examples
    ///
    /// ```
    /// let failures = hatchery::try_nursery::<_, (), _>(|n| {
    ///     n.cancel();
    ///     Ok(hatchery::checkpoint().map_err(|_| "closed the file")?)
    /// });
    /// let (failures, late) = failures.unwrap_err().into_parts();
    /// assert!(matches!(failures[0].kind(), hatchery::FailureKind::Cancelled(_)));
    /// let late = late.into_iter().filter_map(|failure| failure.into_error().ok());
    /// assert_eq!(late.collect::<Vec<_>>(), ["closed the file"]);
    /// ```
    #[must_use]
    pub fn into_parts(mut self) -> (Vec<Failure<E>>, Vec<Failure<E>>) {
        let inner = &mut *self.inner;
        (mem::take(&mut inner.failures), mem::take(&mut inner.late))
    }

    /// Returns why the nursery was cancelled, if nothing else went wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{CancelReason, CancelToken, Options};
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let options = Options::new().cancel_on(&token);
    /// let stopped = options.try_nursery::<String, _, _>(|n| n.spawn(|| Ok(7)).join());
    /// let cancelled = stopped.unwrap_err().cancelled().unwrap();
    /// assert_eq!(cancelled.reason(), CancelReason::Token);
    /// ```
    #[must_use]
    pub fn cancelled(&self) -> Option<Cancelled> {
        self.inner.summary.cancelled
    }

    /// Goes on with a panic if there is one among the failures; otherwise returns the failures unchanged.
    ///
    /// With it a partial nursery treats panics as a total one does, and returns only errors and cancellations.
    ///
    /// # Panics
    ///
    /// If there is a panic among the failures, in this nursery or in an inner one. The payload is unchanged. Of
    /// several panics it is the panic of the [cause](Self::cause), or else the first.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::ParseIntError;
    /// use hatchery::Failures;
    ///
    /// fn parse(lines: &[&str]) -> Result<Vec<i64>, Failures<ParseIntError>> {
    ///     hatchery::try_nursery(|n| n.spawn_each(lines, |line| line.parse()).collect())
    ///         .map_err(Failures::resume_panic)
    /// }
    /// assert!(parse(&["1", "x"]).is_err());
    /// ```
    #[must_use]
    pub fn resume_panic(self) -> Self {
        let mut failures = self;
        while failures.summary().has_panic {
            let cause = Some(failures.inner.cause).filter(|_| failures.cause().summary().has_panic);
            let place = cause.or_else(|| {
                failures
                    .iter()
                    .position(|failure| failure.summary().has_panic)
            });
            let Some(place) = place else { break };
            let kind = failures.inner.failures.swap_remove(place).into_kind();
            failures.discard();
            match kind {
                FailureKind::Nested(nested) => failures = nested,
                FailureKind::Panic(panic) => panic.resume(),
                _ => unreachable!("it has a panic"),
            }
        }
        failures
    }

    /// Drops the failures, see [`Failure::discard`].
    pub(crate) fn discard(mut self) {
        self.inner.dismantle(discard);
    }
}

impl<E> IntoIterator for Failures<E> {
    type Item = Failure<E>;
    type IntoIter = vec::IntoIter<Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_parts().0.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a Failures<E> {
    type Item = &'a Failure<E>;
    type IntoIter = slice::Iter<'a, Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

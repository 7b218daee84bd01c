//! What goes wrong in a partial nursery: failures of single children, and all of them together.
//!
//! Failures may be nested as deep as nurseries are. So nothing here recurses into them.

#[cfg(doc)]
use std::error::Error;
use std::mem;
use std::slice;
use std::vec;

use crate::listing::Level;
use crate::panicked::Panic;
use crate::protocol::serial::Serial;
use crate::scope::{Cancelled, ChildId, Told, discard};
use crate::summary::Summary;

/// One thing that went wrong, and where; one pointer wide.
///
/// Bodies and children of [`spawn_body`](crate::TryNursery::spawn_body) return it. `?` makes one of an `E`,
/// and of the [`Failures`] of a nursery further in; [`Failure::new`] of whatever converts into an `E`.
/// Where [`Failures`] are returned, `?` makes those of it.
///
/// It is an [`Error`] if the error in it is one. Its text is the text of that error, behind the child
/// that returned it, and so its [`source`](Error::source) is the source of that error: no text comes
/// twice in a chain. [`Failures`] shows more, and what to do with errors that are none, as those of
/// `anyhow`.
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
    /// In which nursery; none if it was made by whoever is about to return it.
    nursery: Option<Serial>,
    child: Option<ChildId>,
    /// Whether its nursery was cancelled for it: of all its failures, one at most.
    has_cancelled: bool,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureKind<E> {
    /// It returned this error.
    Error(E),
    /// It returned this error when it knew that its nursery was cancelled.
    ///
    /// That is a consequence, most of the time. See [`Failures::late`], and
    /// [`TryNursery::on_late`](crate::TryNursery::on_late) where the nursery returns `Ok`.
    Late(E),
    /// It panicked.
    Panic(Panic),
    /// It was not started, or ended because it was told to.
    Cancelled(Cancelled),
    /// A nursery in it failed; or it returned a failure of another nursery.
    Nested(Failures<E>),
}

impl<E> Failure<E> {
    /// A failure because of an error that converts into an `E`.
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

    /// That the nursery is cancelled, for bodies and children of [`spawn_body`](crate::TryNursery::spawn_body): what a check has answered.
    ///
    /// Of a nursery that is not cancelled it is a failure like any other: then somebody else's was.
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
    ///
    /// If `E` converts from [`Cancelled`] and is to have it, [`Failure::new`] does that.
    #[must_use]
    pub fn cancelled(cancelled: Cancelled) -> Self {
        Self::of_kind(FailureKind::Cancelled(cancelled))
    }

    #[cold]
    fn of_kind(kind: FailureKind<E>) -> Self {
        Self::put_together(kind, Place::default())
    }

    /// Of the body, a child, or a destructor in this nursery.
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

    /// The same failure, which has cancelled its nursery, or has not.
    #[must_use]
    pub(crate) fn which_cancelled(mut self, has_cancelled: bool) -> Self {
        self.inner.place.has_cancelled = has_cancelled;
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &FailureKind<E> {
        &self.inner.kind
    }

    /// The same, by value.
    #[must_use]
    pub fn into_kind(self) -> FailureKind<E> {
        self.inner.kind
    }

    /// In which child; none in the body, nor where a value was dropped.
    ///
    /// A value that nobody joins is dropped once its child has ended, maybe long after. A panic in its
    /// destructor cancels the nursery like any other, but is no child's.
    #[must_use]
    pub fn child(&self) -> Option<&ChildId> {
        self.inner.place.child.as_ref()
    }

    /// The error that was returned, late or not.
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
    ///
    /// # Errors
    ///
    /// If it is something else than an error.
    pub fn into_error(self) -> Result<E, Self> {
        match self.inner.kind {
            FailureKind::Error(error) | FailureKind::Late(error) => Ok(error),
            _ => Err(self),
        }
    }

    /// What a child (or the body) has returned becomes its failure.
    ///
    /// That of another child of the nursery stays what it is. One that was taken out of another
    /// nursery is nested: whatever it meant there, here it is a failure like any other. Once this
    /// nursery is cancelled, though (then `told` says what the task knows of it), an error that may have
    /// been made of that is a consequence, and that another nursery was cancelled is one for everybody, as
    /// that may have been told with this one.
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
            // Another nursery was: this one is not.
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

    /// What was made into failures of no nursery but this, on its way here, is what it was before.
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

    /// Whether it is a consequence of a cancellation.
    pub(crate) fn is_cancellation(&self) -> bool {
        match self.kind() {
            FailureKind::Cancelled(_) | FailureKind::Late(_) => true,
            FailureKind::Nested(failures) => failures.inner.is_consequence,
            FailureKind::Error(_) | FailureKind::Panic(_) => false,
        }
    }

    pub(crate) fn is_late(&self) -> bool {
        match self.kind() {
            FailureKind::Late(_) => true,
            FailureKind::Nested(failures) => self.is_cancellation() && failures.summary().has_late,
            _ => false,
        }
    }

    /// Drops what nobody wants: errors one by one, as any of them may panic on drop.
    pub(crate) fn discard(self) {
        Failures::only(self).discard();
    }

    /// Those of a nursery further in, if that is what it is.
    pub(crate) fn nested(&self) -> Option<&Failures<E>> {
        match self.kind() {
            FailureKind::Nested(failures) => Some(failures),
            _ => None,
        }
    }
}

/// Which task, or destructor, of which nursery.
pub(crate) struct Whose {
    pub(crate) nursery: Serial,
    /// None for the body, and for destructors.
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

/// So that a function that returns all failures of a nursery may join a child by `?`, say.
impl<E> From<Failure<E>> for Failures<E> {
    fn from(failure: Failure<E>) -> Self {
        let nursery = failure.inner.place.nursery;
        match failure.inner.kind {
            FailureKind::Nested(failures) if nursery.is_none() => failures,
            _ => Self::only(failure),
        }
    }
}

/// All that went wrong in a partial nursery; at least one thing.
///
/// One of them is the [cause](Self::cause). The text of all of them is the text of the cause, and how
/// many more there are; `{:#}` lists all of them, one a line, the cause first. Failures of nurseries
/// further in count one by one, and stand behind the path to them: `child 3: child 0: no`, or
/// `body: child 0: no`. The middle of a long path is left out.
///
/// # As an error
///
/// It is an [`Error`] if `E` is one, so that `?` makes an `anyhow::Error`, an `eyre::Report` or a
/// `Box<dyn Error>` of it. Its text has the text of the cause already, so its [`source`](Error::source) is
/// the source of the cause: a report of the whole chain says everything once. What comes back out of
/// such an error by downcasting is the `Failures`, with all errors in it.
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
/// `anyhow::Error`, `eyre::Report` and `Box<dyn Error>` are no [`Error`]s themselves, nor are texts.
/// Where `E` is one of them, say what is to come out:
///
/// - [`map_err(Failures::into_error)?`](Self::into_error): the error of the cause alone, as it was, with its
///   chain and its backtrace. A panic goes on.
/// - [`map_err(Failures::boxed)?`](Self::boxed): all failures as one error, with the chain of the cause. A
///   panic is one of the failures.
///
/// The text of a single `anyhow::Error` is that of its outermost context. `{:#}` has the whole chain, and
/// so have the lines of a list of failures.
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
    /// Whether the nursery around it had been cancelled, and these say no more than that.
    is_consequence: bool,
}

/// What failures are to each other.
pub(crate) struct Shape {
    /// How many are not late.
    number: usize,
    cause: usize,
    is_consequence: bool,
}

impl<E> Drop for Inner<E> {
    /// Not by recursion, however deep they are nested.
    fn drop(&mut self) {
        if self.summary.has_nested {
            self.dismantle(drop);
        }
    }
}

impl<E> Inner<E> {
    /// Has an end made of each failure in turn that has no others nested in it, the late ones included.
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
    /// These failures in the order of their children, then the last ones.
    ///
    /// # Panics
    ///
    /// If there are none.
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

    /// All of them and the late ones in a row.
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

    /// What went wrong first: the failure that cancelled the nursery.
    ///
    /// A child has failed once its closure has returned, and what it captured has been dropped. A sibling
    /// that learns of that, say by a channel that is closed then, may still be quicker.
    ///
    /// If it is not among them (it was joined and handled; or nothing that failed cancelled the nursery,
    /// as under [`OnFailure::Continue`](crate::OnFailure::Continue), or once it was cancelled by something
    /// else), it is the first one by [`iter`](Self::iter), which does not depend on the schedule: the body's
    /// own, else that of the first child in spawn order that failed. A failure that the body had from a
    /// child is that child's. That this nursery was cancelled is the cause only if there is nothing else; that
    /// another nursery was, whose failures a child has returned, is a failure like any other.
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

    /// The [cause](Self::cause) by value; the other failures are dropped.
    #[must_use]
    pub fn into_cause(mut self) -> Failure<E> {
        let cause = self.inner.cause;
        self.inner.failures.swap_remove(cause)
    }

    /// The error of the [cause](Self::cause), or the cancellation if there is nothing else; a panic goes on.
    ///
    /// The other failures are dropped. If one of them is a panic, in this nursery or in one further in, that
    /// goes on instead, as by [`resume_panic`](Self::resume_panic): no panic is lost.
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
    ///
    /// # Panics
    ///
    /// With the payload of a panic among the failures.
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

    /// All of them: the body's own, the children's in spawn order, destructors'.
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

    /// The number of failures, at least one: how many [`iter`](Self::iter) has.
    ///
    /// The failures of a nursery further in count as one here, and [late](Self::late) errors do not count.
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

    /// Errors of children that already knew of the cancellation, in spawn order.
    ///
    /// They are consequences most of the time, and not counted among the failures.
    /// [`into_parts`](Self::into_parts) has them by value.
    #[must_use]
    pub fn late(&self) -> &[Failure<E>] {
        &self.inner.late
    }

    /// All of them as by [`iter`](Self::iter), and the late ones, by value.
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

    /// Why the nursery was cancelled, if that is all that happened.
    #[must_use]
    pub fn cancelled(&self) -> Option<Cancelled> {
        self.inner.summary.cancelled
    }

    /// Goes on with a panic, if there is one here or in a nursery further in.
    ///
    /// If there are several, it is the panic of the [cause](Self::cause), else the first one.
    ///
    /// ```
    /// # fn parse(lines: &[&str]) -> Result<Vec<i64>, hatchery::Failures<std::num::ParseIntError>> {
    /// hatchery::try_nursery(|n| n.spawn_each(lines, |line| line.parse()).collect())
    ///     .map_err(hatchery::Failures::resume_panic)
    /// # }
    /// # assert!(parse(&["1", "x"]).is_err());
    /// ```
    ///
    /// # Panics
    ///
    /// With its payload.
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

    /// As [`Failure::discard`].
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

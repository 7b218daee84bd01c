//! What goes wrong in a partial nursery: failures of single children, and all of them together.

use std::error::Error;
use std::fmt;
use std::num::NonZeroUsize;
use std::slice;
use std::vec;

use crate::listing;
use crate::panicked::Panic;
use crate::scope::{Cancelled, ChildId, Told, discard};
use crate::serial::Serial;

/// One thing that went wrong, and where; one pointer wide.
///
/// Bodies and [nested](crate::TryNursery::spawn_nested) children return it. `?` makes one of an `E`,
/// and of the [`Failures`] of a nursery further in; [`Failure::error`] of whatever converts into an `E`.
/// Where [`Failures`] are returned, `?` makes those of it.
///
/// It has no [`source`](Error::source): its text is that of the error in it already, which need not
/// live for `'static` as a source must. [`kind`](Self::kind) has it.
pub struct Failure<E> {
    // On the heap, so that a `Result` of a small value travels in registers.
    inner: Box<One<E>>,
}

struct One<E> {
    kind: Kind<E>,
    /// In which nursery; none if it was made by whoever is about to return it.
    nursery: Option<Serial>,
    child: Option<ChildId>,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Kind<E> {
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
    /// ```
    /// use hatchery::Failure;
    ///
    /// let parsed = hatchery::try_nursery::<Box<dyn std::error::Error + Send + Sync>, _, _>(|n| {
    ///     let child = n.spawn(|| Ok("7".parse::<i32>()?));
    ///     let own: i32 = "8".parse().map_err(Failure::error)?;
    ///     Ok(child.join()? + own)
    /// });
    /// assert_eq!(parsed.unwrap(), 15);
    /// ```
    pub fn error(error: impl Into<E>) -> Self {
        Self::new(Kind::Error(error.into()))
    }

    #[cold]
    pub(crate) fn new(kind: Kind<E>) -> Self {
        Self::made(kind, None, None)
    }

    /// Of the body, a child, or a destructor in this nursery.
    #[cold]
    pub(crate) fn whose(kind: Kind<E>, whose: Whose) -> Self {
        Self::made(kind, Some(whose.nursery), whose.child)
    }

    fn made(kind: Kind<E>, nursery: Option<Serial>, child: Option<ChildId>) -> Self {
        let inner = Box::new(One {
            kind,
            nursery,
            child,
        });
        Self { inner }
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &Kind<E> {
        &self.inner.kind
    }

    /// The same, by value.
    #[must_use]
    pub fn into_kind(self) -> Kind<E> {
        self.inner.kind
    }

    /// In which child; none in the body, nor where a value was dropped.
    ///
    /// A value that nobody joins is dropped once its child has ended, maybe long after. A panic in its
    /// destructor cancels the nursery like any other, but is no child's.
    #[must_use]
    pub fn child(&self) -> Option<&ChildId> {
        self.inner.child.as_ref()
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
        let One {
            kind,
            nursery,
            child,
        } = *self.inner;
        match kind {
            Kind::Error(error) | Kind::Late(error) => Ok(error),
            kind => Err(Self::made(kind, nursery, child)),
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
        match failure.inner.nursery {
            Some(nursery) if nursery != whose.nursery => {
                failure = Self::new(Kind::Nested(Failures::only(failure)));
            }
            Some(_) if failure.child().is_some() => return failure,
            _ => {}
        }
        let kind = match (failure.inner.kind, told) {
            (Kind::Error(error), Some(Told::AsError)) => Kind::Late(error),
            (Kind::Nested(mut failures), told) => {
                failures.inner.is_consequence =
                    told.is_some_and(|told| failures.say_cancelled(told != Told::Nothing));
                Kind::Nested(failures)
            }
            (kind, _) => kind,
        };
        Self::whose(kind, whose)
    }

    /// What was made into failures of no nursery but this, on its way here, is what it was before.
    fn unwrapped(mut self, whose: &Whose) -> Self {
        if self.inner.nursery.is_some() {
            return self;
        }
        if let Kind::Nested(failures) = &mut self.inner.kind {
            let failures = &mut failures.inner.failures;
            let is_own = |only: &Self| {
                let nursery = only.inner.nursery;
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
            Kind::Cancelled(_) | Kind::Late(_) => true,
            Kind::Nested(failures) => failures.inner.is_consequence,
            Kind::Error(_) | Kind::Panic(_) => false,
        }
    }

    pub(crate) fn is_late(&self) -> bool {
        match self.kind() {
            Kind::Late(_) => true,
            Kind::Nested(failures) => self.is_cancellation() && failures.have_late(),
            _ => false,
        }
    }

    /// Drops what nobody wants: errors one by one, as any of them may panic on drop.
    pub(crate) fn discard(self) {
        match self.into_kind() {
            Kind::Nested(failures) => failures.discard(),
            kind => discard(kind),
        }
    }

    fn into_panic(self) -> Result<Panic, Self> {
        let One {
            kind,
            nursery,
            child,
        } = *self.inner;
        match kind {
            Kind::Panic(panic) => Ok(panic),
            Kind::Nested(failures) => failures
                .into_panic()
                .map_err(|failures| Self::made(Kind::Nested(failures), nursery, child)),
            kind => Err(Self::made(kind, nursery, child)),
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
        Self::new(Kind::Error(error))
    }
}

impl<E> From<Failures<E>> for Failure<E> {
    fn from(failures: Failures<E>) -> Self {
        Self::new(Kind::Nested(failures))
    }
}

/// So that a function that returns all failures of a nursery may join a child by `?`, say.
impl<E> From<Failure<E>> for Failures<E> {
    fn from(failure: Failure<E>) -> Self {
        match *failure.inner {
            One {
                kind: Kind::Nested(failures),
                nursery: None,
                ..
            } => failures,
            one => Self::only(Failure {
                inner: Box::new(one),
            }),
        }
    }
}

/// As that of [`Failures`], if one is nested in it.
impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listing::write(f, slice::from_ref(self))
    }
}

impl<E: fmt::Display> fmt::Display for Kind<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) | Self::Late(error) => error.fmt(f),
            Self::Panic(panic) => panic.fmt(f),
            Self::Cancelled(cancelled) => cancelled.fmt(f),
            Self::Nested(failures) => failures.fmt(f),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("kind", self.kind())
            .field("child", &self.child())
            .finish()
    }
}

impl<E: fmt::Debug + fmt::Display> Error for Failure<E> {}

/// All that went wrong in a partial nursery; at least one thing.
///
/// The first one is the [cause](Self::cause). Its `Display` is that of the cause, and how many more
/// there are; `{:#}` lists them all, one a line. Those of nurseries further in count one by one, and
/// stand behind the path to them: `child 3: child 0: no`, or `body: child 0: no`.
///
/// It has no [`source`](Error::source), as [`Failure`] has none.
pub struct Failures<E> {
    // On the heap, so that a `Result` of a small value stays small.
    inner: Box<Inner<E>>,
}

struct Inner<E> {
    /// At least one, in the order of [`Failures::iter`].
    failures: Vec<Failure<E>>,
    late: Vec<Failure<E>>,
    /// Whether the nursery around it had been cancelled, and these say no more than that.
    is_consequence: bool,
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
        Self {
            inner: Box::new(Inner {
                failures,
                late,
                is_consequence: false,
            }),
        }
    }

    pub(crate) fn only(failure: Failure<E>) -> Self {
        Self::new(vec![failure], Vec::new(), Vec::new())
    }

    /// The first one: the body's own, else that of the first child that failed.
    ///
    /// Children are taken in spawn order. If none failed, it is the first panic of a destructor that belongs to no child; and a cancellation
    /// if there is nothing else. A failure that the body had from a child is that child's.
    #[must_use]
    pub fn cause(&self) -> &Failure<E> {
        &self.inner.failures[0]
    }

    /// The first one, by value; the others are dropped.
    #[must_use]
    pub fn into_cause(self) -> Failure<E> {
        match self.into_iter().next() {
            Some(cause) => cause,
            None => unreachable!("there is at least one"),
        }
    }

    /// All of them: the body's own, the children's in spawn order, destructors'.
    pub fn iter(&self) -> slice::Iter<'_, Failure<E>> {
        self.inner.failures.iter()
    }

    pub(crate) fn all(&self) -> &[Failure<E>] {
        &self.inner.failures
    }

    /// How many there are.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> NonZeroUsize {
        NonZeroUsize::MIN.saturating_add(self.inner.failures.len() - 1)
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
    /// assert!(matches!(failures[0].kind(), hatchery::Kind::Cancelled(_)));
    /// let late = late.into_iter().filter_map(|failure| failure.into_error().ok());
    /// assert_eq!(late.collect::<Vec<_>>(), ["closed the file"]);
    /// ```
    #[must_use]
    pub fn into_parts(self) -> (Vec<Failure<E>>, Vec<Failure<E>>) {
        (self.inner.failures, self.inner.late)
    }

    /// Whether they say no more than that a nursery was cancelled, or perhaps what followed.
    fn say_cancelled(&self, or_late: bool) -> bool {
        self.iter().all(|failure| match failure.kind() {
            Kind::Nested(failures) => failures.say_cancelled(or_late),
            Kind::Late(_) => or_late,
            kind => matches!(kind, Kind::Cancelled(_)),
        })
    }

    /// Whether there are late errors, here or in a nursery further in.
    fn have_late(&self) -> bool {
        let mut all = self.iter();
        let is_one = |failure: &Failure<E>| match failure.kind() {
            Kind::Late(_) => true,
            // What it meant to the nursery around it does not matter.
            Kind::Nested(failures) => failures.have_late(),
            _ => false,
        };
        !self.late().is_empty() || all.any(is_one)
    }

    /// Why the nursery was cancelled, if that is all that happened.
    #[must_use]
    pub fn cancelled(&self) -> Option<Cancelled> {
        match self.cause().kind() {
            Kind::Cancelled(cancelled) => Some(*cancelled),
            Kind::Nested(failures) if self.say_cancelled(false) => failures.cancelled(),
            _ => None,
        }
    }

    /// Goes on with the first panic, if there is one here or in a nursery further in.
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
        match self.into_panic() {
            Ok(panic) => panic.resume(),
            Err(failures) => failures,
        }
    }

    /// As [`Failure::discard`].
    pub(crate) fn discard(self) {
        let Inner { failures, late, .. } = *self.inner;
        failures.into_iter().chain(late).for_each(Failure::discard);
    }

    fn into_panic(mut self) -> Result<Panic, Self> {
        let mut kept = Vec::with_capacity(self.inner.failures.len());
        for failure in self.inner.failures.drain(..) {
            match failure.into_panic() {
                Ok(panic) => return Ok(panic),
                Err(failure) => kept.push(failure),
            }
        }
        self.inner.failures = kept;
        Err(self)
    }
}

impl<E> IntoIterator for Failures<E> {
    type Item = Failure<E>;
    type IntoIter = vec::IntoIter<Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.inner.failures.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a Failures<E> {
    type Item = &'a Failure<E>;
    type IntoIter = slice::Iter<'a, Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: fmt::Display> fmt::Display for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listing::write(f, self.all())
    }
}

impl<E: fmt::Debug> fmt::Debug for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failures")
            .field("failures", &self.inner.failures)
            .field("late", &self.inner.late)
            .finish()
    }
}

impl<E: fmt::Debug + fmt::Display> Error for Failures<E> {}

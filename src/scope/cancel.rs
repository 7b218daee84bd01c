//! Whether a nursery is cancelled, by whom, and what that means for its children.
//!
//! Cancellation flows down: a nursery is cancelled by itself, by its token or deadline, or by a
//! nursery it was opened in. The first reason that it learns of stays its reason. A *shield* is not
//! cancelled with the nursery it was opened in: its children see no cancellation from outside.
//!
//! A *total* nursery must come to a value. So only a panic of its own keeps its children from
//! starting; they are told of any other cancellation when they ask. Children of a *partial* nursery
//! ask before they start.
#![allow(
    unsafe_code,
    reason = "follows a nursery to its terms and its ancestors"
)]

use std::error::Error;
use std::fmt;
use std::io;
use std::iter::successors;
use std::mem::offset_of;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use crate::engine::limit::Limiter;
use crate::engine::node::Node;
use crate::engine::polling;
use crate::engine::report::Facts;
use crate::platform::clock;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicPtr, Ordering};
use crate::protocol::epoch::EPOCH;
use crate::protocol::mark::{self, Cancellable, FAILED, Known, Mark, SKIPS};
use crate::scope::Scope;
use crate::scope::due::Due;
use crate::scope::lineage::{self, Told};
use crate::scope::token::{Token, Tokens};

/// Why a nursery was cancelled.
///
/// A nursery that was cancelled with a nursery around it has the outer nursery's reason.
///
/// # Examples
///
/// ```
/// use hatchery::CancelReason;
///
/// let reason = hatchery::nursery(|n| {
///     n.cancel();
///     hatchery::checkpoint().unwrap_err().reason()
/// });
/// assert_eq!(reason, CancelReason::Requested);
/// assert_eq!(reason.to_string(), "on request");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum CancelReason {
    /// The program called [`TryNursery::cancel`](crate::TryNursery::cancel) or
    /// [`Nursery::cancel`](crate::Nursery::cancel); or a race had a winner.
    Requested = 1,
    /// A [`CancelToken`](crate::CancelToken) of the nursery was cancelled.
    Token = 2,
    /// The deadline of the nursery has passed.
    Deadline = 3,
    /// A child of the nursery returned an error.
    ChildFailed = 4,
    /// A child of the nursery panicked.
    ChildPanicked = 5,
    /// The body of the nursery returned an error.
    BodyFailed = 6,
    /// The body of the nursery panicked.
    BodyPanicked = 7,
    /// The nursery was a [race](crate::race()) without competitors.
    NoCompetitor = 8,
}

/// How many nurseries are searched outwards for a reason, which is for people to read.
const OUTWARDS: usize = 256;

impl CancelReason {
    const ALL: [Self; 8] = [
        Self::Requested,
        Self::Token,
        Self::Deadline,
        Self::ChildFailed,
        Self::ChildPanicked,
        Self::BodyFailed,
        Self::BodyPanicked,
        Self::NoCompetitor,
    ];

    /// The reason that a mark knows.
    fn of(known: Known) -> Self {
        Self::ALL[usize::from(known.reason) - 1]
    }
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "on request",
            Self::Token => "by its token",
            Self::Deadline => "because its deadline has passed",
            Self::ChildFailed => "because a child failed",
            Self::ChildPanicked => "because a child panicked",
            Self::BodyFailed => "because its body failed",
            Self::BodyPanicked => "because its body panicked",
            Self::NoCompetitor => "because nobody took part",
        })
    }
}

/// The answer of a [`checkpoint`](crate::checkpoint()) in a nursery that is cancelled.
///
/// `Cancelled` is an error, so `?` ends a child that has been told to stop. It converts into an
/// [`io::Error`]; error types of your own need a `From<Cancelled>`. How it relates to the other types of
/// failures is in the [picture](crate::Failures#how-the-types-relate) at `Failures`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use hatchery::{CancelReason, Options};
///
/// let over = Options::new().timeout(Duration::ZERO);
/// let cancelled = over.nursery(|_| hatchery::checkpoint().unwrap_err());
/// assert_eq!(cancelled.reason(), CancelReason::Deadline);
/// assert!(cancelled.to_string().starts_with("the nursery was cancelled because its deadline"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cancelled {
    reason: CancelReason,
    is_inherited: bool,
    /// Microseconds, for a deadline; about an hour at most.
    late_by: u32,
}

impl Cancelled {
    pub(crate) fn for_want_of_competitors() -> Self {
        Self {
            reason: CancelReason::NoCompetitor,
            is_inherited: false,
            late_by: 0,
        }
    }

    /// Returns why the nursery was cancelled.
    ///
    /// If the cancellation is [inherited](Self::is_inherited), it is the reason of the outer nursery that was
    /// cancelled first.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{CancelReason, CancelToken, Options};
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let told = Options::new().cancel_on(&token).nursery(|_| hatchery::checkpoint());
    /// assert_eq!(told.unwrap_err().reason(), CancelReason::Token);
    /// ```
    #[must_use]
    pub fn reason(&self) -> CancelReason {
        self.reason
    }

    /// Returns whether the nursery was cancelled with a nursery around it.
    ///
    /// # Examples
    ///
    /// ```
    /// hatchery::nursery(|outer| {
    ///     outer.cancel();
    ///     assert!(!hatchery::checkpoint().unwrap_err().is_inherited());
    ///     hatchery::nursery(|_inner| {
    ///         assert!(hatchery::checkpoint().unwrap_err().is_inherited());
    ///     });
    /// });
    /// ```
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        self.is_inherited
    }

    /// Returns by how much the deadline was missed; `None` if the reason is not a deadline.
    ///
    /// The end of the interval is the call that returned this value. In a failure that a nursery returns, it is
    /// the end of the nursery's last child. The resolution is a microsecond, and the largest value a little
    /// more than an hour: later calls return that value.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use hatchery::Options;
    ///
    /// let over = Options::new().timeout(Duration::ZERO);
    /// let cancelled = over.nursery(|_| hatchery::checkpoint().unwrap_err());
    /// assert!(cancelled.overshoot().is_some());
    /// ```
    #[must_use]
    pub fn overshoot(&self) -> Option<Duration> {
        (self.reason == CancelReason::Deadline).then(|| Duration::from_micros(self.late_by.into()))
    }

    /// Unwinds the stack, as a panic does, to a partial nursery that is cancelled.
    ///
    /// It is for code that cannot return an error, such as a closure that somebody else calls. The body or child of a
    /// [`TryNursery`](crate::TryNursery) that is unwound by it counts as one that has returned
    /// [`Failure::cancelled`](crate::Failure::cancelled). Everything else sees a panic with a `Cancelled` as its payload,
    /// and passes it on: total nurseries, [`join`](crate::join()), a [`submit`](crate::submit()) that is awaited. The panic
    /// hook is not called.
    ///
    /// # Panics
    ///
    /// Always.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use hatchery::Options;
    ///
    /// let over = Options::new().timeout(Duration::ZERO);
    /// let stopped = over.try_nursery::<String, _, _>(|_| {
    ///     let mut numbers = vec![3, 1, 2];
    ///     numbers.sort_by(|a, b| {
    ///         if let Err(cancelled) = hatchery::checkpoint() {
    ///             cancelled.unwind();
    ///         }
    ///         a.cmp(b)
    ///     });
    ///     Ok(numbers)
    /// });
    /// assert!(stopped.unwrap_err().cancelled().is_some());
    /// ```
    pub fn unwind(self) -> ! {
        resume_unwind(Box::new(self))
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.is_inherited {
            "an outer nursery"
        } else {
            "the nursery"
        };
        write!(f, "{whose} was cancelled {}", self.reason)?;
        match self.overshoot() {
            Some(late_by) => write!(f, ", {late_by:?} ago"),
            None => Ok(()),
        }
    }
}

impl Error for Cancelled {}

/// An I/O error of the kind [`TimedOut`](io::ErrorKind::TimedOut) if a deadline has passed, else
/// [`Other`](io::ErrorKind::Other).
///
/// The [`Cancelled`] is the [inner error](io::Error::get_ref). The kind is never
/// [`Interrupted`](io::ErrorKind::Interrupted), because helpers of the standard library such as
/// [`io::copy`] call a reader or writer again and again as long as it returns that kind.
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use hatchery::{Cancelled, Options, CancelReason};
///
/// let stopped = Options::new().timeout(Duration::ZERO).try_nursery::<io::Error, (), _>(|n| {
///     let told: io::Result<()> = hatchery::checkpoint().map_err(io::Error::from);
///     let error = told.unwrap_err();
///     assert_eq!(error.kind(), io::ErrorKind::TimedOut);
///     let cancelled = error.get_ref().unwrap().downcast_ref::<Cancelled>().unwrap();
///     assert_eq!(cancelled.reason(), CancelReason::Deadline);
///     n.checkpoint()
/// });
/// assert!(stopped.is_err());
/// ```
impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        let kind = match cancelled.reason {
            CancelReason::Deadline => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, cancelled)
    }
}

/// What a nursery was opened with.
#[derive(Default)]
pub(crate) struct Terms {
    /// For people to read.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) tokens: Tokens,
    due: Due,
    /// Whether the nursery hears nothing of the nurseries around it.
    pub(crate) is_shield: bool,
    /// Whether a failure or panic leaves the siblings alone.
    pub(crate) continues: bool,
    pub(crate) is_partial: bool,
    /// In a box: few nurseries have a limit, and the terms are part of each level of a recursion.
    pub(crate) limiter: Option<Box<Limiter>>,
}

impl Terms {
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        if deadline.is_some() {
            self.due.set(deadline);
        }
    }

    /// The time that is `timeout` from now; none if that is too far away to be named, or if there
    /// is no clock.
    pub(crate) fn after(timeout: Duration) -> Option<Instant> {
        clock::IS_THERE.then(clock::now)?.checked_add(timeout)
    }

    /// Why the terms cancel the nursery now, if they do; for a deadline, also since when.
    fn broken(&self) -> Option<(CancelReason, Option<Instant>)> {
        if self.tokens.as_slice().iter().any(Token::is_cancelled) {
            return Some((CancelReason::Token, None));
        }
        let passed = self.due.passed()?;
        Some((CancelReason::Deadline, Some(passed)))
    }
}

/// The part of a nursery's state that is about cancellation.
#[repr(C)]
pub(super) struct Cancel {
    /// Null if it has none. INVARIANT: set before the nursery's body begins, to terms that outlive
    /// the nursery.
    terms: AtomicPtr<Terms>,
    mark: Mark,
}

impl Cancel {
    /// Where the part begins that is read for every child.
    pub(super) const PER_CHILD: usize = offset_of!(Self, mark);

    // Inlined, so that it is made in place and not copied; but in a debug build that would cost a
    // deep recursion its stack.
    #[cfg_attr(
        not(debug_assertions),
        allow(clippy::inline_always, reason = "see above")
    )]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn new() -> Self {
        Self {
            mark: Mark::new(),
            terms: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Sets the terms.
    ///
    /// # Safety
    ///
    /// The terms outlive the nursery, and its body has not begun.
    unsafe fn set_terms(&self, terms: *const Terms) {
        // ORDERING: Relaxed: children come after.
        self.terms.store(terms.cast_mut(), Ordering::Relaxed);
    }

    /// Whether children that have not started are dropped unrun.
    #[inline]
    pub(super) fn skips(&self) -> bool {
        self.mark.has(SKIPS)
    }

    /// A hint whether children that have not started are dropped unrun.
    #[inline]
    pub(super) fn would_skip(&self) -> bool {
        self.mark.may_have(SKIPS)
    }

    /// Whether nobody has cancelled the nursery, nobody was told of a cancellation, and nothing has
    /// failed.
    #[inline]
    pub(super) fn is_blank(&self) -> bool {
        self.mark.is_blank()
    }
}

impl Cancellable for Scope {
    fn mark(&self) -> &Mark {
        &self.cancel.mark
    }

    fn outer(&self) -> Option<&Self> {
        self.parent()
    }

    fn broken(&self) -> Option<(u8, Option<Instant>)> {
        let (reason, since) = self.terms()?.broken()?;
        Some((reason as u8, since))
    }

    const DEADLINE: u8 = CancelReason::Deadline as u8;

    fn since(&self) -> Option<Instant> {
        self.terms()?.due.over()
    }

    fn note_since(&self, since: Instant) {
        if let Some(terms) = self.terms() {
            terms.due.end(since);
        }
    }

    fn is_unwatched(&self) -> bool {
        self.terms().is_some_and(|terms| terms.due.is_unwatched())
    }
}

impl Scope {
    pub(crate) fn terms(&self) -> Option<&Terms> {
        // SAFETY: by the invariant of the field.
        unsafe { self.terms_at().as_ref() }
    }

    /// Where the terms lie: what was given to [`Self::set_terms`], or null.
    pub(super) fn terms_at(&self) -> *const Terms {
        self.cancel.terms.load(Ordering::Relaxed)
    }

    /// Sets the terms, and the limit among them.
    ///
    /// # Safety
    ///
    /// The terms outlive the nursery, and its body has not begun.
    pub(super) unsafe fn set_terms(&self, terms: *const Terms) {
        // SAFETY: the caller promises the same.
        unsafe { self.cancel.set_terms(terms) };
        // SAFETY: the terms outlive this call.
        if let Some(limiter) = unsafe { &(*terms) }.limiter.as_deref() {
            // SAFETY: the limiter lies in the terms, which outlive the nursery; its body has not
            // begun.
            unsafe { self.node.set_limiter(limiter) };
        }
    }

    /// Whether children ask before they start.
    fn is_partial(&self) -> bool {
        self.terms().is_some_and(|terms| terms.is_partial)
    }

    /// Cancels the nursery because somebody asks for it, as a token does: a total nursery runs all of its
    /// children even so. True if it was not cancelled before.
    #[cold]
    pub(crate) fn cancel(&self) -> bool {
        mark::cancel(self, &EPOCH, CancelReason::Requested as u8, 0)
    }

    /// Cancels the nursery for a failure; true if it was not cancelled before.
    #[cold]
    fn cancel_for(&self, reason: CancelReason) -> bool {
        let flags = if self.is_partial() { 0 } else { SKIPS };
        mark::cancel(self, &EPOCH, reason as u8, flags)
    }

    /// Notes that a child or the body has failed or panicked, and cancels the nursery, unless the
    /// others are to go on. True if the nursery was not cancelled before, and is now.
    #[cold]
    pub(crate) fn fail(&self, reason: CancelReason) -> bool {
        self.cancel.mark.add(FAILED);
        let continues = self.terms().is_some_and(|terms| terms.continues);
        let has_cancelled = !continues && self.cancel_for(reason);
        failpoint::reach(Failpoint::FailureRecorded);
        has_cancelled
    }

    /// Whether a child or the body has failed or panicked.
    pub(super) fn has_failed(&self) -> bool {
        self.cancel.mark.has(FAILED)
    }

    /// Notes that code was told in this nursery that does not run on top of its body.
    pub(super) fn note_told(&self, told: Told) {
        self.cancel.mark.note_told(told.flag());
    }

    /// Passes on what was told in this nursery to the task around it, if the nursery was cancelled
    /// with an outer one.
    pub(super) fn pass_on_what_was_told(&self) {
        let known = self.cancel.mark.known();
        let told = Told::most_of(self.cancel.mark.told());
        if told != Told::Nothing && known.is_some_and(|known| known.is_inherited) {
            lineage::tell(self, told);
        }
    }

    /// Whether children that have not started are dropped unrun, without asking themselves.
    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.skips()
    }

    /// Why the nursery is cancelled, if it is.
    #[inline]
    pub(crate) fn cancelled(&self) -> Option<Cancelled> {
        if self.cancel.mark.is_known_clean(&EPOCH) {
            return None;
        }
        self.look()
    }

    /// Whether the nursery is cancelled. The caller may ask this again and again.
    pub(crate) fn poll(&self) -> bool {
        polling::answer();
        self.cancelled().is_some()
    }

    /// Why the nursery is cancelled, if it is. The asking task has been told then. It may ask this again and again.
    #[inline]
    pub(crate) fn ask(&self, told: Told) -> Option<Cancelled> {
        polling::answer();
        if self.cancel.mark.is_known_clean(&EPOCH) {
            return None;
        }
        self.look_and_tell(told)
    }

    // The last thing that a check does, so that it needs no room on the stack.
    #[cold]
    #[inline(never)]
    fn look_and_tell(&self, told: Told) -> Option<Cancelled> {
        let cancelled = self.look();
        if cancelled.is_some() {
            lineage::tell(self, told);
        }
        cancelled
    }

    #[cold]
    #[inline(never)]
    fn look(&self) -> Option<Cancelled> {
        // A fork is no nursery to the user: what it has inherited may be the own reason of the nursery
        // around it, whose mark is as far as the fork's. There are as many steps as forks in each other
        // that other threads have taken, and only in a nursery that is cancelled.
        let mut known = mark::look(self, &EPOCH)?;
        if self.node.is_fork() {
            let mut around = successors(self.parent(), |scope| scope.parent());
            let nursery = around.find(|scope| !scope.node.is_fork());
            known = nursery
                .and_then(|scope| scope.cancel.mark.known())
                .unwrap_or(known);
        }
        let late_by = mark::since(self, known.reason).map_or(Duration::ZERO, |deadline| {
            clock::now().saturating_duration_since(deadline)
        });
        Some(Cancelled {
            reason: CancelReason::of(known),
            is_inherited: known.is_inherited,
            late_by: u32::try_from(late_by.as_micros()).unwrap_or(u32::MAX),
        })
    }

    /// Why the nursery is cancelled, itself or with an outer nursery, as far as any thread knows.
    /// This tells nobody, and looks at no clock.
    fn known_reason(&self) -> Option<CancelReason> {
        let scopes = successors(Some(self), |scope| scope.parent());
        let mut known = scopes.take(OUTWARDS).map(|scope| scope.cancel.mark.known());
        known.find_map(|known| Some(CancelReason::of(known?)))
    }

    /// Moves the nursery's own deadline, or takes it away, unless it has passed.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        if self.terms().is_some_and(|terms| terms.due.set(deadline)) {
            EPOCH.advance();
        }
    }

    /// Whether this is `outer`, or lies below it with no shield in between.
    pub(super) fn is_cancelled_with(&self, outer: &Self) -> bool {
        successors(Some(self), |scope| scope.parent()).any(|scope| std::ptr::eq(scope, outer))
    }

    /// The nursery that this one was opened in, if it is cancelled with that nursery.
    fn parent(&self) -> Option<&Self> {
        if self.terms().is_some_and(|terms| terms.is_shield) {
            return None;
        }
        // SAFETY: every `Node` lies at the front of a `Scope`.
        self.node
            .parent()
            .map(|node| unsafe { Self::of_node(node) })
    }

    /// Lets this nursery, which does not move any more, be found by its node: see [`Self::at`].
    #[inline]
    pub(super) fn expose_address(&self) {
        // It takes no instruction.
        let _address = std::ptr::from_ref(self).expose_provenance();
    }

    /// The nursery that has this `Node` at its front.
    ///
    /// The engine names nurseries by references to their nodes, which give access to the nodes
    /// only. So the address is taken from such a reference, and the permission from
    /// [`Self::expose_address`]. A pointer to the nursery, stored in the node, would do without that,
    /// but cost each child a load: 1 % of a spawn and join, and 1.2 % of a small nursery.
    ///
    /// # Safety
    ///
    /// The nursery is open, and was exposed, during `'a`.
    #[inline]
    pub(super) unsafe fn at<'a>(node: *const Node) -> &'a Self {
        // SAFETY: the caller promises that the nursery is open and was exposed.
        unsafe { &*std::ptr::with_exposed_provenance(node.addr()) }
    }

    /// The nursery that has this node at its front.
    ///
    /// # Safety
    ///
    /// `node` lies at the front of a `Scope` that was exposed.
    pub(super) unsafe fn of_node(node: &Node) -> &Self {
        // SAFETY: the caller promises that it was exposed; a nursery is open while there is a
        // reference to its node.
        unsafe { Self::at(node) }
    }
}

/// What is known about the nursery of a node.
pub(crate) fn describe(node: &Node) -> Facts {
    // SAFETY: every `Node` lies at the front of a `Scope`.
    let scope = unsafe { Scope::of_node(node) };
    Facts {
        name: scope.terms().and_then(|terms| terms.name.clone()),
        cancelled: scope.known_reason().map(|reason| reason.to_string()),
        failed: scope.failed_first(),
        running: lineage::running(scope).map(|child| child.to_string()),
    }
}

/// Why the innermost nursery on this thread is cancelled, if it is. The asking task has been told
/// then.
pub(crate) fn check() -> Option<Cancelled> {
    use crate::engine::frame::Frame;
    Frame::with_current(|frame| {
        // SAFETY: the innermost nursery of an entered frame is open, or there is none.
        let node = unsafe { frame?.enclosing().as_ref() }?;
        // SAFETY: every `Node` lies at the front of a `Scope`.
        unsafe { Scope::of_node(node) }.ask(Told::AsError)
    })
}

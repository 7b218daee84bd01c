//! Whether a nursery is cancelled, by whom, and what that means for its children.
//!
//! Cancellation flows down: a nursery is cancelled by itself, by its token or deadline, or by a
//! nursery it was opened in. The first reason that it learns of stays its reason.
//!
//! A *total* nursery must come to a value. So only a panic of its own keeps its children from
//! starting; of everything else they are told when they ask. Children of a *partial* nursery ask
//! before they start.
#![allow(
    unsafe_code,
    reason = "follows a nursery to its terms and its ancestors"
)]

use std::error::Error;
use std::fmt;
use std::mem::offset_of;
use std::time::{Duration, Instant};

use crate::engine::epoch::{CleanAt, EPOCH};
use crate::engine::limit::Limiter;
use crate::engine::report::Facts;
use crate::engine::scope_frame::ScopeFrame;
use crate::engine::timer::Watch;
use crate::platform::clock;
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};
use crate::scope::{Scope, lineage};

/// Why a nursery was cancelled, at the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// Its [`cancel`](crate::TryNursery::cancel) was called.
    Requested = 1,
    /// Its [`CancelToken`](crate::CancelToken) was cancelled.
    Token = 2,
    /// Its deadline has passed.
    Deadline = 3,
    /// A child has returned an error.
    ChildFailed = 4,
    /// A child has panicked.
    ChildPanicked = 5,
    /// The body has returned an error.
    BodyFailed = 6,
    /// The body has panicked.
    BodyPanicked = 7,
    /// It was a race that nobody took part in.
    NoCompetitor = 8,
}

/// Nurseries to look at for a reason, from one outwards, for the eyes of people.
const OUTWARDS: usize = 256;
/// Of a state: the reason.
const REASON: u8 = 0x0f;
/// A child or the body has failed or panicked.
const FAILED: u8 = 1 << 5;
/// The reason is that of a nursery further out.
const INHERITED: u8 = 1 << 6;
/// Children that have not started are dropped unrun.
const SKIPS: u8 = 1 << 7;

impl Reason {
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

    fn of(state: u8) -> Option<Self> {
        let code = usize::from(state & REASON);
        code.checked_sub(1).map(|place| Self::ALL[place])
    }
}

impl fmt::Display for Reason {
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

/// What whoever asks is told once a nursery is cancelled.
///
/// It is an error, so that `?` ends a child that has been told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled {
    reason: Reason,
    is_inherited: bool,
    /// Microseconds, for a deadline; about an hour at most.
    late_by: u32,
}

impl Cancelled {
    pub(crate) fn for_want_of_competitors() -> Self {
        Self {
            reason: Reason::NoCompetitor,
            is_inherited: false,
            late_by: 0,
        }
    }

    /// Why, at the root: of the nursery that was cancelled first.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Whether a nursery further out was cancelled, and this one with it.
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        self.is_inherited
    }

    /// By how much the deadline had been missed when this was made, in whole microseconds; none if it
    /// was no deadline. More than an hour counts as one hour, eleven minutes and thirty-four seconds.
    ///
    /// In what a nursery returns, that is when its last child had ended.
    #[must_use]
    pub fn overshoot(&self) -> Option<Duration> {
        (self.reason == Reason::Deadline).then(|| Duration::from_micros(self.late_by.into()))
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

/// What a [`CancelToken`](crate::CancelToken) and the nurseries that heed it have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Token(Arc<AtomicBool>);

impl Token {
    /// True for exactly one caller.
    pub(crate) fn cancel(&self) -> bool {
        // ORDERING: Release; partner: `is_cancelled`. What led to it is seen by whoever acts on it.
        let is_first = !self.0.swap(true, Ordering::Release);
        if is_first {
            EPOCH.advance();
        }
        is_first
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What a nursery was opened with.
#[derive(Default)]
pub(crate) struct Terms {
    /// For the eyes of people.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) token: Option<Token>,
    deadline: Option<Instant>,
    /// The timer's knowledge of it; there is none if no thread could be had.
    watch: Option<Watch>,
    /// Whether a failure or panic leaves the siblings alone.
    pub(crate) continues: bool,
    pub(crate) is_partial: bool,
    pub(crate) limiter: Option<Limiter>,
}

impl Terms {
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.watch = deadline.and_then(Watch::start);
        self.deadline = deadline;
    }

    /// So long from now; none if that is too far away to be named.
    pub(crate) fn after(timeout: Duration) -> Option<Instant> {
        clock::now().checked_add(timeout)
    }

    /// Why they end the nursery now, if they do.
    fn broken(&self) -> Option<Reason> {
        if self.token.as_ref().is_some_and(Token::is_cancelled) {
            return Some(Reason::Token);
        }
        let deadline = self.deadline?;
        (deadline <= clock::now()).then_some(Reason::Deadline)
    }

    /// Whether it takes a look at the clock to know.
    fn is_unwatched(&self) -> bool {
        self.deadline.is_some() && self.watch.is_none()
    }
}

/// The part of a nursery's state that this is about.
#[repr(C)]
pub(super) struct Cancel {
    /// Null if it has none. INVARIANT: set before the nursery's body begins, to terms that outlive
    /// the nursery.
    terms: AtomicPtr<Terms>,
    clean_at: CleanAt,
    state: AtomicU8,
}

impl Cancel {
    /// Where that begins which is looked at for every child.
    pub(super) const PER_CHILD: usize = offset_of!(Self, clean_at);

    // In place, or it is copied; in a debug build that would cost a deep recursion its stack.
    #[cfg_attr(
        not(debug_assertions),
        allow(clippy::inline_always, reason = "see above")
    )]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU8::new(0),
            clean_at: CleanAt::new(),
            terms: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// # Safety
    ///
    /// The terms outlive the nursery, whose body has not begun.
    unsafe fn set_terms(&self, terms: &Terms) {
        // ORDERING: Relaxed: children come after.
        let terms = std::ptr::from_ref(terms).cast_mut();
        self.terms.store(terms, Ordering::Relaxed);
    }

    /// Whether children that have not started are dropped unrun.
    #[inline]
    pub(super) fn skips(&self) -> bool {
        // ORDERING: Acquire; partner: `set`. What led to it is seen by whoever acts on it.
        self.state.load(Ordering::Acquire) & SKIPS != 0
    }

    /// Whether nobody has cancelled the nursery, and nobody was told that it is.
    #[inline]
    pub(super) fn is_clean(&self) -> bool {
        self.state.load(Ordering::Acquire) == 0
    }

    /// The same, as a hint.
    #[inline]
    pub(super) fn would_skip(&self) -> bool {
        self.state.load(Ordering::Relaxed) & SKIPS != 0
    }

    /// Sets a reason unless there is one, and `flags` in any case; true if there was none.
    fn set(&self, reason: Option<Reason>, flags: u8) -> bool {
        let next = |now: u8| {
            let first = reason.filter(|_| now & REASON == 0);
            Some(now | first.map_or(0, |reason| reason as u8) | flags)
        };
        // ORDERING: Release; partners: all that load the state.
        let before = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, next);
        before.is_ok_and(|before| before & REASON == 0)
    }
}

impl Scope {
    pub(crate) fn terms(&self) -> Option<&Terms> {
        // SAFETY: by the invariant of the field.
        unsafe { self.cancel.terms.load(Ordering::Relaxed).as_ref() }
    }

    /// # Safety
    ///
    /// The terms outlive the nursery, whose body has not begun.
    pub(super) unsafe fn set_terms(&self, terms: &Terms) {
        // SAFETY: by contract.
        unsafe { self.cancel.set_terms(terms) };
        if let Some(limiter) = &terms.limiter {
            // SAFETY: by contract.
            unsafe { self.frame.set_limiter(limiter) };
        }
    }

    /// Whether children ask before they start.
    fn is_partial(&self) -> bool {
        self.terms().is_some_and(|terms| terms.is_partial)
    }

    /// Cancels the nursery; true if it was not cancelled before.
    #[cold]
    pub(crate) fn cancel(&self, reason: Reason) -> bool {
        let flags = if self.is_partial() { 0 } else { SKIPS };
        let is_first = self.cancel.set(Some(reason), flags);
        EPOCH.advance();
        is_first
    }

    /// A child or the body has failed or panicked: that cancels, unless the others are to go on.
    #[cold]
    pub(crate) fn fail(&self, reason: Reason) {
        self.cancel.set(None, FAILED);
        if !self.terms().is_some_and(|terms| terms.continues) {
            self.cancel(reason);
        }
    }

    /// Whether a child or the body has failed or panicked.
    pub(super) fn has_failed(&self) -> bool {
        self.cancel.state.load(Ordering::Acquire) & FAILED != 0
    }

    /// Who was told in this nursery that it is cancelled was told on behalf of the task around it.
    pub(super) fn pass_on_what_was_told(&self) {
        let state = self.cancel.state.load(Ordering::Acquire);
        if state & INHERITED != 0 {
            lineage::tell();
        }
    }

    /// Whether children that have not started are dropped unrun, unasked.
    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.skips()
    }

    /// Why the nursery is cancelled, if it is.
    #[inline]
    pub(crate) fn cancelled(&self) -> Option<Cancelled> {
        if self.cancel.is_clean() && self.cancel.clean_at.is(EPOCH.now()) {
            return None;
        }
        self.look()
    }

    /// The same for a task that asks, which has been told then.
    #[inline]
    pub(crate) fn ask(&self) -> Option<Cancelled> {
        let cancelled = self.cancelled();
        if cancelled.is_some() {
            lineage::tell();
        }
        cancelled
    }

    #[cold]
    #[inline(never)]
    fn look(&self) -> Option<Cancelled> {
        let epoch = EPOCH.now();
        let mut is_unwatched = false;
        let mut here = self;
        loop {
            let mut state = here.cancel.state.load(Ordering::Acquire);
            if state & REASON == 0
                && let Some(terms) = here.terms()
            {
                is_unwatched |= terms.is_unwatched();
                if let Some(reason) = terms.broken() {
                    here.cancel.set(Some(reason), 0);
                    state = here.cancel.state.load(Ordering::Acquire);
                }
            }
            if let Some(reason) = Reason::of(state) {
                let is_inherited = state & INHERITED != 0 || !std::ptr::eq(here, self);
                self.cancel
                    .set(Some(reason), if is_inherited { INHERITED } else { 0 });
                return self.told();
            }
            match here.parent() {
                Some(parent) => here = parent,
                None => break,
            }
        }
        if !is_unwatched {
            self.cancel.clean_at.set(epoch);
        }
        None
    }

    /// What its state says.
    fn told(&self) -> Option<Cancelled> {
        let state = self.cancel.state.load(Ordering::Acquire);
        let reason = Reason::of(state)?;
        let late_by = match reason {
            Reason::Deadline => self.late_by(),
            _ => Duration::ZERO,
        };
        Some(Cancelled {
            reason,
            is_inherited: state & INHERITED != 0,
            late_by: u32::try_from(late_by.as_micros()).unwrap_or(u32::MAX),
        })
    }

    /// How long ago the first deadline has passed, its own or that of a nursery further out.
    fn late_by(&self) -> Duration {
        let scopes = std::iter::successors(Some(self), |scope| scope.parent());
        let deadlines = scopes.filter_map(|scope| scope.terms()?.deadline);
        let first = deadlines.min();
        first.map_or(Duration::ZERO, |first| {
            clock::now().saturating_duration_since(first)
        })
    }

    /// Why it is cancelled as far as anybody knows, itself or with a nursery further out; nobody is
    /// told, and no clock is looked at.
    fn known_reason(&self) -> Option<Reason> {
        let scopes = std::iter::successors(Some(self), |scope| scope.parent());
        let states = scopes.map(|scope| scope.cancel.state.load(Ordering::Acquire));
        states.take(OUTWARDS).find_map(Reason::of)
    }

    /// The nursery this one was opened in.
    fn parent(&self) -> Option<&Self> {
        // SAFETY: every `ScopeFrame` lies at the front of a `Scope`.
        self.frame
            .parent()
            .map(|frame| unsafe { Self::of_frame(frame) })
    }

    /// # Safety
    ///
    /// `frame` lies at the front of a `Scope`.
    unsafe fn of_frame(frame: &ScopeFrame) -> &Self {
        // SAFETY: by contract.
        unsafe { &*std::ptr::from_ref(frame).cast() }
    }
}

/// What is known about the nursery that a frame is of.
pub(crate) fn describe(frame: &ScopeFrame) -> Facts {
    // SAFETY: every `ScopeFrame` lies at the front of a `Scope`.
    let scope = unsafe { Scope::of_frame(frame) };
    Facts {
        name: scope.terms().and_then(|terms| terms.name.clone()),
        cancelled: scope.known_reason().map(|reason| reason.to_string()),
    }
}

/// Why the innermost nursery on this thread is cancelled, if it is; who asks has been told then.
pub(crate) fn check() -> Option<Cancelled> {
    use crate::engine::frame::Frame;
    Frame::with_current(|frame| {
        // SAFETY: the innermost nursery of an entered frame is open, or there is none.
        let frame = unsafe { frame?.enclosing().as_ref() }?;
        // SAFETY: every `ScopeFrame` lies at the front of a `Scope`.
        unsafe { Scope::of_frame(frame) }.ask()
    })
}

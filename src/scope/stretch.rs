//! Items that are known by their numbers, folded by plain loops: nothing is kept for an item.
//!
//! A *piece* is some consecutive items and one thread that folds them. It folds a *stretch* at a
//! time, by a loop that the compiler sees whole. Before each stretch the thread looks whether
//! another thread asks for work; then it splits the piece in two by a fork, and each half goes on in
//! the same way (lazy binary splitting, Tzannes et al., PPoPP 2010). Unlike there, the length of a
//! stretch is not given: it follows from the time that the stretches before it took.
//!
//! ```text
//!   piece   [ folded ][ stretch ][          left          ]
//!   split   [ folded ][          ][  left  ][   another piece   ]
//! ```
//!
//! The call panics as a loop on one thread would. If the function panics for an item, pieces behind
//! the item end at their next stretch, and pieces before it go on, since one of them may come to a
//! panic of an item before. A fork raises the first panic of its two closures; so what arrives is
//! the panic of the first of all items for which the function panics.

use std::mem;
use std::time::Duration;

use crate::engine::frame::Frame;
use crate::engine::grain::{self, Grain};
use crate::platform::clock;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicU64, Ordering};
use crate::scope::fork::fork_in;

/// The most items in a stretch. Between two stretches pass about 5 ns; an item takes as little as
/// 0.1 ns. If items suddenly take longer, up to this many run before the thread looks at its request again, and
/// up to [`grain::TIMED`] times as many before the stretches get shorter.
const MOST: usize = 2048;
/// How many nanoseconds a stretch should take: to read the clock before and after it takes 50.
const STRETCH_NS: u64 = 5000;
/// How many times as long as the stretch before it a stretch is at most.
const GROWTH: usize = 8;

/// Consecutive items, or places of items, that can be divided anywhere.
pub trait Divide: Sized + Send {
    /// How many there are; `usize::MAX` if there are more than that.
    fn len(&self) -> usize;

    /// Divides them in two; the first part has `at` items, and `at` is at most `len`.
    fn split_at(self, at: usize) -> (Self, Self);
}

/// What is to be done with items.
pub(crate) struct Folding<N, F, R> {
    /// Makes the state that a piece begins with.
    pub(crate) init: N,
    /// Folds a stretch into the state of its piece.
    pub(crate) fold: F,
    /// Makes one state of the states of two pieces. The items of the second come right behind those of the first.
    pub(crate) reduce: R,
}

/// What all pieces share.
struct Shared<'a, N, F, R> {
    folding: &'a Folding<N, F, R>,
    /// If items are coarse, all others are offered before an item is run.
    items: Grain,
    /// The first item of the earliest stretch that has panicked. Pieces behind it are not needed.
    panicked: AtomicU64,
}

/// Folds items in this thread's innermost frame. There has to be one, with a place: see [`is_inside`].
pub(crate) fn fold_here<P, A, N, F, R>(parts: P, folding: &Folding<N, F, R>) -> A
where
    P: Divide,
    A: Send,
    N: Fn() -> A + Sync,
    F: Fn(A, P) -> A + Sync,
    R: Fn(A, A) -> A + Sync,
{
    let shared = Shared {
        folding,
        items: Grain::new(false),
        panicked: AtomicU64::new(u64::MAX),
    };
    let piece = Piece {
        parts,
        first: 0,
        shared: &shared,
    };
    let state = (folding.init)();
    let folded = Frame::with_current(|frame| {
        let frame = frame.expect("called where a frame is");
        if frame.seat.is_asked() && !frame.seat.shares() && piece.parts.len() > 1 {
            // Perhaps the workers have not started, and cannot ask yet. If this thread shows something, they take
            // that first.
            return piece.split_in(frame, state);
        }
        piece.run_in(frame, state)
    });
    folded.expect("without a panic, all is needed")
}

/// Whether this thread has a place, and its innermost frame is `suitable`.
pub(crate) fn is_inside(suitable: impl FnOnce(&Frame<'_>) -> bool) -> bool {
    Frame::with_current(|frame| {
        frame.is_some_and(|frame| frame.seat.is_active() && suitable(frame))
    })
}

/// Consecutive items, and how to fold them.
struct Piece<'a, P, N, F, R> {
    parts: P,
    /// The number of the first item.
    first: u64,
    shared: &'a Shared<'a, N, F, R>,
}

/// How far a piece has come.
enum Progress<S, A> {
    /// All items are in the state.
    Done(A),
    /// The items that are left should be split.
    Asked(S, A),
    /// An item before it has panicked.
    NotNeeded,
}

impl<P, A, N, F, R> Piece<'_, P, N, F, R>
where
    P: Divide,
    A: Send,
    N: Fn() -> A + Sync,
    F: Fn(A, P) -> A + Sync,
    R: Fn(A, A) -> A + Sync,
{
    /// Folds the items; nothing if they are not needed.
    fn run(self, state: A) -> Option<A> {
        Frame::with_current(|frame| self.run_in(frame.expect("forks run in frames"), state))
    }

    fn run_in(self, frame: &Frame<'_>, state: A) -> Option<A> {
        match self.run_until_asked(frame, state) {
            Progress::Done(state) => Some(state),
            Progress::Asked(left, state) => left.split_in(frame, state),
            Progress::NotNeeded => None,
        }
    }

    /// Folds stretch by stretch, until no item is left or needed, or what is left should be split.
    #[inline(never)]
    fn run_until_asked(mut self, frame: &Frame<'_>, mut state: A) -> Progress<Self, A> {
        let (seat, shared) = (frame.seat, self.shared);
        let is_shared = seat.core.threads() > 1;
        let mut pace = Pace::new();
        loop {
            let left = self.parts.len();
            if left == 0 {
                return Progress::Done(state);
            }
            // ORDERING: Relaxed: if it comes too late, more is folded than is needed.
            if shared.panicked.load(Ordering::Relaxed) < self.first {
                return Progress::NotNeeded;
            }
            let is_coarse = shared.items.is_coarse();
            if is_coarse {
                seat.offer_all();
            }
            if left > pace.len && (is_coarse || seat.should_split()) {
                return Progress::Asked(self, state);
            }
            let len = left.min(pace.len);
            let started = pace.times_next().then(clock::tick);
            let (stretch, rest) = self.parts.split_at(len);
            self.parts = rest;
            let guard = PanicGuard(&shared.panicked, self.first);
            state = fold_stretch(stretch, state, &shared.folding.fold);
            mem::forget(guard);
            self.first = self.first.wrapping_add(len as u64);
            if let Some(started) = started {
                let took = clock::tick() - started;
                pace.note(took, len);
                if is_shared {
                    shared.items.note(took, len as u32);
                }
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn split_in(self, frame: &Frame<'_>, state: A) -> Option<A> {
        failpoint::reach(Failpoint::BatchSplit);
        let Self {
            parts,
            first,
            shared,
        } = self;
        let middle = parts.len().div_ceil(2);
        let (left, right) = parts.split_at(middle);
        let piece = |parts, first| Self {
            parts,
            first,
            shared,
        };
        let (left, right) = (
            piece(left, first),
            piece(right, first.wrapping_add(middle as u64)),
        );
        let folding = shared.folding;
        let (left, right) = fork_in(frame, || left.run(state), || right.run((folding.init)()));
        Some((folding.reduce)(left?, right?))
    }
}

/// The loop. Out of line and with the items as a parameter, so that the compiler knows that the
/// function does not look at items that are borrowed mutably.
#[inline(never)]
fn fold_stretch<P: Divide, A>(items: P, state: A, fold: &impl Fn(A, P) -> A) -> A {
    fold(state, items)
}

/// On drop, notes that a stretch has panicked which began with this item.
struct PanicGuard<'a>(&'a AtomicU64, u64);

impl Drop for PanicGuard<'_> {
    #[cold]
    fn drop(&mut self) {
        // ORDERING: Relaxed, see where it is read.
        self.0.fetch_min(self.1, Ordering::Relaxed);
    }
}

/// How many items the next stretch of a piece has.
struct Pace {
    len: usize,
    untimed: u32,
}

impl Pace {
    fn new() -> Self {
        Self { len: 1, untimed: 0 }
    }

    /// Whether the next stretch is to be timed: of the longest stretches, one in
    /// [`grain::TIMED`].
    #[inline]
    fn times_next(&mut self) -> bool {
        if self.len < MOST || self.untimed == 0 {
            self.untimed = grain::TIMED;
        }
        self.untimed -= 1;
        self.untimed == grain::TIMED - 1
    }

    /// Notes how long a stretch of this many items took.
    fn note(&mut self, took: Duration, len: usize) {
        let most = (len * GROWTH).min(MOST);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let fit = len as u64 * STRETCH_NS / took.max(1);
        self.len = usize::try_from(fit).unwrap_or(most).clamp(1, most);
    }
}

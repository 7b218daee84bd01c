//! Who spawned whom: the identity of a child of a partial nursery.
//!
//! A child is the n-th that its spawner spawned. So its identity is the path of these numbers from
//! the body to the child, whichever thread runs it, and whenever. Each task that may spawn is an
//! entry of a list through this thread's stack.
#![allow(unsafe_code, reason = "erases the lifetimes of the stack's tasks")]

use std::cell::{Cell, OnceCell};
use std::cmp;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter;
use std::num::NonZeroU64;
use std::ptr;

use crate::engine::frame::Frame;
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicU64, Ordering};
use crate::scope::Scope;

/// How much of a long path is written at each of its ends.
const ENDS: u64 = 4;

/// The first number of children that were spawned elsewhere, by no task of the nursery; other
/// numbers are smaller.
const ELSEWHERE: u64 = 1 << 63;

/// The identity of a child in a partial nursery: the path of spawn indices that leads to it.
///
/// The first index counts the children that the body spawned, the second index those that this child
/// spawned into the same nursery, and so on. An id does not depend on the schedule, with one exception:
/// children that were spawned [elsewhere](Self::is_elsewhere) are numbered in the order of their spawns.
///
/// Ids are ordered as a serial program would start the children; children spawned elsewhere come last.
///
/// An id shares memory with the ids of its relatives. It takes memory of its own only for each change of
/// the index on its path, so a long chain of children that each spawn the next is cheap.
///
/// # Examples
///
/// ```
/// let failed = hatchery::try_nursery(|n| {
///     n.spawn_each(["1", "two"], str::parse::<i32>);
///     Ok(())
/// });
/// let failures = failed.unwrap_err();
/// let child = failures.cause().child().unwrap();
/// assert_eq!(child.to_string(), "1"); // the body's second child
/// ```
#[derive(Clone)]
pub struct ChildId {
    /// The last ancestor on the path that has another number.
    before: Option<Arc<ChildId>>,
    /// One more than the index, so that an `Option` of it is not larger.
    number: NonZeroU64,
    /// How many numbers are on the path. INVARIANT: at least one more than in `before`.
    len: NonZeroU64,
}

impl ChildId {
    /// Returns how many children its spawner had spawned before it.
    ///
    /// The indices of children that were spawned [elsewhere](Self::is_elsewhere) count on their own.
    ///
    /// # Examples
    ///
    /// ```
    /// let failed = hatchery::try_nursery(|n| {
    ///     n.spawn(|| Ok(()));
    ///     n.spawn(|| Err::<(), _>("disk full"));
    ///     Ok(())
    /// });
    /// assert_eq!(failed.unwrap_err().cause().child().unwrap().index(), 1);
    /// ```
    #[must_use]
    pub fn index(&self) -> u64 {
        self.number() & !ELSEWHERE
    }

    /// Returns whether something else than a task of the nursery spawned it.
    ///
    /// The tasks of a nursery are its body and its children. A child is spawned *elsewhere* by
    ///
    /// - a thread that runs no task of the nursery;
    /// - the body or a child of another nursery that was opened inside this one;
    /// - the second closure of a [`join`](crate::join()), if it runs on another thread than the first.
    ///
    /// # Examples
    ///
    /// ```
    /// let failed = hatchery::try_nursery(|n| {
    ///     hatchery::nursery(|_inner| _ = n.spawn(|| Err::<(), _>("disk full")));
    ///     Ok(())
    /// });
    /// assert!(failed.unwrap_err().cause().child().unwrap().is_elsewhere());
    /// ```
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.number() & ELSEWHERE != 0
    }

    /// Returns the child that spawned this child.
    ///
    /// It is `None` if the body spawned it, or something [elsewhere](Self::is_elsewhere).
    ///
    /// # Examples
    ///
    /// ```
    /// let failed = hatchery::try_nursery(|n| {
    ///     n.spawn_body(|| n.spawn(|| Err::<(), _>("disk full")).join());
    ///     Ok(())
    /// });
    /// let failures = failed.unwrap_err();
    /// let grandchild = failures.cause().child().unwrap();
    /// assert_eq!(grandchild.to_string(), "0.0");
    /// assert_eq!(grandchild.spawner().unwrap().to_string(), "0");
    /// ```
    #[must_use]
    pub fn spawner(&self) -> Option<ChildId> {
        let len = NonZeroU64::new(self.len.get() - 1)?;
        if self.start() < len.get() {
            let before = self.before.clone();
            return Some(Self {
                before,
                number: self.number,
                len,
            });
        }
        self.before.as_deref().cloned()
    }

    /// Returns the indices of the whole path, from the body to the child.
    ///
    /// The text of an id leaves out the middle of a long path; this iterator has all indices.
    ///
    /// # Examples
    ///
    /// ```
    /// let failures = hatchery::try_nursery(|n| {
    ///     n.spawn(|| Ok(()));
    ///     n.spawn_body(|| n.spawn(|| Err::<(), _>("no")).join());
    ///     Ok(())
    /// });
    /// let failures = failures.unwrap_err();
    /// let child = failures.cause().child().unwrap();
    /// assert_eq!(child.to_string(), "1.0");
    /// assert_eq!(child.path().collect::<Vec<_>>(), [1, 0]);
    /// ```
    #[must_use]
    pub fn path(&self) -> impl DoubleEndedIterator<Item = u64> {
        let mut runs: Vec<_> = self.runs().collect();
        runs.reverse();
        runs.into_iter().flat_map(|run| {
            let numbers = run.start()..run.len.get();
            numbers.map(|_| run.index())
        })
    }

    fn number(&self) -> u64 {
        self.number.get() - 1
    }

    /// How many numbers are on the path before the equal numbers at its end.
    fn start(&self) -> u64 {
        self.before.as_ref().map_or(0, |before| before.len.get())
    }

    /// The child with this number that `spawner` has spawned, or the body if there is none.
    fn new(spawner: Option<&Arc<ChildId>>, number: u64) -> Self {
        let number = NonZeroU64::MIN.saturating_add(number);
        let (before, len) = match spawner {
            None => (None, NonZeroU64::MIN),
            Some(spawner) => {
                let len = spawner.len.saturating_add(1);
                if spawner.number == number {
                    (spawner.before.clone(), len)
                } else {
                    (Some(Arc::clone(spawner)), len)
                }
            }
        };
        Self {
            before,
            number,
            len,
        }
    }

    /// The path from its end: one id for each group of equal numbers that follow each other.
    fn runs(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |id| id.before.as_deref())
    }

    /// The id with the group of equal numbers that the `len`-th number of the path belongs to.
    fn run_of(&self, len: u64) -> Option<&Self> {
        self.runs().find(|run| run.start() < len)
    }

    /// Compares the first `len` numbers of two paths, both of which have that many.
    fn compare(&self, other: &Self, len: u64) -> cmp::Ordering {
        let mut runs = (self.run_of(len), other.run_of(len));
        let mut answer = cmp::Ordering::Equal;
        while let (Some(own), Some(others)) = runs {
            if ptr::eq(own, others) {
                break;
            }
            if own.number != others.number {
                // The difference nearest to the body counts.
                answer = own.number.cmp(&others.number);
            }
            let left = own.start().max(others.start());
            runs = (own.run_of(left), others.run_of(left));
        }
        answer
    }
}

impl PartialEq for ChildId {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.compare(other, self.len.get()).is_eq()
    }
}

impl Eq for ChildId {}

impl Hash for ChildId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.runs()
            .for_each(|run| (run.number, run.len).hash(state));
    }
}

impl Ord for ChildId {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        let len = self.len.min(other.len).get();
        self.compare(other, len).then(self.len.cmp(&other.len))
    }
}

impl PartialOrd for ChildId {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Writes `2.0` for the first child that the body's third child has spawned. The middle of a long
/// path is left out, as in `0.0.0.0.(99991 more).0.0.0.7`: [`path`](ChildId::path) has all of it.
impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.len.get();
        // To say that one number was left out takes as much room as the number.
        let is_whole = len <= 2 * ENDS + 1;
        let mut place = 0;
        while place < len {
            if place > 0 {
                f.write_str(".")?;
            }
            if place == ENDS && !is_whole {
                write!(f, "({} more)", len - 2 * ENDS)?;
                place = len - ENDS;
                continue;
            }
            if let Some(run) = self.run_of(place + 1) {
                let whose = if run.is_elsewhere() { "elsewhere " } else { "" };
                write!(f, "{whose}{}", run.index())?;
            }
            place += 1;
        }
        Ok(())
    }
}

impl fmt::Debug for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChildId({self})")
    }
}

impl Drop for ChildId {
    /// Drops the path without recursion: it may be as long as a chain of children that each spawn
    /// the next.
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(mut id) = next.and_then(Arc::into_inner) {
            next = id.before.take();
        }
    }
}

/// The identity of a child that is about to be spawned.
pub(crate) struct Origin {
    pub(crate) spawner: Option<Arc<ChildId>>,
    pub(crate) index: u64,
}

/// Whether a task is the body or which child, and how many children it has spawned.
enum Identity<'a> {
    Body(&'a Spawned),
    Child(&'a Origin, Cell<u64>),
    /// Code on another thread that is part of the nursery: see `visit`.
    Visitor,
}

/// How many children were spawned, but not by a child.
pub(crate) struct Spawned {
    /// By the body; used by its own thread only.
    here: AtomicU64,
    elsewhere: AtomicU64,
}

impl Spawned {
    pub(crate) fn none() -> Self {
        Self {
            here: AtomicU64::new(0),
            elsewhere: AtomicU64::new(0),
        }
    }

    /// The identity of the next child that is spawned elsewhere.
    fn next_elsewhere(&self) -> Origin {
        // ORDERING: Relaxed: only uniqueness matters.
        let index = ELSEWHERE | self.elsewhere.fetch_add(1, Ordering::Relaxed);
        Origin {
            spawner: None,
            index,
        }
    }

    /// The identity of the body's next child.
    #[inline]
    pub(crate) fn next(&self) -> Origin {
        // ORDERING: Relaxed, and no read-modify-write: one thread uses it.
        let index = self.here.load(Ordering::Relaxed);
        self.here.store(index + 1, Ordering::Relaxed);
        Origin {
            spawner: None,
            index,
        }
    }
}

impl Origin {
    pub(crate) fn id(&self) -> ChildId {
        ChildId::new(self.spawner.as_ref(), self.index)
    }
}

/// How a task has learned that its nursery is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    /// It has not learned of it.
    Nothing,
    /// A partial nursery told it: the answer goes on as a failure that says so, and no error is
    /// made of it.
    AsFailure,
    /// It was told in a way that it may have made an error of.
    AsError,
}

impl Told {
    /// The flag that a mark keeps for it.
    pub(crate) fn flag(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::AsFailure => 1,
            Self::AsError => 2,
        }
    }

    /// The most important way among those in the flags of a mark.
    pub(crate) fn most_of(flags: u8) -> Self {
        let ways = [Self::AsError, Self::AsFailure];
        let told = ways.into_iter().find(|way| flags & way.flag() != 0);
        told.unwrap_or(Self::Nothing)
    }
}

/// The body or a child of a partial nursery while it runs, or a visitor of a nursery of either kind.
pub(crate) struct Task<'a> {
    scope: *const Scope,
    /// The frame that was innermost when the task was entered.
    frame: Cell<*const ()>,
    identity: Identity<'a>,
    /// The task's own id, once it has spawned a child.
    own: OnceCell<Arc<ChildId>>,
    told: Cell<Told>,
}

crate::platform::thread::thread_local! {
    // INVARIANT: null, or a task that is being entered; `enter` restores it on every path.
    static CURRENT: Cell<*const Task<'static>> = const { Cell::new(ptr::null()) };
}

struct Leave(*const Task<'static>);

impl Drop for Leave {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl<'a> Task<'a> {
    #[inline]
    pub(crate) fn body(scope: &Scope, spawned: &'a Spawned) -> Self {
        Self::new(scope, Identity::Body(spawned))
    }

    #[inline]
    pub(crate) fn child(scope: &Scope, origin: &'a Origin) -> Self {
        Self::new(scope, Identity::Child(origin, Cell::new(0)))
    }

    pub(crate) fn visitor(scope: &Scope) -> Self {
        Self::new(scope, Identity::Visitor)
    }

    #[inline]
    fn new(scope: &Scope, identity: Identity<'a>) -> Self {
        Self {
            scope,
            frame: Cell::new(ptr::null()),
            identity,
            own: OnceCell::new(),
            told: Cell::new(Told::Nothing),
        }
    }

    /// Runs `f` as this task.
    #[inline]
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let frame = Frame::with_current(|frame| {
            frame.map_or(ptr::null(), |frame| ptr::from_ref(frame).cast())
        });
        self.frame.set(frame);
        let _leave = Leave(CURRENT.replace(ptr::from_ref(self).cast()));
        f()
    }

    /// The task's id; none for the body and for visitors.
    pub(crate) fn id(&self) -> Option<ChildId> {
        match self.identity {
            Identity::Body(_) | Identity::Visitor => None,
            Identity::Child(origin, _) => Some(origin.id()),
        }
    }

    /// How the task has learned that its nursery is cancelled; if in several ways, the most
    /// important.
    pub(crate) fn told(&self) -> Told {
        self.told.get()
    }

    fn spawn(&self, body: &Spawned) -> Origin {
        match &self.identity {
            Identity::Body(spawned) => spawned.next(),
            Identity::Visitor => body.next_elsewhere(),
            Identity::Child(origin, spawned) => {
                let own = self.own.get_or_init(|| Arc::new(origin.id()));
                Origin {
                    spawner: Some(Arc::clone(own)),
                    index: spawned.replace(spawned.get() + 1),
                }
            }
        }
    }
}

/// The identity of the next child that this thread spawns into the nursery.
#[inline]
pub(crate) fn origin(scope: &Scope, body: &Spawned) -> Origin {
    // Most children are spawned by the body itself.
    if Frame::with_current(|frame| frame.is_some_and(|frame| frame.is_body_of(&scope.node))) {
        return body.next();
    }
    origin_in_child(scope, body)
}

#[inline(never)]
fn origin_in_child(scope: &Scope, body: &Spawned) -> Origin {
    // SAFETY: by the invariant of `CURRENT`.
    let task = unsafe { CURRENT.get().as_ref() };
    match task {
        Some(task) if ptr::eq(task.scope, scope) && is_innermost(task) => task.spawn(body),
        _ => body.next_elsewhere(),
    }
}

/// The child of the nursery that this code is part of, if that is a partial nursery. Code of a nursery that was
/// opened in the child is not part of it here.
pub(super) fn running(scope: &Scope) -> Option<ChildId> {
    // SAFETY: by the invariant of `CURRENT`.
    let task = unsafe { CURRENT.get().as_ref() }?;
    (ptr::eq(task.scope, scope) && is_innermost(task)).then(|| task.id())?
}

/// Whether nothing but forks in this task is on top of it.
///
/// In a forked process, this thread keeps tasks of other threads' nurseries. Their frames are no
/// longer on its stack, so a nursery that is opened at the address of such a nursery is not
/// mistaken for it.
fn is_innermost(task: &Task<'_>) -> bool {
    Frame::with_current(|frame| frame.is_some_and(|frame| frame.is_in_forks_of(task.frame.get())))
}

/// Tells the task that this code is part of that its nursery is cancelled, if it is.
///
/// `asked` is the nursery whose cancellation was reported. It must be the task's nursery, or lie
/// around or below it with no shield in between: a cancellation beyond a shield says nothing about
/// the task's nursery.
///
/// Code that runs on top of a waiting task need not be part of it: it may be below another child of
/// the nursery. Then a nursery between the two has its body on another thread. That nursery notes
/// what was told, and passes it on when it ends.
#[cold]
pub(crate) fn tell(asked: &Scope, told: Told) {
    // SAFETY: by the invariant of `CURRENT`.
    let task = unsafe { CURRENT.get().as_ref() };
    let scope = task.map_or(ptr::null(), |task| task.scope);
    Frame::with_current(|frame| {
        let Some(reached) = frame.and_then(|frame| frame.go_outwards_to(scope.cast())) else {
            return;
        };
        // SAFETY: every `Node` lies at the front of a `Scope`.
        let reached = unsafe { Scope::of_node(reached) };
        let is_told = asked.is_cancelled_with(reached) || reached.is_cancelled_with(asked);
        if reached.cancelled().is_none() || !is_told {
            return;
        }
        match task.filter(|_| ptr::eq(reached, scope)) {
            Some(task) => task.told.set(task.told().max(told)),
            None => reached.note_told(told),
        }
    });
}

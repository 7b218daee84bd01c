//! Who spawned whom: the identity of a child of a partial nursery.
//!
//! A child is the n-th that its spawner spawned, so its identity is the path of these numbers from
//! the body to it, whatever thread runs it and whenever. Each task that may spawn is an entry of a
//! list through this thread's stack.
#![allow(unsafe_code, reason = "erases the lifetimes of the stack's tasks")]

use std::cell::{Cell, OnceCell};
use std::cmp;
use std::fmt;
use std::num::NonZeroU64;
use std::ptr;

use crate::engine::frame::Frame;
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicU64, Ordering};
use crate::scope::Scope;

/// Numbers of children that were spawned by no task of the nursery; the others are below.
const ELSEWHERE: u64 = 1 << 63;

/// Which child of a nursery: the path of spawn indices that leads to it.
///
/// The first index counts what the body has spawned, the next one what that child has spawned into
/// the same nursery, and so on. It does not depend on the schedule; children spawned by threads
/// that run no child of the nursery, or from inside a nursery further in, come last and do.
///
/// It is ordered as a serial program would start the children.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ChildId {
    spawner: Option<Arc<ChildId>>,
    /// One more than the index, so that an `Option` of it is not larger.
    number: NonZeroU64,
}

impl ChildId {
    /// How many children its spawner had spawned before it.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.number() & !ELSEWHERE
    }

    fn number(&self) -> u64 {
        self.number.get() - 1
    }

    fn new(spawner: Option<Arc<ChildId>>, index: u64) -> Self {
        let number = NonZeroU64::MIN.saturating_add(index);
        Self { spawner, number }
    }

    /// The child that spawned it; none if that was the body.
    #[must_use]
    pub fn spawner(&self) -> Option<&ChildId> {
        self.spawner.as_deref()
    }

    fn path(&self) -> Vec<u64> {
        let ids = std::iter::successors(Some(self), |id| id.spawner());
        let mut path: Vec<_> = ids.map(Self::number).collect();
        path.reverse();
        path
    }
}

impl Ord for ChildId {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.path().cmp(&other.path())
    }
}

impl PartialOrd for ChildId {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// `2.0`: the first one that the body's third child has spawned.
impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, index) in self.path().into_iter().enumerate() {
            if depth > 0 {
                f.write_str(".")?;
            }
            if index & ELSEWHERE != 0 {
                f.write_str("elsewhere ")?;
            }
            write!(f, "{}", index & !ELSEWHERE)?;
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
    /// Not by recursion: a path may be as long as a chain of children that each spawn the next.
    fn drop(&mut self) {
        let mut next = self.spawner.take();
        while let Some(mut id) = next.and_then(Arc::into_inner) {
            next = id.spawner.take();
        }
    }
}

/// Who a child about to be spawned will be.
pub(crate) struct Origin {
    pub(crate) spawner: Option<Arc<ChildId>>,
    pub(crate) index: u64,
}

/// Which task it is, and how many children it has spawned.
enum Identity<'a> {
    Body(&'a Spawned),
    Child(&'a Origin, Cell<u64>),
}

/// How many children a body has spawned; for its own thread.
pub(crate) struct Spawned(AtomicU64);

impl Spawned {
    pub(crate) fn none() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Who the body's next child is.
    #[inline]
    pub(crate) fn next(&self) -> Origin {
        // ORDERING: Relaxed, and no read-modify-write: one thread uses it.
        let index = self.0.load(Ordering::Relaxed);
        self.0.store(index + 1, Ordering::Relaxed);
        Origin {
            spawner: None,
            index,
        }
    }
}

impl Origin {
    pub(crate) fn id(&self) -> ChildId {
        ChildId::new(self.spawner.clone(), self.index)
    }
}

/// The body or a child of a partial nursery while it runs.
pub(crate) struct Task<'a> {
    scope: *const Scope,
    identity: Identity<'a>,
    /// Itself, once it has spawned a child.
    own: OnceCell<Arc<ChildId>>,
    was_told: Cell<bool>,
}

thread_local! {
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

    #[inline]
    fn new(scope: &Scope, identity: Identity<'a>) -> Self {
        Self {
            scope,
            identity,
            own: OnceCell::new(),
            was_told: Cell::new(false),
        }
    }

    /// Runs `f` as this task.
    #[inline]
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _leave = Leave(CURRENT.replace(ptr::from_ref(self).cast()));
        f()
    }

    /// Who it is; nothing for the body.
    pub(crate) fn id(&self) -> Option<ChildId> {
        match self.identity {
            Identity::Body(_) => None,
            Identity::Child(origin, _) => Some(origin.id()),
        }
    }

    /// Whether it has learned that its nursery is cancelled.
    pub(crate) fn was_told(&self) -> bool {
        self.was_told.get()
    }

    fn spawn(&self) -> Origin {
        match &self.identity {
            Identity::Body(spawned) => spawned.next(),
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

/// Who the next child will be that this thread spawns into the nursery.
#[inline]
pub(crate) fn origin(scope: &Scope, body: &Spawned) -> Origin {
    // Most are spawned by the body itself.
    if Frame::with_current(|frame| frame.is_some_and(|frame| frame.is_body_of(&scope.frame))) {
        return body.next();
    }
    origin_in_child(scope)
}

#[inline(never)]
fn origin_in_child(scope: &Scope) -> Origin {
    // SAFETY: by the invariant of `CURRENT`.
    let task = unsafe { CURRENT.get().as_ref() };
    match task {
        Some(task) if ptr::eq(task.scope, scope) && is_innermost(scope) => task.spawn(),
        _ => Origin {
            spawner: None,
            index: scope.frame.stranger(),
        },
    }
}

/// Whether nothing but a task of the nursery stands between its body or child and here.
fn is_innermost(scope: &Scope) -> bool {
    Frame::with_current(|frame| {
        frame.is_some_and(|frame| ptr::eq(frame.enclosing(), &raw const scope.frame))
    })
}

/// The innermost task on this thread learns that its nursery is cancelled, if it is: who asked may
/// have been told of one further in.
pub(crate) fn tell() {
    // SAFETY: by the invariant of `CURRENT`.
    if let Some(task) = unsafe { CURRENT.get().as_ref() } {
        // SAFETY: a nursery is open while a task of it is entered.
        let scope = unsafe { &*task.scope };
        if scope.cancelled().is_some() {
            task.was_told.set(true);
        }
    }
}

//! Unstarted children in the order of the serial program, held by one thread.
//!
//! An intrusive first-in first-out list over the records' `next` fields, which belong to the queue
//! reference (see [`Queued`]). A child that its handle has claimed stays in the list until somebody
//! takes it out and finds it stale, or until half of the list may be stale: then all stale children
//! are swept out, at a constant cost for each.
//!
//! Each child has a *number* in its list: the oldest child has the number `begin`, and each child
//! has one more than the child before it. Numbers wrap. A child that is appended gets the number
//! `end`; a child that is put in front gets the number before `begin`. So a number says where in
//! the list something was cut out, whatever is taken or put in at the front meanwhile, as long as
//! nobody cuts at an earlier position.
//!
//! INVARIANT: `oldest` is null, or `oldest` and `newest` are the two ends of a chain of `end` less
//! `begin` records. The list owns the queue reference of each of them.
#![allow(
    unsafe_code,
    reason = "turns the raw links back into owning references"
)]

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::platform::cell::{AtomicPtr, AtomicU32};
use crate::platform::sync::atomic::Ordering;
use crate::task::record::{Class, Handle, Header, Queued};

/// Stale children worth a sweep: few enough not to hold memory, many enough to share its cost.
const SWEEP: u64 = 32;

/// Whether the child with this number comes before the child with another number. Numbers wrap; two
/// numbers that are compared are not far from each other.
#[inline]
pub(crate) fn is_before(number: u32, other: u32) -> bool {
    number.wrapping_sub(other) > u32::MAX / 2
}

/// What [`PendingList::pop_next`] has taken.
pub(crate) enum Next {
    /// The only child in the list.
    Last(Queued),
    /// One of several.
    First(Queued),
}

/// A list of unstarted children.
// In this order, so that what a new list writes is one piece.
#[repr(C)]
pub(crate) struct PendingList {
    oldest: AtomicPtr<Header>,
    /// The number of the oldest child. A list is never longer than half of the range of numbers: 2^31
    /// records take more than 50 GiB.
    begin: AtomicU32,
    /// The number of the next child.
    end: AtomicU32,
    /// Claims since the last sweep: no fewer than there are stale children.
    /// As wide as it is so that a new list is few wide stores.
    claimed: Cell<u64>,
    /// Written by the first push, so that a new list costs less.
    newest: Cell<MaybeUninit<*mut Header>>,
}

// SAFETY: a list owns queue references, which are `Send`.
unsafe impl Send for PendingList {}

impl PendingList {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            oldest: AtomicPtr::new(ptr::null_mut()),
            newest: Cell::new(MaybeUninit::uninit()),
            begin: AtomicU32::new(0),
            end: AtomicU32::new(0),
            claimed: Cell::new(0),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.oldest().is_null()
    }

    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.end().wrapping_sub(self.begin())
    }

    /// The number of the oldest child.
    #[inline]
    pub(crate) fn begin(&self) -> u32 {
        self.begin.load(Ordering::Relaxed)
    }

    #[inline]
    fn set_begin(&self, number: u32) {
        self.begin.store(number, Ordering::Relaxed);
    }

    #[inline]
    fn set_end(&self, number: u32) {
        self.end.store(number, Ordering::Relaxed);
    }

    /// The oldest child's record; null if there is none.
    #[inline]
    fn oldest(&self) -> *mut Header {
        // ORDERING: Acquire; partner: `set_oldest`. A thread that finds that another thread has emptied its list finds
        // that the children are counted. No model of the list itself, which is no step in models:
        // `models::biased_a_list_that_was_emptied_is_counted` has a flag in its place.
        self.oldest.load(Ordering::Acquire)
    }

    #[inline]
    fn set_oldest(&self, oldest: *mut Header) {
        // ORDERING: Release; partner: `oldest`. No model, as there.
        self.oldest.store(oldest, Ordering::Release);
    }

    /// The number of the next child.
    #[inline]
    pub(crate) fn end(&self) -> u32 {
        self.end.load(Ordering::Relaxed)
    }

    /// How many children have a number before this one.
    #[inline]
    pub(crate) fn len_before(&self, number: u32) -> u32 {
        let begin = self.begin();
        if is_before(number, begin) {
            return 0;
        }
        number.wrapping_sub(begin).min(self.len())
    }

    /// Gives the oldest child this number.
    pub(crate) fn renumber(&self, begin: u32) {
        self.set_end(begin.wrapping_add(self.len()));
        self.set_begin(begin);
    }

    /// The address of the only child's record, if there is just one child.
    pub(crate) fn only(&self) -> Option<*const Header> {
        (self.len() == 1).then(|| self.oldest().cast_const())
    }

    /// The class of the oldest child, if there is one.
    pub(crate) fn first_class(&self) -> Option<Class> {
        let oldest = NonNull::new(self.oldest())?;
        Some(Self::with(oldest, Queued::class))
    }

    /// A list of this one child.
    pub(crate) fn of(child: Queued) -> Self {
        let list = Self::new();
        list.push(child);
        list
    }

    /// Appends the newest child.
    #[inline]
    pub(crate) fn push(&self, child: Queued) {
        debug_assert!(child.link().get().is_none());
        let child = child.into_raw();
        self.link_behind(child);
        self.newest.set(MaybeUninit::new(child.as_ptr()));
        self.set_end(self.end().wrapping_add(1));
    }

    /// Links `child` behind the newest child, or as the oldest.
    #[inline]
    fn link_behind(&self, child: NonNull<Header>) {
        if self.is_empty() {
            self.set_oldest(child.as_ptr());
        } else {
            // SAFETY: by the invariant, in a list that is not empty.
            let newest = unsafe { self.newest.get().assume_init() };
            // SAFETY: as above.
            let newest = unsafe { NonNull::new_unchecked(newest) };
            Self::with(newest, |newest| newest.link().set(Some(child)));
        }
    }

    /// Looks at a child of this list.
    #[inline]
    fn with<R>(at: NonNull<Header>, f: impl FnOnce(&Queued) -> R) -> R {
        // SAFETY: by the invariant the list owns this reference; it goes back right away.
        let child = unsafe { Queued::from_raw(at) };
        let result = f(&child);
        let _ = child.into_raw();
        result
    }

    /// Takes the oldest child.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Queued> {
        let oldest = NonNull::new(self.oldest())?;
        // SAFETY: by the invariant; it leaves the list here.
        let child = unsafe { Queued::from_raw(oldest) };
        let next = child.link().get().map_or(ptr::null_mut(), NonNull::as_ptr);
        self.set_oldest(next);
        self.set_begin(self.begin().wrapping_add(1));
        Some(child)
    }

    /// Takes the only child, if there is just one.
    #[inline]
    pub(crate) fn pop_last(&self) -> Option<Queued> {
        let oldest = NonNull::new(self.oldest())?;
        if Self::with(oldest, |child| child.link().get().is_some()) {
            return None;
        }
        self.set_oldest(ptr::null_mut());
        self.set_begin(self.begin().wrapping_add(1));
        // SAFETY: by the invariant; it leaves the list here.
        Some(unsafe { Queued::from_raw(oldest) })
    }

    /// Takes the oldest child if this is its handle, and has not claimed it.
    #[inline]
    pub(crate) fn pop_next<T>(&self, handle: &Handle<T>) -> Option<Next> {
        let oldest = self.oldest();
        if !handle.is_of(oldest) || handle.is_started() {
            return None;
        }
        let oldest = NonNull::new(oldest)?;
        // SAFETY: by the invariant; it leaves the list here.
        let child = unsafe { Queued::from_raw(oldest) };
        let next = child.link().get();
        self.set_oldest(next.map_or(ptr::null_mut(), NonNull::as_ptr));
        self.set_begin(self.begin().wrapping_add(1));
        Some(match next {
            None => Next::Last(child),
            Some(_) => Next::First(child),
        })
    }

    /// Puts all of `newer` behind what is here.
    pub(crate) fn append(&self, newer: &Self) {
        let Some(first) = NonNull::new(newer.oldest()) else {
            return;
        };
        self.link_behind(first);
        self.newest.set(newer.newest.get());
        self.set_end(self.end().wrapping_add(newer.len()));
        self.claimed.set(self.claimed.get() + newer.claimed.get());
        newer.forget();
    }

    /// Puts all of `older` before what is here.
    pub(crate) fn prepend(&self, older: &Self) {
        let here = self.take();
        let begin = here.begin().wrapping_sub(older.len());
        self.set_begin(begin);
        self.set_end(begin);
        self.append(older);
        self.append(&here);
    }

    /// Takes all children. If they come back, they go where they were.
    pub(crate) fn take(&self) -> Self {
        let all = Self {
            oldest: AtomicPtr::new(self.oldest()),
            newest: self.newest.clone(),
            begin: AtomicU32::new(self.begin()),
            end: AtomicU32::new(self.end()),
            claimed: self.claimed.clone(),
        };
        self.forget();
        all
    }

    fn forget(&self) {
        self.set_oldest(ptr::null_mut());
        self.set_end(self.begin());
        self.claimed.set(0);
    }

    /// Notes that a handle has claimed a child, probably one in this list; returns whether it is time for
    /// [`Self::sweep_before_end`].
    pub(crate) fn note_claim(&self) -> bool {
        let claimed = self.claimed.get() + 1;
        self.claimed.set(claimed);
        claimed >= SWEEP && claimed * 2 >= self.len().into()
    }

    /// Releases the children that handles have claimed. The number of the last child stays: parts that were cut out
    /// of the list come back too early by as many children as are gone, and never too late.
    pub(crate) fn sweep_before_end(&self) {
        let end = self.end();
        self.sweep();
        self.renumber(end.wrapping_sub(self.len()));
    }

    /// Puts all of `children`, which were taken from here, back with their numbers. The list is empty.
    pub(crate) fn put_back(&self, children: &Self) {
        self.set_begin(children.begin());
        self.set_end(children.begin());
        self.append(children);
    }

    /// Whether handles have claimed all of the children.
    pub(crate) fn is_stale(&self) -> bool {
        self.all(Queued::is_stale)
    }

    /// Releases the children that handles have claimed. The number of the first child stays.
    #[cold]
    pub(crate) fn sweep(&self) {
        let all = self.take();
        while let Some(child) = all.pop() {
            if child.is_stale() {
                let nothing = child.take();
                debug_assert!(nothing.is_none(), "stale for good");
            } else {
                child.link().set(None);
                self.push(child);
            }
        }
    }

    /// Takes the newer half, rounded up.
    #[cfg(hatchery_loom)]
    pub(crate) fn split_newer_half(&self) -> Self {
        self.split_behind(self.len() / 2)
    }

    /// Takes all children behind this many of the oldest.
    pub(crate) fn split_behind(&self, older: u32) -> Self {
        let newer = self.take();
        let older = newer.split_oldest(older);
        self.append(&older);
        newer
    }

    /// Takes this many of the oldest children, at most.
    pub(crate) fn split_oldest(&self, most: u32) -> Self {
        if most >= self.len() {
            let all = self.take();
            // So that children that are put back stand where they stood.
            self.set_begin(all.end());
            self.set_end(all.end());
            return all;
        }
        let oldest = Self::new();
        oldest.set_begin(self.begin());
        oldest.set_end(self.begin());
        let Some(mut cut) = NonNull::new(self.oldest()).filter(|_| most > 0) else {
            return oldest;
        };
        for _ in 1..most {
            cut = Self::with(cut, |child| child.link().get()).unwrap_or(cut);
        }
        let behind = Self::with(cut, |child| child.link().take());
        oldest.set_oldest(self.oldest());
        oldest.newest.set(MaybeUninit::new(cut.as_ptr()));
        self.set_oldest(behind.map_or(ptr::null_mut(), NonNull::as_ptr));
        let begin = self.begin().wrapping_add(most);
        oldest.set_end(begin);
        self.set_begin(begin);
        // Nobody knows where the stale children are: each part may have all of them.
        let claimed = self.claimed.get();
        oldest.claimed.set(claimed.min(most.into()));
        self.claimed.set(claimed.min(self.len().into()));
        oldest
    }

    /// Allows all of the queue references to go to another thread, in the run with this number.
    pub(crate) fn share(&self, run_number: u8) {
        self.all(|child| {
            child.share(run_number);
            true
        });
    }

    /// Whether all of the queue references may be on any thread.
    pub(crate) fn is_shared(&self) -> bool {
        self.all(Queued::is_shared)
    }

    /// Whether `f` is true for each child; it is asked from the oldest one on, until it is not.
    fn all(&self, f: impl Fn(&Queued) -> bool) -> bool {
        let mut next = NonNull::new(self.oldest());
        while let Some(child) = next {
            let (is_so, behind) = Self::with(child, |child| (f(child), child.link().get()));
            if !is_so {
                return false;
            }
            next = behind;
        }
        true
    }
}

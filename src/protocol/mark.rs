//! Whether a nursery is cancelled: its own mark, and how it learns of outer nurseries.
//!
//! 1. The first reason stays. It is set in one step with the flag that says whether it is
//!    inherited.
//! 2. A thread that cancels looks first: an outer nursery that was cancelled before has been first.
//! 3. A nursery that was found clean at the present epoch answers for all outer nurseries, too.
//! 4. No task is told of a cancellation before the epoch has advanced for it: a thread that comes
//!    between the mark and the advance advances it, too. So a task that was told finds inner
//!    nurseries cancelled.
//! 5. A thread that advances the epoch for a nursery that was found clean just before notes that
//!    the nursery around it still is. So if nurseries that are nested in a row fail one after the
//!    other, only the first looks outwards.
//! 6. When a nursery inherits a reason, all nurseries between it and the owner of the reason
//!    inherit it, too. So if nurseries that are nested in a row are told one after the other, each
//!    is looked at once.
//! 7. If that reason is a deadline, all nurseries that inherit it note when it was. So it takes no
//!    walk to the owner to say by how much the deadline was missed, and a deadline that is set in
//!    an outer nursery afterwards is not mistaken for it. If a nursery has no room for the note,
//!    the next outer nursery that has it is asked.
//!
//! Model: `models::mark_*`.

use std::iter;
use std::ptr;
use std::time::Instant;

use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::protocol::epoch::{CleanAt, Epoch};

/// The part of a state that is the reason; zero if there is none.
const REASON: u8 = 0x0f;
/// A child or the body has failed or panicked.
pub(crate) const FAILED: u8 = 1 << 5;
/// The reason is an outer nursery's.
const INHERITED: u8 = 1 << 6;
/// Children that have not started are dropped unrun.
pub(crate) const SKIPS: u8 = 1 << 7;

/// What one nursery knows of its cancellation.
pub(crate) struct Mark {
    state: AtomicU8,
    /// Whether the epoch has advanced since the reason was set.
    is_spread: AtomicBool,
    /// Flags that say how code in the nursery was told that it is cancelled; read at its end.
    told: AtomicU8,
    clean_at: CleanAt,
}

/// A reason, and whether it is an outer nursery's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) reason: u8,
    pub(crate) is_inherited: bool,
}

/// A nursery that may be cancelled.
pub(crate) trait Cancellable: Sized {
    fn mark(&self) -> &Mark;

    /// The nursery that it was opened in, if it is cancelled with that.
    fn outer(&self) -> Option<&Self>;

    /// Why its terms cancel it now, if they do; for a deadline, also when that was.
    fn broken(&self) -> Option<(u8, Option<Instant>)>;

    /// The reason that is a deadline.
    const DEADLINE: u8;

    /// When the deadline was that cancelled it, if it knows: its own, or a deadline that was noted.
    fn since(&self) -> Option<Instant>;

    /// Notes when the deadline was that cancelled it with an outer nursery.
    fn note_since(&self, since: Instant);

    /// Whether its terms may cancel it without an advance of the epoch.
    fn is_unwatched(&self) -> bool;
}

impl Mark {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(0),
            is_spread: AtomicBool::new(false),
            told: AtomicU8::new(0),
            clean_at: CleanAt::new(),
        }
    }

    /// Makes the epoch advance for this mark, at least once; `outer` is the mark of the nursery
    /// around.
    fn spread(&self, epoch: &Epoch, outer: Option<&Self>) {
        // ORDERING: Acquire and Release: a thread that finds it spread sees the advance. This is a
        // check of a few instructions for each task that is told.
        if !self.is_spread.load(Ordering::Acquire) {
            let before = epoch.advance();
            self.is_spread.store(true, Ordering::Release);
            if let Some(outer) = outer.filter(|_| self.clean_at.is(before)) {
                // Only this nursery was cancelled in between. This may overwrite a later number,
                // which costs one more look.
                outer.clean_at.set(before + 1);
            }
        }
    }

    #[inline]
    fn state(&self) -> u8 {
        // ORDERING: Acquire; partner: `set`. A thread that acts on the state sees what led to it.
        self.state.load(Ordering::Acquire)
    }

    /// Whether it is cancelled, as far as it knows.
    #[inline]
    pub(crate) fn known(&self) -> Option<Known> {
        let state = self.state();
        let known = Known {
            reason: state & REASON,
            is_inherited: state & INHERITED != 0,
        };
        (known.reason != 0).then_some(known)
    }

    /// Whether the nursery is known not to be cancelled, without a look.
    #[inline]
    pub(crate) fn is_known_clean(&self, epoch: &Epoch) -> bool {
        self.state() & REASON == 0 && self.clean_at.is(epoch.now())
    }

    /// Whether nothing has happened at all.
    #[inline]
    pub(crate) fn is_blank(&self) -> bool {
        self.state() == 0
    }

    /// Whether it has one of these flags.
    #[inline]
    pub(crate) fn has(&self, flags: u8) -> bool {
        self.state() & flags != 0
    }

    /// A hint whether it has one of these flags.
    #[inline]
    pub(crate) fn may_have(&self, flags: u8) -> bool {
        self.state.load(Ordering::Relaxed) & flags != 0
    }

    /// Notes that code is told, in a way that these flags stand for.
    pub(crate) fn note_told(&self, flags: u8) {
        // ORDERING: Relaxed: read when all have ended.
        self.told.fetch_or(flags, Ordering::Relaxed);
    }

    /// The flags of all code that was told; read when all children have ended.
    pub(crate) fn told(&self) -> u8 {
        self.told.load(Ordering::Relaxed)
    }

    /// Sets flags.
    pub(crate) fn add(&self, flags: u8) {
        // ORDERING: Release; partners: all that load the state.
        self.state.fetch_or(flags, Ordering::Release);
    }

    /// Sets the reason, with what goes with it, unless there is a reason; and `flags` in any case.
    /// True if there was no reason.
    fn set(&self, known: Known, flags: u8) -> bool {
        let inherited = if known.is_inherited { INHERITED } else { 0 };
        let next = |now: u8| {
            let is_first = now & REASON == 0;
            let first = if is_first {
                known.reason | inherited
            } else {
                0
            };
            Some(now | first | flags)
        };
        // ORDERING: Release; partners: all that load the state.
        let before = self
            .state
            .fetch_update(Ordering::Release, Ordering::Relaxed, next);
        before.is_ok_and(|before| before & REASON == 0)
    }
}

fn spread<N: Cancellable>(nursery: &N, epoch: &Epoch) {
    let outer = nursery.outer().map(Cancellable::mark);
    nursery.mark().spread(epoch, outer);
}

fn outwards<N: Cancellable>(nursery: &N) -> impl Iterator<Item = &N> {
    iter::successors(Some(nursery), |nursery| nursery.outer())
}

/// Cancels a nursery, and sets flags of its mark; true if it was not cancelled before.
pub(crate) fn cancel<N: Cancellable>(nursery: &N, epoch: &Epoch, reason: u8, flags: u8) -> bool {
    look(nursery, epoch);
    let own = Known {
        reason,
        is_inherited: false,
    };
    let is_first = nursery.mark().set(own, flags);
    failpoint::reach(Failpoint::CancelMarked);
    spread(nursery, epoch);
    is_first
}

/// When the deadline was that cancelled the nursery, if the reason is a deadline.
pub(crate) fn since<N: Cancellable>(nursery: &N, reason: u8) -> Option<Instant> {
    if reason != N::DEADLINE {
        return None;
    }
    // A cancellation that is passed on begins with the innermost nursery, so nurseries around it
    // may have no mark yet.
    let has_it = |here: &&N| {
        here.mark()
            .known()
            .is_some_and(|known| known.reason == reason)
    };
    outwards(nursery).filter(has_it).find_map(N::since)
}

/// Looks whether the nursery is cancelled, by itself or with an outer nursery.
///
/// If several deadlines have passed unseen, the earliest is the reason.
pub(crate) fn look<N: Cancellable>(nursery: &N, epoch: &Epoch) -> Option<Known> {
    let number = epoch.now();
    let mut first: Option<(&N, u8, Option<Instant>)> = None;
    let mut is_unwatched = false;
    for here in outwards(nursery) {
        let known = here.mark().known();
        let ended = match known {
            Some(known) if ptr::eq(here, nursery) => {
                spread(here, epoch);
                return Some(known);
            }
            Some(Known { reason, .. }) => Some((reason, since(here, reason))),
            None if here.mark().clean_at.is(number) => break,
            None => {
                is_unwatched |= here.is_unwatched();
                here.broken()
            }
        };
        if let Some((reason, since)) = ended {
            let so_far = first.map(|(_, _, since)| since);
            if so_far.is_none_or(|so_far| since.is_some() && since < so_far) {
                first = Some((here, reason, since));
            }
        }
        if known.is_some() || first.is_some_and(|(_, _, since)| since.is_none()) {
            break;
        }
    }
    match first {
        Some((owner, reason, _)) => {
            let own = Known {
                reason,
                is_inherited: false,
            };
            owner.mark().set(own, 0);
            failpoint::reach(Failpoint::CancelNoticed);
            spread(owner, epoch);
            if let Some(known) = owner.mark().known() {
                let since = since(owner, known.reason);
                let is_inherited = true;
                let inherited = Known {
                    is_inherited,
                    ..known
                };
                for here in outwards(nursery).take_while(|here| !ptr::eq(*here, owner)) {
                    if here.mark().set(inherited, 0) {
                        since.into_iter().for_each(|since| here.note_since(since));
                        // ORDERING: Release as in `spread`: a thread that reads it relies on the
                        // advance that this thread has seen. No model: it takes a third thread that
                        // has not seen it.
                        here.mark().is_spread.store(true, Ordering::Release);
                    } else {
                        spread(here, epoch);
                    }
                }
            }
            nursery.mark().known()
        }
        None => {
            if !is_unwatched {
                let unknown = |here: &&N| !here.mark().clean_at.is(number);
                let clean = outwards(nursery).take_while(unknown);
                clean.for_each(|here| here.mark().clean_at.set(number));
            }
            None
        }
    }
}

#[cfg(all(test, not(hatchery_loom)))]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::platform::clock;

    const TOKEN: u8 = 2;
    const DEADLINE: u8 = 3;

    /// A nursery that counts how often it is looked at.
    struct Watched<'a> {
        mark: Mark,
        outer: Option<&'a Self>,
        looks: Cell<u32>,
        is_broken: Cell<bool>,
        deadline: Cell<Option<Instant>>,
        noted: Cell<Option<Instant>>,
    }

    impl<'a> Watched<'a> {
        fn below(outer: Option<&'a Self>) -> Self {
            Self {
                mark: Mark::new(),
                outer,
                looks: Cell::new(0),
                is_broken: Cell::new(false),
                deadline: Cell::new(None),
                noted: Cell::new(None),
            }
        }
    }

    impl Cancellable for Watched<'_> {
        fn mark(&self) -> &Mark {
            &self.mark
        }

        fn outer(&self) -> Option<&Self> {
            self.outer
        }

        fn broken(&self) -> Option<(u8, Option<Instant>)> {
            self.looks.set(self.looks.get() + 1);
            let is_over = self.is_broken.get();
            let since = self.deadline.get().filter(|_| is_over);
            match since {
                Some(_) => Some((DEADLINE, since)),
                None => is_over.then_some((TOKEN, None)),
            }
        }

        const DEADLINE: u8 = DEADLINE;

        fn since(&self) -> Option<Instant> {
            self.looks.set(self.looks.get() + 1);
            self.noted.get().or(self.deadline.get())
        }

        fn note_since(&self, since: Instant) {
            self.noted.set(Some(since));
        }

        fn is_unwatched(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_look_goes_no_further_than_a_nursery_found_clean() {
        let epoch = &Epoch::new();
        let outer = Watched::below(None);
        let middle = Watched::below(Some(&outer));
        for _ in 0..3 {
            let inner = Watched::below(Some(&middle));
            assert!(!inner.mark.is_known_clean(epoch));
            assert_eq!(look(&inner, epoch), None);
            assert!(inner.mark.is_known_clean(epoch));
        }
        assert_eq!((outer.looks.get(), middle.looks.get()), (1, 1));
        // A failure that cancels nothing does not make it look again.
        middle.mark.add(FAILED);
        assert!(middle.mark.is_known_clean(epoch));
        // A cancellation does, wherever that was.
        let inner = Watched::below(Some(&middle));
        assert_eq!(look(&inner, epoch), None);
        outer.is_broken.set(true);
        epoch.advance();
        let known = look(&inner, epoch).unwrap();
        assert_eq!((known.reason, known.is_inherited), (TOKEN, true));
        assert!(!outer.mark.known().unwrap().is_inherited);
        assert!(middle.mark.known().unwrap().is_inherited, "it lies between");
        assert!(look(&middle, epoch).unwrap().is_inherited);
    }

    /// Opens nurseries, each in the nursery before, and calls `end` for each.
    fn row(outer: &Watched<'_>, left: u32, end: &dyn Fn(&Watched<'_>), total: &Cell<u32>) {
        let inner = Watched::below(Some(outer));
        match left {
            0 => {}
            _ => row(&inner, left - 1, end, total),
        }
        end(&inner);
        total.set(total.get() + inner.looks.get());
    }

    const ROW: u32 = 1000;

    #[test]
    fn a_row_of_nurseries_that_fail_one_after_the_other_takes_few_looks_at_each() {
        let epoch = &Epoch::new();
        let (outermost, total) = (Watched::below(None), Cell::new(0));
        let fail = |inner: &Watched<'_>| {
            assert!(cancel(inner, epoch, 4, FAILED));
            assert!(look(inner, epoch).is_some());
        };
        row(&outermost, ROW, &fail, &total);
        assert!(total.get() <= 2 * (ROW + 1), "{total:?} looks");
        assert!(outermost.looks.get() <= 2, "{:?}", outermost.looks);
        assert_eq!(look(&outermost, epoch), None);
    }

    #[test]
    fn a_row_of_nurseries_that_are_told_one_after_the_other_takes_few_looks_at_each() {
        for is_broken in [false, true] {
            let epoch = &Epoch::new();
            let (outermost, total) = (Watched::below(None), Cell::new(0));
            match is_broken {
                true => outermost.is_broken.set(true),
                false => assert!(cancel(&outermost, epoch, 1, 0)),
            }
            let ask = |inner: &Watched<'_>| {
                for _ in 0..3 {
                    assert!(look(inner, epoch).unwrap().is_inherited);
                }
                assert!(!cancel(inner, epoch, 4, FAILED));
            };
            row(&outermost, ROW, &ask, &total);
            assert!(total.get() <= 2 * (ROW + 1), "{total:?} looks");
            assert!(outermost.looks.get() <= 2, "{:?}", outermost.looks);
        }
    }

    #[test]
    fn a_row_of_nurseries_that_a_deadline_cancels_takes_few_looks_at_each() {
        let epoch = &Epoch::new();
        let (outermost, total) = (Watched::below(None), Cell::new(0));
        let deadline = Some(clock::now());
        outermost.deadline.set(deadline);
        outermost.is_broken.set(true);
        let ask = |inner: &Watched<'_>| {
            let known = look(inner, epoch).unwrap();
            assert_eq!((known.reason, known.is_inherited), (DEADLINE, true));
            assert_eq!(since(inner, DEADLINE), deadline);
        };
        row(&outermost, ROW, &ask, &total);
        assert!(total.get() <= 2 * (ROW + 1), "{total:?} looks");
        assert!(outermost.looks.get() <= 2, "{:?}", outermost.looks);
    }

    /// The thread that cancels may be between the mark and the advance.
    #[test]
    fn x3_who_was_told_of_a_nursery_finds_those_further_in_cancelled() {
        let epoch = &Epoch::new();
        let outer = Watched::below(None);
        let inner = Watched::below(Some(&outer));
        for asked in [&outer, &Watched::below(Some(&outer))] {
            assert_eq!(look(&inner, epoch), None);
            let own = Known {
                reason: TOKEN,
                is_inherited: false,
            };
            outer.mark.set(own, 0);
            assert!(inner.mark.is_known_clean(epoch), "not yet");
            assert!(look(asked, epoch).is_some());
            assert!(!inner.mark.is_known_clean(epoch));
            outer.mark.state.store(0, Ordering::Relaxed);
            outer.mark.is_spread.store(false, Ordering::Relaxed);
        }
    }

    #[test]
    fn x1_x5_who_cancels_after_a_nursery_around_was_cancelled_is_not_the_first() {
        let epoch = &Epoch::new();
        let outer = Watched::below(None);
        let inner = Watched::below(Some(&outer));
        assert!(cancel(&outer, epoch, 1, 0));
        assert!(!cancel(&inner, epoch, 4, FAILED));
        let known = inner.mark.known().unwrap();
        assert_eq!((known.reason, known.is_inherited), (1, true));
        assert!(inner.mark.has(FAILED));
    }
}

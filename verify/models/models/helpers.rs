//! Helpers: workers on threads of others, which come late or never, and leave. Nobody counts on one, work that arrives while
//! one leaves is not left to nobody, and the end waits for those inside.
//!
//! What is done here mirrors `Core::want` and `recruiting`.

use std::time::Duration;

use loom::sync::Arc;

use super::idle::{Pool, SLEEPER};
use super::{Memory, exhaustively, spawn_with, twins, within_bounds};
use crate::platform::planted;
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::protocol::helpers::{Helpers, Next};
use crate::protocol::idle::{Field, Idle};

/// A helper that has not come; the worker [`SLEEPER`] is one that is there.
const HELPER: usize = 1;

struct Core {
    pool: Arc<Pool>,
    helpers: Helpers,
    /// Whether the worker that may sleep is a helper that is there, or is no helper.
    is_there: AtomicBool,
    /// Whether a helper is to be asked for. It is no step.
    is_wanted: std::sync::atomic::AtomicBool,
    /// What a helper writes that is inside, and whoever has waited for its end.
    end: Memory<u32>,
}

impl Field for Core {
    #[track_caller]
    fn has_visible_work(&self) -> bool {
        !planted::skips() && self.pool.visible.load(Ordering::Relaxed) > 0
    }

    fn arm_all(&self) {
        self.pool.asked.store(true, Ordering::Relaxed);
    }

    fn want(&self, worker: usize) -> bool {
        if worker == SLEEPER && self.is_there.load(Ordering::Relaxed) {
            return false;
        }
        self.is_wanted.store(true, Ordering::Relaxed);
        !planted::step("counts on a helper that is wanted")
    }

    fn rouse(&self, worker: usize) -> bool {
        // A helper that somebody counts on.
        worker == HELPER || self.pool.rouse(worker)
    }

    fn start_spare(&self) -> bool {
        false
    }
}

impl Core {
    fn new(places: usize, most: usize) -> Arc<Self> {
        Arc::new(Self {
            pool: Pool::new(places),
            helpers: Helpers::new(most),
            is_there: AtomicBool::new(true),
            is_wanted: std::sync::atomic::AtomicBool::new(false),
            end: Memory::new(0),
        })
    }

    fn idle(&self) -> &Idle {
        &self.pool.idle
    }

    fn expose(&self) {
        self.pool.visible.fetch_add(1, Ordering::Release);
        self.idle().wake_one(self);
    }

    /// A worker that is there, and searches with a place, until it has one entry.
    fn work_once(&self) {
        while !self.pool.take() {
            self.search_in_vain();
        }
        self.idle().found(self);
    }

    /// Sleeps until it is roused.
    fn search_in_vain(&self) {
        self.pool.is_asleep.store(true, Ordering::Relaxed);
        self.idle().announce(SLEEPER, self);
        self.pool.sleep();
    }

    /// What the recruiter does next, which need not wait for it.
    fn next(&self) -> Next {
        let now = || Duration::ZERO;
        self.helpers
            .next(now, || false, |_, _, _| panic!("nothing to do"))
    }

    /// What the recruiter does next, which may wait.
    fn wait_for_next(&self, is_stuck: impl Fn() -> bool) -> Next {
        let now = || Duration::ZERO;
        self.helpers
            .next(now, is_stuck, |bell, state, _| bell.wait(state).unwrap())
    }

    /// Has a helper come, which is offered.
    fn let_come(&self, number: usize) {
        self.helpers.want(number, Duration::ZERO);
        assert_eq!(self.next(), Next::Ask(number));
        assert!(self.helpers.come(number).is_some());
    }
}

/// A helper that has slept for long leaves while something is shown: it is woken, or asked for.
#[test]
fn helpers_who_leaves_is_replaced() {
    within_bounds(|| {
        let core = Core::new(2, 1);
        core.idle().take_place_anyway();
        core.idle().join_sleepers(SLEEPER, &*core);
        let helper = spawn_with(&core, |core| {
            if core.idle().retire(SLEEPER, false, core) {
                core.is_there.store(false, Ordering::Relaxed);
                // What the recruiter does then.
                core.idle().offer(SLEEPER, core);
            }
        });
        core.expose();
        helper.join().unwrap();
        let is_there = core.is_there.load(Ordering::Relaxed);
        let is_awake = !core.pool.is_asleep.load(Ordering::Relaxed);
        assert_eq!(is_there, is_awake, "woken, unless it has left");
        let is_wanted = core.is_wanted.load(Ordering::Relaxed);
        assert_eq!(is_there, !is_wanted, "asked for again");
        if is_wanted {
            let [computing, searching, asleep, ..] = core.idle().snapshot();
            assert_eq!([computing, searching, asleep], [1, 0, 0], "given back");
        }
    });
}

/// Who wants a helper that does not come leaves nobody asleep, though it may have been seen to search.
#[test]
fn helpers_nobody_counts_on_one_that_is_wanted() {
    within_bounds(|| {
        let core = Core::new(4, 2);
        // A worker searches, and two callers compute, so there is room for another searcher.
        (0..3).for_each(|_| core.idle().take_place_anyway());
        core.idle().search();
        core.idle().offer(HELPER, &*core);
        let worker = spawn_with(&core, |core| {
            let has_found = core.pool.take();
            // One of the callers ends, so there is room no more.
            core.idle().vacate(core);
            if !has_found {
                core.search_in_vain();
                core.work_once();
            }
        });
        core.expose();
        worker.join().unwrap();
    });
}

/// The recruiter hears of what changes.
fn is_told(core: &Arc<Core>, change: fn(&Core), is: Next) {
    let recruiter = spawn_with(core, |core| {
        core.wait_for_next(|| core.pool.visible.load(Ordering::Relaxed) > 0)
    });
    change(core);
    assert_eq!(recruiter.join().unwrap(), is);
}

#[test]
fn helpers_who_are_wanted_are_asked_for() {
    exhaustively(|| {
        let core = Core::new(1, 1);
        is_told(
            &core,
            |core| core.helpers.want(0, Duration::ZERO),
            Next::Ask(0),
        );
    });
}

#[test]
fn helpers_who_come_have_others_offered() {
    exhaustively(|| {
        let core = Core::new(1, 2);
        core.helpers.want(0, Duration::ZERO);
        assert_eq!(core.next(), Next::Ask(0));
        let come = |core: &Core| assert!(core.helpers.come(0).is_some());
        is_told(&core, come, Next::Offer(1));
    });
}

#[test]
fn helpers_who_leave_are_offered() {
    exhaustively(|| {
        let core = Core::new(1, 1);
        core.let_come(0);
        is_told(&core, |core| core.helpers.leave(0), Next::Offer(0));
    });
}

/// One that is refused while a job waits is not waited for.
#[test]
fn helpers_who_are_refused_have_a_spare_stand_in() {
    exhaustively(|| {
        let core = Core::new(1, 1);
        core.helpers.want(0, Duration::ZERO);
        assert_eq!(core.next(), Next::Ask(0));
        core.pool.visible.store(1, Ordering::Relaxed);
        let refuse = |core: &Core| core.helpers.refuse(0, Duration::ZERO);
        is_told(&core, refuse, Next::StandIn);
    });
}

/// A job that is submitted when nobody comes is looked after.
#[test]
fn helpers_who_do_not_come_keep_no_job_waiting() {
    exhaustively(|| {
        let core = Core::new(1, 1);
        core.helpers.want(0, Duration::ZERO);
        assert_eq!(core.next(), Next::Ask(0));
        core.helpers.refuse(0, Duration::ZERO);
        let submit = |core: &Core| {
            core.pool.visible.store(1, Ordering::Relaxed);
            core.helpers.ring();
        };
        is_told(&core, submit, Next::StandIn);
    });
}

/// The end waits for a helper that has come, and no helper comes afterwards.
#[test]
fn helpers_inside_are_waited_for() {
    within_bounds(|| {
        let core = Core::new(1, 1);
        core.helpers.want(0, Duration::ZERO);
        assert_eq!(core.next(), Next::Ask(0));
        let helper = spawn_with(&core, |core| {
            if core.helpers.come(0).is_some() {
                core.end.write(1);
                core.helpers.leave(0);
            }
        });
        let recruiter = spawn_with(&core, |core| {
            let is_over = |next| matches!(next, Next::End);
            while !is_over(core.wait_for_next(|| false)) {}
        });
        core.helpers.close();
        recruiter.join().unwrap();
        if !planted::step("does not wait for those inside") {
            core.helpers.wait_for_all_but(0);
        }
        core.end.write(2);
        helper.join().unwrap();
    });
}

/// A helper may come while a spare is about to stand in for it: the account of who is absent is right.
#[test]
fn helpers_who_come_after_all_are_not_missed() {
    exhaustively(|| {
        let core = Core::new(1, 1);
        core.helpers.want(0, Duration::ZERO);
        assert_eq!(core.next(), Next::Ask(0));
        let helper = spawn_with(&core, |core| {
            let came = core.helpers.come(0).expect("it is not over");
            if came.was_missed {
                core.idle().note_return();
            }
        });
        // What `stand_in` does.
        core.idle().note_missing();
        if !core.helpers.miss() {
            core.idle().note_return();
        }
        helper.join().unwrap();
        let [.., absent, _] = core.idle().snapshot();
        assert_eq!(absent, 0, "absent");
    });
}

twins! {
    helpers_who_leaves_is_replaced {
        the_offer_does_not_look: skipped("protocol/idle.rs", "offer", "self.look") => Says("asked for again");
        the_offer_has_no_fence: acqrel("protocol/idle.rs", "offer", "fence") => Says("asked for again");
        the_pusher_has_no_fence: acqrel("protocol/idle.rs", "wake_one", "fence") => Says("asked for again");
    }
    helpers_nobody_counts_on_one_that_is_wanted {
        somebody_does: step("counts on a helper that is wanted") => Deadlock;
        who_wants_one_does_not_look_again: skipped("protocol/idle.rs", "wake_one", "has_visible_work") => Deadlock;
    }
    helpers_who_are_wanted_are_asked_for {
        nobody_rings: skipped("protocol/helpers.rs", "want", "notify_one") => Deadlock;
    }
    helpers_who_come_have_others_offered {
        nobody_rings: skipped("protocol/helpers.rs", "come", "notify_one") => Deadlock;
    }
    helpers_who_leave_are_offered {
        nobody_rings: skipped("protocol/helpers.rs", "leave", "notify_one") => Deadlock;
    }
    helpers_who_are_refused_have_a_spare_stand_in {
        nobody_rings: skipped("protocol/helpers.rs", "refuse", "notify_one") => Deadlock;
    }
    helpers_who_do_not_come_keep_no_job_waiting {
        nobody_rings: skipped("protocol/helpers.rs", "ring", "notify_one") => Deadlock;
    }
    helpers_inside_are_waited_for {
        nobody_waits: step("does not wait for those inside") => Race;
        nobody_rings: skipped("protocol/helpers.rs", "leave", "notify_all") => Deadlock;
        the_recruiter_is_not_told: skipped("protocol/helpers.rs", "close", "notify_one") => Deadlock;
    }
    helpers_who_come_after_all_are_not_missed {
        the_spare_is_not_taken_back: skipped("protocol/idle.rs", "note_return", "fetch_sub") => Says("absent");
    }
}

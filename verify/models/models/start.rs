//! The start of a pool's workers: whatever is shown from its beginning on is found.
//!
//! What is done here mirrors `Core::start_workers_now`, `worker::main` and `Seat::expose_all`.

use loom::sync::{Arc, Mutex};
use loom::thread::{self, JoinHandle};

use super::idle::{Pool, SLEEPER};
use super::{exhaustively, twins, within_bounds};
use crate::platform::planted;
use crate::platform::sync::atomic::{AtomicUsize, Ordering};

/// A pool of one worker that nobody has used, as `Core`.
struct Core {
    pool: Arc<Pool>,
    has_begun: Mutex<bool>,
    living: AtomicUsize,
}

impl Core {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            pool: Pool::new(3),
            has_begun: Mutex::new(false),
            living: AtomicUsize::new(0),
        })
    }

    /// True for the caller that starts the worker.
    fn begin(&self, finds_it_living: bool) -> bool {
        let mut has_begun = self.has_begun.lock().unwrap();
        if *has_begun {
            return false;
        }
        *has_begun = true;
        self.pool.idle.expect(1);
        if finds_it_living {
            self.living.store(1, Ordering::Relaxed);
        }
        true
    }

    /// One caller with one child, which it has to show: it waits for that in a way of its own. `runs` is
    /// what the worker does.
    fn call(core: &Arc<Self>, runs: fn(&Self)) -> Option<JoinHandle<()>> {
        let is_late = planted::step("what is shown is shown to the living");
        core.pool.idle.take_place_anyway();
        let worker = core.begin(!is_late).then(|| {
            let same = Arc::clone(core);
            let worker = thread::spawn(move || runs(&same));
            if is_late {
                core.living.store(1, Ordering::Relaxed);
            }
            worker
        });
        if core.living.load(Ordering::Relaxed) > 0 {
            core.pool.expose();
        }
        worker
    }
}

/// Two threads use the pool first, at once: the worker runs both children.
#[test]
fn start_is_one_for_all_who_come_first() {
    within_bounds(|| {
        let core = Core::new();
        let runs = |core: &Core| {
            let pool = &core.pool;
            pool.idle.arrive(SLEEPER, &**pool);
            pool.sleep();
            pool.work_once();
            pool.idle.search();
            pool.work_once();
        };
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || Core::call(&core, runs))
        };
        let worker = Core::call(&core, runs);
        let workers = [worker, other.join().unwrap()];
        for worker in workers.into_iter().flatten() {
            worker.join().unwrap();
        }
    });
}

/// A thread that was asked before anybody could come, and has kept what it had, is asked again.
#[test]
fn start_asks_whoever_was_asked_before() {
    exhaustively(|| {
        let core = Core::new();
        let pool = &core.pool;
        assert!(core.begin(true), "the first");
        let worker = {
            let pool = Arc::clone(pool);
            thread::spawn(move || pool.idle.arrive(SLEEPER, &*pool))
        };
        pool.answer_request();
        worker.join().unwrap();
        pool.assert_answered();
    });
}

/// A worker that is refused is waited for by nobody: another one takes what was shown to it.
#[test]
fn start_goes_on_without_a_worker_that_is_refused() {
    exhaustively(|| {
        let core = Core::new();
        let pool = &core.pool;
        assert!(core.begin(true), "the first");
        pool.idle.expect(1);
        let starter = {
            let pool = Arc::clone(pool);
            thread::spawn(move || {
                pool.idle.note_refused();
                pool.idle.arrive(SLEEPER, &*pool);
            })
        };
        pool.expose();
        starter.join().unwrap();
        assert!(!pool.is_asleep.load(Ordering::Relaxed), "woken");
        assert!(
            pool.take() && !pool.idle.is_anybody_coming(),
            "there is no other"
        );
    });
}

twins! {
    start_is_one_for_all_who_come_first {
        only_the_living_count: step("what is shown is shown to the living") => Deadlock;
        who_arrives_does_not_look: skipped("protocol/idle.rs", "join_sleepers", "self.look") => Deadlock;
        who_arrives_has_no_fence: relaxed("protocol/idle.rs", "join_sleepers", "fence") => Deadlock;
        who_shows_has_no_fence: acqrel("protocol/idle.rs", "wake_one", "fence") => Deadlock;
    }
    start_asks_whoever_was_asked_before {
        it_does_not: skipped("protocol/idle.rs", "join_sleepers", "arm_all") => Says("asked again");
        who_arrives_has_no_fence: acqrel("protocol/idle.rs", "join_sleepers", "fence") => Says("shown to somebody");
        who_is_asked_has_no_fence: acqrel("protocol/idle.rs", "is_hungry", "fence") => Says("asked again");
    }
    start_goes_on_without_a_worker_that_is_refused {
        who_arrives_does_not_look: skipped("protocol/idle.rs", "join_sleepers", "self.look") => Says("woken");
        the_refused_is_waited_for: skipped("protocol/idle.rs", "note_refused", "fetch_sub") => Says("no other");
    }
}

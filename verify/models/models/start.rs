//! The start of a pool's workers: a worker that has not started is a sleeper, and to rouse it is to start it.
//!
//! What is done here mirrors `Core::rouse` and `worker::main`.

use loom::sync::{Arc, Mutex};
use loom::thread::{self, JoinHandle};

use super::idle::{Pool, REFUSED, SLEEPER};
use super::{spawn_with, twins, within_bounds};
use crate::platform::planted;
use crate::platform::sync::atomic::Ordering;
use crate::protocol::idle::Field;

/// A pool of one worker that nobody has used.
struct Core {
    pool: Arc<Pool>,
    /// The worker's thread, once it has started.
    worker: Mutex<Option<JoinHandle<()>>>,
    /// What the worker does.
    main: fn(&Pool),
}

impl Field for Core {
    #[track_caller]
    fn has_visible_work(&self) -> bool {
        !planted::skips() && self.pool.visible.load(Ordering::Relaxed) > 0
    }

    #[track_caller]
    fn arm_all(&self) {
        if !planted::skips() {
            self.pool.asked.store(true, Ordering::Relaxed);
        }
    }

    fn rouse(&self, worker: usize) -> bool {
        let mut thread = self.worker.lock().unwrap();
        if worker == REFUSED || thread.is_some() {
            return self.pool.rouse(worker);
        }
        let (pool, main) = (Arc::clone(&self.pool), self.main);
        *thread = Some(thread::spawn(move || main(&pool)));
        true
    }

    fn start_spare(&self) -> bool {
        false
    }
}

impl Core {
    /// A pool of a worker that may start, and then of workers that are refused.
    fn new(refused: usize, main: fn(&Pool)) -> Arc<Self> {
        let pool = Pool::new(3);
        pool.idle.enlist(SLEEPER);
        // The last that joins the sleepers is roused first.
        (0..refused).for_each(|_| pool.idle.enlist(REFUSED));
        Arc::new(Self {
            pool,
            worker: Mutex::new(None),
            main,
        })
    }

    /// What a caller does that has one child, and waits for it in a way of its own.
    fn call(&self) {
        self.pool.idle.take_place_anyway();
        self.pool.visible.fetch_add(1, Ordering::Release);
        self.pool.idle.wake_one(self);
    }

    /// Two threads use the pool first, at once.
    fn is_called_twice(core: &Arc<Self>) {
        let other = {
            let core = Arc::clone(core);
            thread::spawn(move || core.call())
        };
        core.call();
        other.join().unwrap();
        let worker = core.worker.lock().unwrap().take();
        worker.expect("has started").join().unwrap();
    }
}

/// What a worker does that runs the children of both callers.
fn run_both(pool: &Pool) {
    pool.work_once();
    pool.idle.search();
    pool.work_once();
}

/// The worker runs both children, and is started once.
#[test]
fn start_is_one_for_all_who_come_first() {
    within_bounds(|| {
        Core::is_called_twice(&Core::new(0, run_both));
    });
}

/// The worker has a start hook, so it stands aside before. Nobody counts on it, and it looks afterwards.
#[test]
fn start_waits_for_no_hook() {
    within_bounds(|| {
        let main = |pool: &Pool| {
            pool.idle.stand_aside(pool);
            pool.is_asleep.store(true, Ordering::Relaxed);
            pool.idle.join_sleepers(SLEEPER, pool);
            pool.sleep();
            run_both(pool);
        };
        Core::is_called_twice(&Core::new(0, main));
    });
}

/// A worker that is refused is waited for by nobody: another worker takes what was shown to it.
#[test]
fn start_goes_on_without_a_worker_that_is_refused() {
    within_bounds(|| {
        Core::is_called_twice(&Core::new(1, run_both));
    });
}

/// All workers are refused: the wakers keep neither a place nor a mark.
#[test]
fn start_that_is_refused_leaves_nothing_behind() {
    within_bounds(|| {
        let pool = Pool::new(4);
        pool.idle.enlist(REFUSED);
        pool.idle.enlist(REFUSED);
        pool.idle.take_place_anyway();
        pool.idle.take_place_anyway();
        let other = spawn_with(&pool, |pool| pool.expose());
        pool.expose();
        other.join().unwrap();
        let [computing, searching, asleep, ..] = pool.idle.snapshot();
        assert_eq!([computing, searching, asleep], [2, 0, 0], "given back");
    });
}

twins! {
    start_is_one_for_all_who_come_first {
        the_worker_does_not_look_again: skipped("protocol/idle.rs", "announce", "self.look") => Deadlock;
        who_shows_has_no_fence: acqrel("protocol/idle.rs", "wake_one", "fence") => Deadlock;
    }
    start_waits_for_no_hook {
        the_worker_does_not_look: skipped("protocol/idle.rs", "join_sleepers", "self.look") => Deadlock;
    }
    start_goes_on_without_a_worker_that_is_refused {
        the_worker_does_not_look_again: skipped("protocol/idle.rs", "announce", "self.look") => Deadlock;
    }
    start_that_is_refused_leaves_nothing_behind {
        a_mark: skipped("protocol/idle.rs", "wake_one", "searching.fetch_sub") => Says("given back");
    }
}

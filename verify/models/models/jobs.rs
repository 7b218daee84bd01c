//! Jobs: none is lost, whoever runs it, and each is run once.
//!
//! The queue and what the threads do with it are the real ones. What the worker does mirrors `worker::work`.

use loom::sync::Arc;
use loom::thread;

use super::runs::{Pool, Thread};
use super::{exhaustively, spawn_with, twins, within_bounds};
use crate::engine::core::Core;
use crate::engine::jobs::Job;
use crate::platform::planted;
use crate::platform::sync::atomic::Ordering;

const WORKER: usize = 0;

/// How often a job has run. It is no step of a model.
#[derive(Clone, Default)]
struct Runs(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Runs {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Submits a job that counts here.
    fn submit(&self, core: &Core) {
        let job: std::sync::Arc<dyn Job> = std::sync::Arc::new(self.clone());
        let job = Arc::from_std(job);
        core.submit(&job);
        if planted::step("a job is submitted twice") {
            core.submit(&job);
        }
    }

    fn assert_one(&self) {
        assert!(self.get() > 0, "every job has run");
        assert!(self.get() < 2, "and no more than once");
    }
}

impl Job for Runs {
    fn run(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// As `worker::work`, of a worker that searches, until the pool is over.
fn work(worker: &Thread) {
    let core = &*worker.core;
    loop {
        run_jobs(worker);
        if core.is_shut_down() {
            break;
        }
        worker.announce();
        if core.is_shut_down() {
            core.idle.rouse_all(core);
        }
        worker.sleep();
    }
    core.idle.found(core);
    core.idle.vacate(core);
}

/// Runs all jobs that are there, and then searches.
fn run_jobs(worker: &Thread) {
    while let Some(job) = worker.take_job() {
        worker.core.idle.found_job(&*worker.core);
        worker.run_job(&*job);
        worker.core.idle.search();
    }
}

/// A pool of one worker, which searches.
fn searched() -> std::sync::Arc<Pool> {
    let pool = Pool::with_jobs(1);
    pool.idle.search();
    pool
}

/// The only worker falls asleep while a job is submitted.
#[test]
fn jobs_wake_or_are_seen() {
    exhaustively(|| {
        let pool = searched();
        let runs = Runs::default();
        let worker = {
            let (worker, runs) = (pool.seat(WORKER), runs.clone());
            thread::spawn(move || {
                while runs.get() == 0 {
                    run_jobs(&worker);
                    if runs.get() == 0 {
                        worker.announce();
                        worker.sleep();
                    }
                }
            })
        };
        runs.submit(&pool);
        worker.join().unwrap();
        runs.assert_one();
    });
}

/// A job is submitted while the pool ends, and the worker searches, sleeps or ends.
#[test]
fn jobs_at_the_end_are_run_once() {
    within_bounds(|| {
        let pool = searched();
        let runs = Runs::default();
        let worker = pool.seat(WORKER);
        pool.add(thread::spawn(move || work(&worker)));
        let submitter = {
            let (pool, runs) = (std::sync::Arc::clone(&pool), runs.clone());
            thread::spawn(move || runs.submit(&pool))
        };
        pool.shut_down();
        submitter.join().unwrap();
        runs.assert_one();
    });
}

/// The worker has other things to do, and ends without a look at the queue, and so does a thread that is part of a job.
#[test]
fn jobs_at_the_end_are_run_by_a_thread_inside() {
    exhaustively(|| {
        let pool = Pool::within_jobs(1);
        let runs = Runs::default();
        let submitter = {
            let (pool, runs) = (std::sync::Arc::clone(&pool), runs.clone());
            thread::spawn(move || runs.submit(&pool))
        };
        pool.shut_down_inside(&pool.seat(WORKER));
        submitter.join().unwrap();
        runs.assert_one();
    });
}

/// A job that submits another one.
struct Chain {
    pool: std::sync::Weak<Pool>,
    next: Runs,
    is_running: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

/// The second job of a chain.
struct Next {
    runs: Runs,
    is_first_running: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Job for Chain {
    fn run(&self) {
        let pool = self.pool.upgrade().expect("it waits for this job");
        self.is_running.store(true, Ordering::Relaxed);
        let next: std::sync::Arc<dyn Job> = std::sync::Arc::new(Next {
            runs: self.next.clone(),
            is_first_running: std::sync::Arc::clone(&self.is_running),
        });
        pool.submit(&Arc::from_std(next));
        self.is_running.store(false, Ordering::Relaxed);
    }
}

impl Job for Next {
    fn run(&self) {
        assert!(
            !self.is_first_running.load(Ordering::Relaxed),
            "on a stack of its own"
        );
        self.runs.run();
    }
}

/// The pool ends while a job submits another one, which does not run on the stack of the first one.
#[test]
fn jobs_at_the_end_come_to_their_end_in_a_chain() {
    within_bounds(|| {
        let pool = Pool::within_jobs(1);
        pool.idle.search();
        let runs = Runs::default();
        let worker = pool.seat(WORKER);
        pool.add(thread::spawn(move || work(&worker)));
        let chain: std::sync::Arc<dyn Job> = std::sync::Arc::new(Chain {
            pool: std::sync::Arc::downgrade(&pool),
            next: runs.clone(),
            is_running: std::sync::Arc::default(),
        });
        pool.submit(&Arc::from_std(chain));
        pool.shut_down();
        runs.assert_one();
    });
}

/// A pool whose only worker is refused, with a place left for it.
fn refused() -> Arc<Core> {
    let core = Core::new(1, Vec::new(), 0).with_jobs();
    core.idle.enlist(WORKER);
    Arc::new(core)
}

/// When all threads are done.
fn assert_idle(core: &Core) {
    let [computing, searching, asleep, ..] = core.idle.snapshot();
    assert_eq!([computing, searching, asleep], [0; 3], "given back");
}

/// Two threads submit a job each, and one of them learns first that the worker is refused.
#[test]
fn jobs_without_workers_are_run_by_those_who_submit() {
    within_bounds(|| {
        let core = refused();
        let both = [Runs::default(), Runs::default()];
        let other = {
            let runs = both[1].clone();
            spawn_with(&core, move |core| runs.submit(core))
        };
        both[0].submit(&core);
        other.join().unwrap();
        both.iter().for_each(Runs::assert_one);
        assert_idle(&core);
    });
}

/// A caller has the only place, and keeps it or gives it back meanwhile.
#[test]
fn jobs_without_workers_are_run_beside_a_caller() {
    within_bounds(|| {
        let core = refused();
        let runs = Runs::default();
        core.idle.take_place_anyway();
        let caller = spawn_with(&core, |core| core.idle.vacate(core));
        runs.submit(&core);
        runs.assert_one();
        caller.join().unwrap();
        assert_idle(&core);
    });
}

/// The pool ends while a job is submitted, and a caller has the only place.
#[test]
fn jobs_without_workers_are_run_at_the_end() {
    within_bounds(|| {
        let core = refused();
        let runs = Runs::default();
        core.idle.take_place_anyway();
        let submitter = {
            let runs = runs.clone();
            spawn_with(&core, move |core| runs.submit(core))
        };
        core.shut_down();
        submitter.join().unwrap();
        runs.assert_one();
        core.idle.vacate(&*core);
        assert_idle(&core);
    });
}

/// A caller has the only place, so that the worker is started without one to be had, and sleeps until the caller leaves.
#[test]
fn jobs_start_a_worker_beside_a_caller() {
    within_bounds(|| {
        let pool = Pool::with_jobs_and_a_caller();
        let runs = Runs::default();
        let worker = {
            let (worker, runs) = (pool.seat(WORKER), runs.clone());
            thread::spawn(move || {
                worker.sleep();
                loop {
                    // As `worker::search`.
                    if !worker.core.idle.is_crowded() {
                        run_jobs(&worker);
                    }
                    if runs.get() > 0 {
                        break;
                    }
                    worker.announce();
                    worker.sleep();
                }
                worker.core.idle.found(&*worker.core);
                worker.core.idle.vacate(&*worker.core);
            })
        };
        let caller = {
            let pool = std::sync::Arc::clone(&pool);
            thread::spawn(move || pool.idle.vacate(&**pool))
        };
        runs.submit(&pool);
        caller.join().unwrap();
        worker.join().unwrap();
        runs.assert_one();
        assert_idle(&pool);
    });
}

twins! {
    jobs_wake_or_are_seen {
        the_worker_does_not_look: skipped("protocol/idle.rs", "announce", "self.look") => Deadlock;
        who_submits_has_no_fence: acqrel("protocol/idle.rs", "wake_one", "fence") => Deadlock;
        their_number_is_not_raised: skipped("engine/jobs.rs", "push", "len.store") => Deadlock;
    }
    jobs_at_the_end_are_run_once {
        the_end_does_not_wait: step("the end does not wait for jobs") => Says("every job has run");
        it_is_submitted_twice: step("a job is submitted twice") => Says("and no more than once");
    }
    jobs_at_the_end_are_run_by_a_thread_inside {
        what_is_left_is_not_run: step("what is left at the end is not run") => Says("every job has run");
    }
    jobs_at_the_end_come_to_their_end_in_a_chain {
        the_queue_takes_none_of_jobs: step("the queue takes no jobs of jobs at the end") => Says("on a stack of its own");
    }
    jobs_without_workers_are_run_by_those_who_submit {
        who_submits_does_not_look: skipped("engine/submitting.rs", "submit", "has_workers") => Says("every job has run");
        who_submits_does_not_wait: skipped("engine/submitting.rs", "have_worker", "workers_started")
            => Says("every job has run");
        a_mark_is_kept: skipped("protocol/idle.rs", "rouse_one_anyway", "searching.fetch_sub") => Says("given back");
    }
    jobs_without_workers_are_run_beside_a_caller {
        who_submits_does_not_look: skipped("engine/submitting.rs", "submit", "has_workers") => Says("every job has run");
        who_submits_starts_none: skipped("engine/submitting.rs", "have_worker", "workers_started")
            => Says("every job has run");
        a_mark_is_kept: skipped("protocol/idle.rs", "rouse_one_anyway", "searching.fetch_sub") => Says("given back");
    }
    jobs_without_workers_are_run_at_the_end {
        who_submits_does_not_look: skipped("engine/submitting.rs", "submit", "has_workers") => Deadlock;
    }
    jobs_start_a_worker_beside_a_caller {
        who_leaves_does_not_look: skipped("protocol/idle.rs", "hand_over", "self.look") => Deadlock;
        a_mark_is_kept: skipped("protocol/idle.rs", "leave_search", "searching.fetch_sub") => Says("given back");
    }
}

//! Jobs: nothing is kept for those that have ended, or that were given up.

use std::sync::atomic::Ordering;
use std::task::Waker;

use super::{ALONE, IN_USE, SLACK};
use crate::common::jobs::{Busy, block_on, lone, poll_once};
use crate::common::{on_every_pool, on_pool};
use hatchery::{Gate, Options};

const JOBS: usize = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};
/// How many are outstanding at a time.
const MANY: usize = 1000;
/// A word for each job would be more.
const MOST: usize = SLACK / 4;

/// Does one round after the other, of so many jobs each, and returns how many bytes more are in use at the end.
fn grown(jobs: usize, mut round: impl FnMut()) -> usize {
    let mut first = 0;
    for number in 0..jobs / MANY {
        round();
        if number == 5 {
            first = IN_USE.load(Ordering::Relaxed);
        }
    }
    IN_USE.load(Ordering::Relaxed).saturating_sub(first)
}

#[test]
fn s8_jobs_that_have_ended_leave_nothing_behind() {
    let _alone = ALONE.lock();
    on_every_pool(|pool| {
        let grown = grown(JOBS / 4, || {
            let jobs: Vec<_> = (0..MANY).map(|i| pool.submit(move || [i; 16])).collect();
            for (i, job) in jobs.into_iter().enumerate() {
                match i % 4 {
                    0 => assert_eq!(job.join(), [i; 16]),
                    1 => assert_eq!(block_on(job), [i; 16]),
                    2 => drop(job),
                    _ => job.detach(),
                }
            }
            pool.install(|| ());
        });
        assert!(grown < MOST, "{grown} bytes more");
    });
}

/// They stay in the queue until they are swept out.
#[test]
fn s8_jobs_that_are_dropped_unrun_or_joined_leave_nothing_behind_a_busy_worker() {
    let _alone = ALONE.lock();
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        let dropped_at_once = grown(JOBS, || {
            (0..MANY).for_each(|i| drop(pool.submit(move || [i; 16])));
        });
        let dropped_later = grown(JOBS, || {
            let submit = |i| {
                let mut job = pool.submit(move || [i; 16]);
                assert!(poll_once(&mut job, Waker::noop()).is_pending());
                job
            };
            drop((0..MANY).map(submit).collect::<Vec<_>>());
        });
        let joined = grown(JOBS, || {
            (0..MANY).for_each(|i| assert_eq!(pool.submit(move || [i; 16]).join(), [i; 16]));
        });
        let waiting = pool.dump().jobs_waiting;
        busy.end();
        let grown = [dropped_at_once, dropped_later, joined];
        assert!(
            grown.iter().all(|&grown| grown < MOST),
            "{grown:?} bytes more"
        );
        assert!(waiting < MANY, "{waiting}");
    });
}

#[test]
fn s8_callers_that_have_left_a_gate_leave_nothing_behind() {
    let _alone = ALONE.lock();
    on_pool(lone(), |pool| {
        let (gate, options) = (Gate::new(1), Options::new().pool(pool));
        let grown = grown(JOBS, || {
            let inside = block_on(gate.enter()).unwrap();
            let enter = || {
                let mut entry = Box::pin(gate.submit_with(&options, || ()));
                assert!(poll_once(&mut entry, Waker::noop()).is_pending());
                entry
            };
            let line: Vec<_> = (0..MANY).map(|_| enter()).collect();
            drop(inside);
            drop(line);
            assert_eq!((gate.inside(), gate.waiting()), (0, 0));
            block_on(gate.submit_with(&options, || ())).unwrap().join();
        });
        assert!(grown < MOST, "{grown} bytes more");
    });
}

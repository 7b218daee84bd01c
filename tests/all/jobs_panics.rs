//! Panics in jobs, in what they leave, and in wakers: each arrives once, and nothing is lost with it.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::thread;

use crate::common::jobs::{
    Bell, Busy, block_on, gates, lone, on_workers, poll_once, until_finished,
};
use crate::common::{Ledger, Number, number_of, on_every_pool, on_pool, outcome, raise};
use crate::grenades::Grenade;
use hatchery::{FailureKind, Failures, Pool, Submitted, checkpoint};

/// Waits for a job, in some way.
type Wait = fn(Submitted<()>);

const WAITS: [Wait; 3] = [
    Submitted::join,
    |job| block_on(job),
    |job| {
        until_finished(&job);
        job.join();
    },
];

fn ledger() -> &'static Ledger {
    Box::leak(Box::default())
}

/// The pool computes as before.
fn is_whole(pool: &Pool) {
    assert_eq!(block_on(pool.submit(|| hatchery::join(|| 1, || 2))), (1, 2));
    let sum = pool.nursery(|n| n.spawn_each(0..100_u64, |i| i).sum::<u64>());
    assert_eq!(sum, 4950);
}

#[test]
fn j3_a_panic_of_a_job_goes_on_where_the_job_is_awaited() {
    let jobs: [fn(); 4] = [
        || raise(1),
        || hatchery::nursery(|n| drop(n.spawn(|| raise(1)))),
        || {
            hatchery::nursery(|n| {
                n.spawn(|| hatchery::nursery(|n| n.spawn(|| raise(1)).join()));
            });
        },
        || hatchery::join(|| raise(1), || ()).1,
    ];
    on_every_pool(|pool| {
        for job in jobs {
            for wait in WAITS {
                assert_eq!(number_of(|| wait(pool.submit(job))), 1);
            }
            assert_eq!(number_of(|| pool.install(job)), 1);
            // And if nobody awaits it, nothing happens.
            pool.submit(job).detach();
            drop(pool.submit(job));
            let over = pool.submit(job);
            until_finished(&over);
            drop(over);
        }
        is_whole(pool);
    });
}

fn panic_of(result: Result<(), Failures<()>>) -> Number {
    match result.unwrap_err().into_cause().into_kind() {
        FailureKind::Panic(panic) => *panic.into_payload().downcast().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn j3_a_panic_in_a_partial_nursery_comes_with_its_result() {
    on_every_pool(|pool| {
        let job = pool.try_submit::<_, (), ()>(|n| {
            n.spawn(|| -> Result<(), ()> { raise(3) });
            Ok(())
        });
        assert_eq!(panic_of(block_on(job)), Number(3));
        let job = pool.try_submit::<_, (), ()>(|_| raise(4));
        assert_eq!(panic_of(job.join()), Number(4));
        is_whole(pool);
    });
}

#[test]
fn j3_a_job_that_was_ready_panics_if_it_is_polled_again() {
    on_every_pool(|pool| {
        let (_, waker) = Bell::with_waker();
        let mut job = pool.submit(|| 7);
        until_finished(&job);
        assert!(poll_once(&mut job, &waker).is_ready());
        for _ in 0..2 {
            let text = outcome(|| poll_once(&mut job, &waker)).unwrap_err();
            assert!(text.contains("polled after it was ready"), "{text}");
        }
        assert!(job.is_finished());
        job.cancel();
        // Also if what it was ready with was a panic.
        let mut job = pool.submit(|| raise(1));
        until_finished(&job);
        assert_eq!(number_of(|| poll_once(&mut job, &waker)), 1);
        outcome(|| poll_once(&mut job, &waker)).unwrap_err();
        is_whole(pool);
    });
}

#[test]
fn e8_the_destructor_of_a_capture_may_panic_whatever_becomes_of_the_job() {
    let ledger = ledger();
    // It has run: then it is a panic of the job.
    on_every_pool(|pool| {
        let bomb = ledger.bomb();
        let job = pool.submit(move || drop(bomb));
        assert_eq!(outcome(|| job.join()).unwrap_err(), "bomb");
        let bomb = ledger.bomb();
        pool.submit(move || drop(bomb)).detach();
        is_whole(pool);
    });
    // It was dropped unrun.
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        for _ in 0..100 {
            let (bomb, other) = (ledger.bomb(), ledger.entry::<8>());
            drop(pool.submit(move || drop((bomb, other))));
        }
        busy.end();
        is_whole(pool);
    });
    ledger.is_balanced(ledger.made.load(Ordering::Relaxed));
}

#[test]
fn e8_the_destructor_of_a_value_that_nobody_wants_may_panic() {
    let ledger = ledger();
    on_every_pool(|pool| {
        // It has ended.
        for gives_up in [drop::<Submitted<_>>, Submitted::detach] {
            let job = pool.submit(|| ledger.bomb());
            until_finished(&job);
            gives_up(job);
        }
        // While the thread unwinds, too.
        let job = pool.submit(|| ledger.bomb());
        until_finished(&job);
        assert_eq!(
            number_of(|| {
                let _job = job;
                raise(1)
            }),
            1
        );
        is_whole(pool);
    });
    on_workers(|pool| {
        for gives_up in [drop::<Submitted<_>>, Submitted::detach] {
            let [begun, goes_on] = gates();
            let (begins, waits) = (begun.clone(), goes_on.clone());
            let job = pool.submit(move || {
                begins.open();
                waits.wait();
                ledger.bomb()
            });
            begun.wait();
            gives_up(job);
            goes_on.open();
            // It waits for nobody.
            pool.submit(|| ledger.bomb()).detach();
        }
        is_whole(pool);
    });
    ledger.is_balanced(ledger.made.load(Ordering::Relaxed));
}

#[test]
fn e8_the_payload_of_a_panic_that_nobody_wants_may_panic_as_it_is_dropped() {
    let ledger = ledger();
    on_every_pool(|pool| {
        let panics = || -> () { resume_unwind(Box::new(ledger.bomb())) };
        pool.submit(panics).detach();
        for gives_up in [drop::<Submitted<()>>, Submitted::detach] {
            let job = pool.submit(panics);
            until_finished(&job);
            gives_up(job);
        }
        until_finished(&pool.submit(|| ()));
        is_whole(pool);
    });
    ledger.is_balanced(ledger.made.load(Ordering::Relaxed));
}

#[test]
fn j3_a_waker_that_panics_as_it_is_cloned_loses_nothing() {
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        let mut job = pool.submit(|| 7);
        let grenade = Grenade::new();
        let waker = grenade.waker();
        grenade.on_clone(true);
        assert_eq!(number_of(|| poll_once(&mut job, &waker)), Grenade::CLONED);
        grenade.on_clone(false);
        // It was not left behind, and another one is.
        assert_eq!(grenade.alive(), 1);
        assert!(poll_once(&mut job, &waker).is_pending());
        assert_eq!(grenade.alive(), 2);
        busy.end();
        grenade.wait();
        assert_eq!(job.join(), 7);
        drop(waker);
        assert_eq!(grenade.alive(), 0);
    });
}

#[test]
fn j3_a_waker_that_panics_as_it_is_woken_costs_no_worker_and_no_value() {
    on_workers(|pool| {
        for _ in 0..20 {
            let [begun, goes_on] = gates();
            let (begins, waits) = (begun.clone(), goes_on.clone());
            let mut job = pool.submit(move || {
                begins.open();
                waits.wait();
                7
            });
            begun.wait();
            let grenade = Grenade::new();
            grenade.on_wake(true);
            assert!(poll_once(&mut job, &grenade.waker()).is_pending());
            goes_on.open();
            grenade.wait();
            assert_eq!(job.join(), 7);
        }
        is_whole(pool);
        assert!(pool.stats().workers <= pool.threads());
    });
}

#[test]
fn j2_j3_a_waker_that_panics_as_it_is_dropped_keeps_no_job_from_being_cancelled() {
    on_workers(|pool| {
        let [begun] = gates();
        let (tell, told) = channel();
        let begins = Arc::clone(&begun);
        let mut job = pool.submit(move || {
            begins.open();
            while checkpoint().is_ok() {
                thread::yield_now();
            }
            tell.send(()).unwrap();
        });
        begun.wait();
        let grenade = Grenade::new();
        assert!(poll_once(&mut job, &grenade.waker()).is_pending());
        grenade.on_drop(true);
        drop(job);
        told.recv().unwrap();
        assert_eq!(grenade.alive(), 0);
        is_whole(pool);
    });
}

#[test]
fn j2_e8_a_waker_and_a_capture_may_both_panic_as_a_job_is_given_up() {
    let ledger = ledger();
    on_pool(lone(), |pool| {
        for gives_up in [drop::<Submitted<_>>, Submitted::detach] {
            let busy = Busy::on(pool);
            let bomb = ledger.bomb();
            let mut job = pool.submit(move || drop(bomb));
            let grenade = Grenade::new();
            assert!(poll_once(&mut job, &grenade.waker()).is_pending());
            grenade.on_drop(true);
            gives_up(job);
            assert_eq!(grenade.alive(), 0);
            busy.end();
            is_whole(pool);
        }
    });
    ledger.is_balanced(ledger.made.load(Ordering::Relaxed));
}

/// The new waker is there when the old one panics.
#[test]
fn j3_a_waker_that_panics_as_another_takes_its_place_loses_nothing() {
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        let mut job = pool.submit(|| 7);
        let grenade = Grenade::new();
        assert!(poll_once(&mut job, &grenade.waker()).is_pending());
        grenade.on_drop(true);
        let (bell, waker) = Bell::with_waker();
        drop(outcome(|| {
            assert!(poll_once(&mut job, &waker).is_pending())
        }));
        assert_eq!(grenade.alive(), 0);
        busy.end();
        bell.wait();
        assert_eq!(job.join(), 7);
    });
}

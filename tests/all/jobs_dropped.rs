//! Jobs that are given up, cancelled or let go, whatever they do just then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::Poll;
use std::thread;

use crate::common::jobs::{Bell, Busy, Seen, gates, lone, on_workers, poll_once, until_finished};
use crate::common::{Ledger, REFUSED_STACK, on_every_pool, on_pool, watched};
use hatchery::{CancelReason, Pool, Submitted, checkpoint};

/// How often a job is polled in vain before something happens to it.
const POLLS: [usize; 3] = [0, 1, 3];

fn poll_in_vain<T>(job: &mut Submitted<T>, polls: usize) -> Arc<Bell> {
    let (bell, waker) = Bell::with_waker();
    for _ in 0..polls {
        assert!(poll_once(job, &waker).is_pending());
    }
    bell
}

fn until_told() -> CancelReason {
    loop {
        match checkpoint() {
            Ok(()) => thread::yield_now(),
            Err(told) => return told.reason(),
        }
    }
}

#[test]
fn j1_j2_a_job_that_has_not_begun_is_dropped_unrun_and_at_once_by_whoever_drops_it() {
    for polls in POLLS {
        on_pool(lone(), |pool| {
            let busy = Busy::on(pool);
            let (seen, was_run) = (Seen::default(), Arc::new(AtomicBool::new(false)));
            let (witness, runs) = (seen.witness(), Arc::clone(&was_run));
            let mut job = pool.submit(move || {
                runs.store(true, Ordering::Relaxed);
                drop(witness);
            });
            let bell = poll_in_vain(&mut job, polls);
            drop(job);
            assert_eq!(seen.by(), [thread::current().id()]);
            // Nobody keeps the waker.
            assert_eq!(Arc::strong_count(&bell), 1);
            busy.end();
            // Behind it in the queue.
            until_finished(&pool.submit(|| ()));
            assert!(!was_run.load(Ordering::Relaxed));
            assert_eq!(bell.rung(), 0);
        });
    }
}

#[test]
fn j2_a_running_job_is_told_and_whoever_drops_it_does_not_wait() {
    for polls in POLLS {
        on_workers(|pool| {
            let seen = Seen::default();
            let [begun, dropped] = gates();
            let (tell, told) = channel();
            let mut job = pool.submit({
                let (seen, begun, dropped) = (seen.clone(), begun.clone(), dropped.clone());
                move || {
                    begun.open();
                    dropped.wait();
                    tell.send(until_told()).unwrap();
                    seen.witness()
                }
            });
            begun.wait();
            let bell = poll_in_vain(&mut job, polls);
            drop(job);
            dropped.open();
            assert_eq!(told.recv(), Ok(CancelReason::Token));
            // The value that nobody wants.
            assert_ne!(seen.one(), thread::current().id());
            assert_eq!((bell.rung(), Arc::strong_count(&bell)), (0, 1));
        });
    }
}

#[test]
fn j2_the_value_of_a_job_that_is_over_is_dropped_by_whoever_drops_the_job() {
    for polls in POLLS {
        on_pool(lone(), |pool| {
            let seen = Seen::default();
            let values = seen.clone();
            let busy = Busy::on(pool);
            let mut job = pool.submit(move || values.witness());
            let bell = poll_in_vain(&mut job, polls);
            busy.end();
            until_finished(&job);
            assert_eq!(seen.by(), []);
            drop(job);
            assert_eq!(seen.by(), [thread::current().id()]);
            // Whoever has ended it may just be ringing.
            while Arc::strong_count(&bell) > 1 {
                thread::yield_now();
            }
            assert_eq!(bell.rung(), usize::from(polls > 0));
        });
    }
}

#[test]
fn j2_the_nurseries_in_a_job_that_is_dropped_are_cancelled_at_every_depth() {
    fn dig(depth: usize, at_the_bottom: &crate::common::Gate, told: &AtomicUsize) {
        let deeper = || dig(depth - 1, at_the_bottom, told);
        match depth {
            0 => at_the_bottom.open(),
            _ => match depth % 4 {
                0 => hatchery::nursery(|n| n.spawn(deeper).join()),
                1 => hatchery::join(deeper, || ()).0,
                2 => hatchery::nursery(|n| n.spawn_blocking(deeper).join()),
                _ => {
                    let result = hatchery::try_nursery::<(), _, _>(|n| {
                        deeper();
                        n.checkpoint()
                    });
                    assert!(result.unwrap_err().cancelled().is_some());
                }
            },
        }
        until_told();
        told.fetch_add(1, Ordering::Relaxed);
    }
    on_workers(|pool| {
        let [at_the_bottom] = gates();
        let told = Arc::new(AtomicUsize::new(0));
        let (tell, ended) = channel();
        let job = pool.submit({
            let (at_the_bottom, told) = (Arc::clone(&at_the_bottom), Arc::clone(&told));
            move || {
                dig(12, &at_the_bottom, &told);
                tell.send(()).unwrap();
            }
        });
        at_the_bottom.wait();
        drop(job);
        ended.recv().unwrap();
        assert_eq!(told.load(Ordering::Relaxed), 13);
    });
}

/// An errand of three jobs, one after the other, that leaves entries of the ledger everywhere.
async fn errand(pool: Arc<Pool>, ledger: &'static Ledger) -> usize {
    let mut sum = 0;
    for i in 0..3_usize {
        let kept = ledger.entry::<8>();
        let captured = ledger.entry::<8>();
        let job = pool.submit(move || {
            let (_captured, child) = (captured, ledger.entry::<8>());
            let value = hatchery::nursery(|n| n.spawn(move || (child, i)).join().1);
            (ledger.entry::<8>(), value)
        });
        let (_value, i) = job.await;
        sum += i;
        drop(kept);
    }
    sum
}

#[test]
fn j2_a_future_may_be_dropped_at_each_of_its_awaits() {
    for threads in [0, 1, 2] {
        for polls in 0..5 {
            for waits in [false, true] {
                let ledger: &'static Ledger = Box::leak(Box::default());
                let builder = Pool::builder().threads(threads.max(1));
                let builder = match threads {
                    0 => builder.stack_size(REFUSED_STACK),
                    _ => builder,
                };
                let pool = Arc::new(builder.build().unwrap());
                watched(Pool::shared(), || {
                    let mut errand = Box::pin(errand(Arc::clone(&pool), ledger));
                    for _ in 0..polls {
                        let (bell, waker) = Bell::with_waker();
                        if let Poll::Ready(sum) = poll_once(&mut errand, &waker) {
                            assert_eq!(sum, 3);
                            break;
                        }
                        if waits {
                            bell.wait();
                        }
                    }
                    drop(errand);
                    // Waits for what still runs.
                    drop(pool);
                });
                let made = ledger.made.load(Ordering::Relaxed);
                assert!(made > 0 || polls == 0);
                ledger.is_balanced(made);
            }
        }
    }
}

#[test]
fn j1_a_job_that_was_let_go_before_it_began_runs_and_its_value_is_dropped() {
    for polls in POLLS {
        on_pool(lone(), |pool| {
            let busy = Busy::on(pool);
            let seen = Seen::default();
            let values = seen.clone();
            let mut job = pool.submit(move || (checkpoint().unwrap(), values.witness()));
            let bell = poll_in_vain(&mut job, polls);
            job.detach();
            assert_eq!(Arc::strong_count(&bell), 1);
            assert_eq!(seen.by(), []);
            busy.end();
            assert_ne!(seen.one(), thread::current().id());
        });
    }
}

#[test]
fn j2_a_running_job_that_was_let_go_is_not_cancelled() {
    for polls in POLLS {
        on_workers(|pool| {
            let seen = Seen::default();
            let values = seen.clone();
            let [begun, goes_on] = gates();
            let (tell, told) = channel();
            let mut job = pool.submit({
                let (begun, goes_on) = (begun.clone(), goes_on.clone());
                move || {
                    begun.open();
                    goes_on.wait();
                    tell.send(checkpoint().is_err()).unwrap();
                    values.witness()
                }
            });
            begun.wait();
            let bell = poll_in_vain(&mut job, polls);
            job.detach();
            goes_on.open();
            assert_eq!(told.recv(), Ok(false));
            assert_ne!(seen.one(), thread::current().id());
            assert_eq!((bell.rung(), Arc::strong_count(&bell)), (0, 1));
        });
    }
}

#[test]
fn j2_the_value_of_a_job_that_is_over_is_dropped_by_whoever_lets_it_go() {
    on_every_pool(|pool| {
        let seen = Seen::default();
        let values = seen.clone();
        let job = pool.submit(move || values.witness());
        until_finished(&job);
        job.detach();
        assert_eq!(seen.by(), [thread::current().id()]);
    });
}

#[test]
fn x2_a_job_that_was_cancelled_before_it_began_comes_to_its_value_and_is_told() {
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        let total = pool.submit(|| {
            let child = hatchery::nursery(|n| n.spawn(checkpoint).join());
            (checkpoint().unwrap_err().reason(), child.is_err())
        });
        let (tell, told) = channel();
        let partial = pool.try_submit::<_, (), &str>(move |n| {
            tell.send(n.is_cancelled()).unwrap();
            n.spawn(|| panic!("a child of a cancelled nursery")).join()
        });
        total.cancel();
        partial.cancel();
        // Again, and nothing happens.
        total.cancel();
        busy.end();
        until_finished(&total);
        until_finished(&partial);
        assert_eq!(total.join(), (CancelReason::Token, true));
        assert!(partial.join().unwrap_err().cancelled().is_some());
        assert_eq!(told.recv(), Ok(true));
    });
}

#[test]
fn x1_a_running_job_may_be_cancelled_and_is_awaited_all_the_same() {
    on_workers(|pool| {
        let [begun] = gates();
        let begins = Arc::clone(&begun);
        let mut job = pool.submit(move || {
            begins.open();
            until_told()
        });
        begun.wait();
        let bell = poll_in_vain(&mut job, 1);
        job.cancel();
        bell.wait();
        assert_eq!(job.join(), CancelReason::Token);
    });
    on_every_pool(|pool| {
        let job = pool.submit(|| 7);
        until_finished(&job);
        job.cancel();
        assert_eq!(job.join(), 7);
    });
}

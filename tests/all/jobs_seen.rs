//! Jobs and time, and what a pool tells about its jobs.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::jobs::{Busy, block_on, gates, lone, on_workers, until_finished};
use crate::common::{on_every_pool, on_no_worker, on_pool};
use hatchery::{CancelReason, CancelToken, Gate, Options, checkpoint};

/// Long enough to submit a job, and short enough to spin.
const SOON: Duration = Duration::from_millis(30);
const HOUR: Duration = Duration::from_secs(3600);

/// Spins until the time has passed.
fn until(time: Instant) {
    while Instant::now() <= time {
        thread::yield_now();
    }
}

#[test]
fn x4_the_timeout_of_a_job_counts_from_its_submission() {
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        let options = Options::new().pool(pool);
        let soon = options.clone().timeout(SOON).submit(checkpoint);
        let partial = options.clone().timeout(SOON);
        let partial = partial.try_submit::<_, (), ()>(|n| n.spawn(|| Ok(())).join());
        let later = options.clone().timeout(HOUR).submit(checkpoint);
        let never = options.clone().timeout(Duration::MAX).submit(checkpoint);
        until(Instant::now() + SOON);
        busy.end();
        assert_eq!(soon.join().unwrap_err().reason(), CancelReason::Deadline);
        let cancelled = partial.join().unwrap_err().cancelled().unwrap();
        assert_eq!(cancelled.reason(), CancelReason::Deadline);
        assert_eq!((later.join(), never.join()), (Ok(()), Ok(())));
    });
}

#[test]
fn x4_the_timeout_of_what_is_installed_counts_from_the_call() {
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        thread::scope(|scope| {
            let soon = Options::new().pool(pool).timeout(SOON);
            let caller = scope.spawn(move || soon.install(checkpoint));
            while pool.dump().jobs_waiting == 0 {
                thread::yield_now();
            }
            until(Instant::now() + SOON);
            busy.end();
            let told = caller.join().unwrap().unwrap_err();
            assert_eq!(told.reason(), CancelReason::Deadline);
        });
    });
}

/// A timeout that counts from the moment when a job comes in does not know how long it stood in line.
#[test]
fn x4_the_timeout_of_a_job_behind_a_gate_counts_from_its_entry_and_a_deadline_does_not() {
    on_every_pool(|pool| {
        let gate = Gate::new(1);
        let inside = gate.try_enter().unwrap();
        let options = Options::new().pool(pool);
        let now = Instant::now();
        let timeout = gate.submit_with(&options.clone().timeout(HOUR), checkpoint);
        let deadline = gate.submit_with(&options.clone().deadline(now + SOON), checkpoint);
        until(now + SOON);
        drop(inside);
        assert_eq!(block_on(timeout).unwrap().join(), Ok(()));
        let told = block_on(deadline).unwrap().join();
        assert_eq!(told.unwrap_err().reason(), CancelReason::Deadline);
    });
}

#[test]
fn x7_a_running_job_is_told_of_its_deadline() {
    on_workers(|pool| {
        let job = Options::new().pool(pool).timeout(SOON).submit(|| {
            loop {
                if let Err(told) = checkpoint() {
                    return told.reason();
                }
                thread::yield_now();
            }
        });
        assert_eq!(block_on(job), CancelReason::Deadline);
    });
}

#[test]
fn x1_the_tokens_of_the_options_cancel_a_job_too() {
    on_workers(|pool| {
        let tokens = [(); 2].map(|()| CancelToken::new());
        let options = Options::new().pool(pool);
        let options = options.cancel_on(&tokens[0]).cancel_on(&tokens[1]);
        for token in &tokens {
            let job = options.submit(|| {
                while checkpoint().is_ok() {
                    thread::yield_now();
                }
            });
            token.cancel();
            job.join();
        }
        // It stays cancelled, and others are not.
        assert!(options.submit(checkpoint).join().is_err());
        assert!(pool.submit(checkpoint).join().is_ok());
        // A job that was cancelled by its handle cancels no other.
        let token = CancelToken::new();
        let options = Options::new().pool(pool).cancel_on(&token);
        let job = options.submit(|| ());
        job.cancel();
        assert!(!token.is_cancelled());
        assert!(options.submit(checkpoint).join().is_ok());
    });
}

#[test]
fn the_limit_of_the_options_holds_in_a_job() {
    on_workers(|pool| {
        let job = Options::new().pool(pool).limit(1).submit(|| {
            let inside = std::sync::atomic::AtomicUsize::new(0);
            hatchery::nursery(|n| {
                n.spawn_each(0..50, |_| {
                    use std::sync::atomic::Ordering::SeqCst;
                    assert_eq!(inside.fetch_add(1, SeqCst), 0);
                    inside.fetch_sub(1, SeqCst);
                });
            });
        });
        job.join();
    });
}

#[test]
fn jobs_and_their_names_stand_in_a_dump() {
    on_pool(lone().name("dumped"), |pool| {
        let [begun, goes_on] = gates();
        let (begins, waits) = (Arc::clone(&begun), Arc::clone(&goes_on));
        let running = Options::new().pool(pool).name("import").submit(move || {
            begins.open();
            waits.wait();
        });
        begun.wait();
        let waiting: Vec<_> = (0..3).map(|i| pool.submit(move || i)).collect();
        let dump = pool.dump();
        assert_eq!((dump.jobs_waiting, dump.jobs_running), (3, 1));
        let text = dump.to_string();
        assert!(text.contains("3 jobs waiting, 1 running"), "{text}");
        let text = format!("{pool:?}");
        assert!(text.contains("jobs_waiting: 3, jobs_running: 1"), "{text}");
        goes_on.open();
        running.join();
        assert!(waiting.into_iter().map(hatchery::Submitted::join).eq(0..3));
        // A thread that has just ended a job may not have counted that yet.
        loop {
            let dump = pool.dump();
            if (dump.jobs_waiting, dump.jobs_running) == (0, 0) {
                assert!(!dump.to_string().contains("jobs waiting"));
                break;
            }
        }
    });
}

#[test]
fn the_nursery_of_a_job_stands_in_a_dump_and_has_no_nursery_around() {
    on_workers(|pool| {
        let [begun, goes_on] = gates();
        let (begins, waits) = (Arc::clone(&begun), Arc::clone(&goes_on));
        let dump = pool.nursery(|_| {
            let job = Options::new().name("import").submit(move || {
                begins.open();
                // It answers when it is asked.
                while !waits.is_open() {
                    hatchery::nursery(|n| n.spawn(thread::yield_now).join());
                }
            });
            hatchery::block_in_place(|| begun.wait());
            let found = loop {
                let dump = pool.dump();
                let is_it = |name: &Option<String>| name.as_deref() == Some("import");
                if let Some(nursery) = dump.nurseries.iter().find(|n| is_it(&n.name)) {
                    break (nursery.parent, nursery.depth, dump.jobs_running);
                }
            };
            goes_on.open();
            job.join();
            found
        });
        assert_eq!(dump, (None, 0, 1));
    });
}

#[test]
fn the_jobs_that_workers_have_begun_are_counted() {
    on_workers(|pool| {
        for i in 0..10 {
            until_finished(&pool.submit(move || i));
            pool.install(|| ());
        }
        assert_eq!(pool.stats().jobs, 20);
        let text = pool.stats().to_string();
        assert!(text.contains("20 jobs"), "{text}");
    });
    // Not those that others run.
    on_no_worker(|pool| {
        pool.submit(|| ()).join();
        assert_eq!(pool.stats().jobs, 0);
    });
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        pool.submit(|| ()).join();
        drop(pool.submit(|| ()));
        busy.end();
        pool.install(|| ());
        assert_eq!(pool.stats().jobs, 2);
    });
}

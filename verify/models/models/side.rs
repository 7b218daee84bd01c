//! What may block: somebody comes for all that is queued, or it is starved and a waiter knows.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use super::{exhaustively, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::side::{Side, Taker};

/// A pool with side threads, and the home of all that is queued.
struct Pool {
    side: Side<u32>,
    /// Whether all that is idle has waited for long enough.
    is_late: AtomicBool,
    done: AtomicUsize,
    home: Parker,
}

impl Pool {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            side: Side::new(most),
            is_late: AtomicBool::new(false),
            done: AtomicUsize::new(0),
            home: Parker::new(),
        })
    }

    fn run(&self, _run: u32) {
        self.done.fetch_add(1, Ordering::Release);
        self.home.unpark();
    }

    /// What `side_threads::main` does.
    fn be_side_thread(&self) {
        let wait = |bell: &crate::platform::sync::Condvar, state| {
            let state = bell.wait(state).unwrap();
            // It may have been woken by the time alone, or by both at once.
            (state, self.is_late.load(Ordering::Relaxed))
        };
        while let Some(run) = self.side.next(wait) {
            self.run(run);
            self.side.note_ready();
        }
    }

    /// What `Seat::submit_blocking` does; `start` is whether the system has a thread.
    fn submit(pool: &Arc<Self>, run: u32, start: bool) -> Option<thread::JoinHandle<()>> {
        match pool.side.submit(run) {
            Taker::Ready => None,
            Taker::ToBeStarted(_) if start => {
                let same = Arc::clone(pool);
                Some(thread::spawn(move || same.be_side_thread()))
            }
            Taker::ToBeStarted(_) => {
                pool.side.not_started();
                if !planted::step("does not tell who counted on a thread that is refused") {
                    pool.home.unpark();
                }
                None
            }
            Taker::Nobody => {
                if !planted::step("does not tell of what is starved") {
                    pool.home.unpark();
                }
                None
            }
        }
    }

    /// What a home does: it runs what is starved, and parks for the rest.
    fn wait_for(&self, runs: usize) {
        while self.done.load(Ordering::Acquire) < runs {
            if self.side.is_starved()
                && let Some(run) = self.side.take(|_| true)
            {
                self.run(run);
            } else {
                self.home.park();
            }
        }
    }

    /// Time passes: who waits for the bell has waited for long enough.
    fn let_time_pass(&self) {
        self.is_late.store(true, Ordering::Relaxed);
        self.side.ring_as_time_does();
    }
}

/// A thread that has been idle for long ends, or comes for what is submitted at that moment.
#[test]
fn side_nobody_counts_on_a_thread_that_retires() {
    within_bounds(|| {
        let pool = Pool::new(1);
        let first = Pool::submit(&pool, 0, true).expect("a thread");
        let clock = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.let_time_pass())
        };
        let second = Pool::submit(&pool, 1, true);
        pool.wait_for(2);
        clock.join().unwrap();
        pool.side.close();
        first.join().unwrap();
        if let Some(second) = second {
            second.join().unwrap();
        }
        assert_eq!(pool.side.snapshot(), [0; 3], "nobody is left");
    });
}

/// A thread is refused while something else is submitted that counts on it.
#[test]
fn side_who_counted_on_a_refused_thread_is_told() {
    exhaustively(|| {
        let pool = Pool::new(1);
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                assert!(Pool::submit(&pool, 0, false).is_none());
            })
        };
        pool.wait_for(1);
        other.join().unwrap();
        assert_eq!(pool.side.snapshot(), [0; 3], "nobody is left");
    });
}

/// There are no side threads, and whose child it is may be parked.
#[test]
fn side_what_nobody_will_come_for_is_told_of() {
    exhaustively(|| {
        let pool = Pool::new(0);
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                assert!(Pool::submit(&pool, 0, true).is_none());
            })
        };
        pool.wait_for(1);
        other.join().unwrap();
        assert_eq!(pool.side.snapshot(), [0; 3], "nobody is left");
    });
}

#[test]
fn side_two_submit_and_one_thread_is_refused() {
    within_bounds(|| {
        let pool = Pool::new(1);
        let others = [0, 1].map(|run| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                assert!(Pool::submit(&pool, run, false).is_none());
            })
        });
        pool.wait_for(2);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(pool.side.snapshot(), [0; 3], "nobody is left");
    });
}

/// The pool is shut down while something is submitted: a thread runs it and ends, or its home does.
#[test]
fn side_what_is_submitted_at_the_end_is_run() {
    within_bounds(|| {
        let pool = Pool::new(1);
        let first = Pool::submit(&pool, 0, true).expect("a thread");
        let closer = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.side.close())
        };
        // The second one comes when the pool may be closed, and then has no thread.
        let second = Pool::submit(&pool, 1, false);
        assert!(second.is_none());
        pool.wait_for(2);
        closer.join().unwrap();
        first.join().unwrap();
        assert_eq!(pool.side.snapshot(), [0; 3], "nobody is left");
    });
}

twins! {
    side_nobody_counts_on_a_thread_that_retires {
        nobody_rings: skipped("protocol/side.rs", "submit", "notify_one") => Deadlock;
        nobody_is_told_of_the_end: skipped("protocol/side.rs", "close", "notify_all") => Deadlock;
    }
    side_who_counted_on_a_refused_thread_is_told {
        it_is_not_told: step("does not tell who counted on a thread that is refused") => Deadlock;
    }
    side_what_nobody_will_come_for_is_told_of {
        it_is_not_told: step("does not tell of what is starved") => Deadlock;
    }
    side_two_submit_and_one_thread_is_refused {
        it_is_not_told: step("does not tell who counted on a thread that is refused") => Deadlock;
    }
    side_what_is_submitted_at_the_end_is_run {
        nobody_is_told_of_the_end: skipped("protocol/side.rs", "close", "notify_all") => Deadlock;
    }
}

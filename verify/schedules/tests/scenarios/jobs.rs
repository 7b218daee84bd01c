//! Jobs: submitted to workers that fall asleep and to pools that end, joined, awaited, dropped, and let through a
//! gate.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use hatchery::{Gate, Options};
use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::thread::{self, Thread};

use crate::common::{Ledger, Refusing, beside, named, payload_of, pool, raise};
use crate::explore::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "jobs_awaited",
        share: 120,
        play: jobs_awaited,
    },
    Scenario {
        name: "jobs_joined",
        share: 120,
        play: jobs_joined,
    },
    Scenario {
        name: "jobs_dropped",
        share: 120,
        play: jobs_dropped,
    },
    Scenario {
        name: "jobs_at_the_end",
        share: 120,
        play: jobs_at_the_end,
    },
    Scenario {
        name: "jobs_at_a_gate",
        share: 100,
        play: jobs_at_a_gate,
    },
    Scenario {
        name: "jobs_installed",
        share: 100,
        play: jobs_installed,
    },
    Scenario {
        name: "jobs_without_workers",
        share: 80,
        play: jobs_without_workers,
    },
];

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        // Another one each time.
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// The second comes when the only worker may be falling asleep over the first.
fn jobs_awaited() {
    let ledger = Ledger::default();
    let pool = pool(1);
    for i in 1..3 {
        let value = ledger.value();
        let job = pool.submit(move || (i, value));
        assert_eq!(block_on(job).0, i);
    }
    ledger.check(2);
}

/// A worker begins a job, or whoever joins it; its panic arrives either way.
fn jobs_joined() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let values = [(); 3].map(|()| ledger.value());
    let [sums, panics, last] = values;
    let sum = pool.submit(move || {
        let _value = sums;
        hatchery::nursery(|n| n.spawn(|| 20).join() + 1)
    });
    let panic = pool.submit(move || {
        let _value = panics;
        raise(7_u32)
    });
    let last = pool.submit(move || last);
    assert_eq!(sum.join(), 21);
    assert_eq!(payload_of::<u32, ()>(|| panic.join()), 7);
    drop(last.join());
    ledger.check(3);
}

/// Jobs are given up before they begin, while they run and when they are over; one has a waker left behind.
fn jobs_dropped() {
    let ledger = Ledger::default();
    let pool = pool(1);
    let mut jobs: Vec<_> = (0..3)
        .map(|_| {
            let value = ledger.value();
            pool.submit(move || {
                let told = hatchery::checkpoint();
                (value, told)
            })
        })
        .collect();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let polled = Pin::new(&mut jobs[1]).poll(&mut Context::from_waker(&waker));
    if let Poll::Ready((value, told)) = polled {
        assert!(told.is_ok());
        drop((value, jobs.remove(1)));
    }
    let others: Vec<_> = jobs.drain(1..).collect();
    beside(move || drop(others), || drop(jobs));
    pool.shutdown();
    ledger.check(3);
}

/// Two threads submit, and one of them ends the pool: all jobs have run when both are done.
fn jobs_at_the_end() {
    let ledger = Ledger::default();
    let has_run = Arc::new(AtomicU32::new(0));
    let pool = pool(1);
    let options = Options::new().pool(&pool);
    let submit = || {
        let (has_run, value) = (Arc::clone(&has_run), ledger.value());
        options.submit(move || {
            has_run.fetch_add(1, Ordering::Relaxed);
            value
        })
    };
    submit().detach();
    let late = || {
        submit().detach();
        submit().detach();
    };
    beside(late, || {
        submit().detach();
        pool.shutdown();
        assert!(has_run.load(Ordering::Relaxed) >= 2);
    });
    assert_eq!(has_run.load(Ordering::Relaxed), 4);
    ledger.check(4);
}

/// Three callers at a gate for one: one comes through, one is turned away or not, one gives up or not.
fn jobs_at_a_gate() {
    let ledger = Ledger::default();
    let inside = Arc::new(AtomicU32::new(0));
    let pool = pool(1);
    let (options, gate) = (&Options::new().pool(&pool), &Gate::new(1));
    let job = || {
        let (inside, value) = (Arc::clone(&inside), ledger.value());
        move || {
            assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
            inside.fetch_sub(1, Ordering::Relaxed);
            value
        }
    };
    let [first, second, third] = [job(), job(), job()];
    let gives_up = || {
        let mut turn = Box::pin(gate.submit_with(options, second));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let polled = turn.as_mut().poll(&mut Context::from_waker(&waker));
        drop(polled);
        drop(turn);
    };
    beside(gives_up, || {
        beside(
            || {
                drop(block_on(
                    block_on(gate.submit_with(options, third)).expect("it is open"),
                ))
            },
            || {
                drop(block_on(
                    block_on(gate.submit_with(options, first)).expect("it is open"),
                ))
            },
        );
    });
    drop(pool);
    assert_eq!([gate.inside(), gate.waiting()], [0, 0]);
    ledger.check(3);
}

/// What is installed waits for the worker, which waits for a child of its own.
fn jobs_installed() {
    let ledger = Ledger::default();
    let pool = &pool(1);
    let ledger = &ledger;
    let install = |i: u32| {
        let value = ledger.value();
        let sum = pool.install(|| {
            let _value = value;
            hatchery::nursery(|n| n.spawn(|| i).join()) + pool.install(|| 1)
        });
        assert_eq!(sum, i + 1);
    };
    beside(|| install(1), || install(2));
    ledger.check(2);
}

/// All workers are refused, so those who submit run what they submit.
fn jobs_without_workers() {
    let _refusing = Refusing::new("none", |_| true);
    let ledger = Ledger::default();
    let pool = &named("none");
    let ledger = &ledger;
    let submit = || {
        let value = ledger.value();
        pool.submit(move || value)
    };
    beside(
        || submit().detach(),
        || {
            drop(block_on(submit()));
            drop(submit().join());
        },
    );
    ledger.check(3);
}

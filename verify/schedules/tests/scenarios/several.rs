//! Several pools, threads from outside, and the ends of pools.

use std::sync::Arc;

use hatchery::Pool;
use shuttle::sync::mpsc;
use shuttle::thread;

use crate::common::{Ledger, Refusing, beside, named, pause, pool};
use crate::explore::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "two_pools",
        share: 60,
        play: two_pools,
    },
    Scenario {
        name: "two_pools_in_each_other",
        share: 40,
        play: two_pools_in_each_other,
    },
    Scenario {
        name: "outside_threads",
        share: 60,
        play: outside_threads,
    },
    Scenario {
        name: "spawned_by_an_outside_thread",
        share: 80,
        play: spawned_by_an_outside_thread,
    },
    Scenario {
        name: "shut_down_idle",
        share: 120,
        play: shut_down_idle,
    },
    Scenario {
        name: "shut_down_busy",
        share: 80,
        play: shut_down_busy,
    },
    Scenario {
        name: "shut_down_by_its_own_worker",
        share: 80,
        play: shut_down_by_its_own_worker,
    },
    Scenario {
        name: "shut_down_after_blocking",
        share: 80,
        play: shut_down_after_blocking,
    },
    Scenario {
        name: "workers_refused",
        share: 80,
        play: workers_refused,
    },
    Scenario {
        name: "side_threads_refused",
        share: 80,
        play: side_threads_refused,
    },
    Scenario {
        name: "side_threads_refused_elsewhere",
        share: 120,
        play: side_threads_refused_elsewhere,
    },
    Scenario {
        name: "spares_refused",
        share: 80,
        play: spares_refused,
    },
];

/// A child of one pool opens a nursery on the other.
fn two_pools() {
    let ledger = Ledger::default();
    let (here, there) = (pool(1), pool(1));
    let sum = here.nursery(|n| {
        let value = ledger.value();
        let far = n.spawn(|| there.nursery(|n| n.spawn(move || (1, value)).join().0));
        let near = n.spawn(|| 2);
        far.join() + near.join()
    });
    ledger.check(1);
    assert_eq!(sum, 3);
}

/// Each waits for the other.
fn two_pools_in_each_other() {
    let ledger = Ledger::default();
    let (here, there) = (&pool(1), &pool(1));
    let ledger = &ledger;
    let bounce = |from: &Pool, to: &Pool, i: u32| {
        from.nursery(|n| {
            let child = n.spawn(|| {
                to.nursery(|n| {
                    let value = ledger.value();
                    let child = n.spawn(|| {
                        let _value = value;
                        from.nursery(|n| n.spawn(|| i).join())
                    });
                    child.join() + 1
                })
            });
            child.join() + 1
        })
    };
    let other = || assert_eq!(bounce(there, here, 10), 12);
    let own = beside(other, || bounce(here, there, 20));
    assert_eq!(own, 22);
    ledger.check(2);
}

/// They open nurseries at once, the first of which starts the workers.
fn outside_threads() {
    let ledger = Ledger::default();
    let pool = Arc::new(pool(2));
    let threads = [1, 2, 3].map(|i| {
        let (pool, ledger) = (Arc::clone(&pool), ledger.clone());
        thread::spawn(move || {
            pool.nursery(|n| {
                let value = ledger.value();
                let child = n.spawn(move || (i, value));
                let other = n.spawn(move || i);
                child.join().0 + other.join()
            })
        })
    });
    let sums = threads.map(|thread| thread.join().expect("no panic"));
    assert_eq!(sums, [2, 4, 6]);
    ledger.check(3);
}

/// A thread that is not of the pool, and has no nursery of its own, spawns into one.
fn spawned_by_an_outside_thread() {
    let ledger = Ledger::default();
    let pool = pool(2);
    pool.nursery(|n| {
        let (first, second) = (ledger.value(), ledger.value());
        let spawns = move || {
            let child = n.spawn(move || (1, first));
            n.spawn(move || drop(second));
            assert_eq!(child.join().0, 1);
        };
        beside(spawns, || drop(n.spawn(pause)));
    });
    ledger.check(2);
}

/// Its workers may not have slept yet.
fn shut_down_idle() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let value = ledger.value();
    pool.nursery(|n| n.spawn(move || drop(value)).join());
    pool.shutdown();
    ledger.check(1);
}

/// While other threads use it: what is open runs to its end.
fn shut_down_busy() {
    let ledger = Ledger::default();
    let busy = Arc::new(pool(2));
    let users = [1, 2].map(|i| {
        let (pool, ledger) = (Arc::clone(&busy), ledger.clone());
        thread::spawn(move || {
            let value = ledger.value();
            let result = pool.nursery(|n| n.spawn(move || (i, value)).join().0);
            // Whoever is last shuts it down, perhaps while the other's child has just ended.
            drop(pool);
            result
        })
    });
    drop(busy);
    let results = users.map(|user| user.join().expect("no panic"));
    assert_eq!(results, [1, 2]);
    ledger.check(2);
}

/// The last owner of a pool is one of its own children.
fn shut_down_by_its_own_worker() {
    let ledger = Ledger::default();
    let (owned, kept) = (Arc::new(pool(2)), pool(1));
    kept.nursery(|n| {
        let (sender, receiver) = mpsc::channel::<Arc<Pool>>();
        let value = ledger.value();
        let other = Arc::clone(&owned);
        n.spawn_blocking(move || {
            other.nursery(|n| {
                n.spawn(move || {
                    let _value = value;
                    drop(receiver.recv());
                });
                pause();
            });
            drop(other);
        });
        sender.send(owned).expect("somebody listens");
    });
    ledger.check(1);
}

/// Side threads and spares are there, idle or on their way.
fn shut_down_after_blocking() {
    let ledger = Ledger::default();
    let pool = pool(1);
    pool.nursery(|n| {
        let (a, b) = (ledger.value(), ledger.value());
        n.spawn_blocking(move || drop(a));
        n.spawn(move || hatchery::block_in_place(|| drop(b)));
    });
    ledger.check(2);
    pool.shutdown();
}

/// Which threads are refused, by the schedule.
fn drawn() -> impl Fn(usize) -> bool + Send + 'static {
    use shuttle::rand::{Rng, thread_rng};
    let refused: u32 = thread_rng().r#gen();
    move |index| refused >> (index % 32) & 1 == 1
}

fn some_work(pool: &Pool) {
    let ledger = Ledger::default();
    let sum = pool.nursery(|n| {
        let (a, b, c) = (ledger.value(), ledger.value(), ledger.value());
        let first = n.spawn(move || (1, a));
        let second = n.spawn_blocking(move || {
            pause();
            (2, b)
        });
        let third = n.spawn(move || hatchery::block_in_place(|| (4, c)));
        n.spawn(|| hatchery::nursery(|n| n.spawn_blocking(pause).join()));
        first.join().0 + second.join().0 + third.join().0
    });
    assert_eq!(sum, 7);
    ledger.check(3);
}

/// Two guests share what is left of the pool; if that is nothing, there are still two threads to play.
fn workers_refused() {
    let _refusing = Refusing::new("refusing-", drawn());
    let pool = named("refusing");
    beside(|| some_work(&pool), || some_work(&pool));
}

fn side_threads_refused() {
    let _refusing = Refusing::new("refusing-side", drawn());
    some_work(&named("refusing"));
}

/// The home is parked when a child spawns one that may block, for which no thread comes.
fn side_threads_refused_elsewhere() {
    let _refusing = Refusing::new("refusing-side", |_| true);
    let ledger = Ledger::default();
    named("refusing").nursery(|n| {
        for _ in 0..2 {
            let value = ledger.value();
            n.spawn(move || {
                pause();
                n.spawn_blocking(move || drop(value));
            });
        }
    });
    ledger.check(2);
}

fn spares_refused() {
    let _refusing = Refusing::new("refusing-spare", drawn());
    some_work(&named("refusing"));
}

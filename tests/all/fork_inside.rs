//! `fork()` in an open nursery: what the new process spawns and opens there needs no thread of its parent's.
#![cfg(unix)]
#![allow(unsafe_code, reason = "forks, and watches what it has forked")]

use std::sync::mpsc::channel;
use std::time::Duration;

use crate::common::Gate;
use crate::processes::{Split, exit, forked};
use hatchery::{FailureKind, Nursery, Options, Pool};

/// What a forked process does in a nursery of its parent's.
type Use = fn(&Pool);

/// Two children that may block and wait for each other: they need two threads at a time.
fn talk<'scope>(n: &'scope Nursery<'scope, '_>) {
    let (to_right, from_left) = channel();
    let (to_left, from_right) = channel();
    let left = n.spawn_blocking(move || {
        to_right.send(1).unwrap();
        from_right.recv().unwrap()
    });
    let right = n.spawn_blocking(move || {
        let value: i32 = from_left.recv().unwrap();
        to_left.send(value + 1).unwrap();
    });
    assert_eq!((left.join(), right.join()), (2, ()));
}

const USES: [(&str, Use); 9] = [
    ("blocking", |_| {
        assert_eq!(hatchery::nursery(|n| n.spawn_blocking(|| 7).join()), 7);
    }),
    ("pool", |pool| pool.nursery(|n| talk(n))),
    ("partial", |_| {
        let sum = hatchery::try_nursery(|n| {
            let blocks = n.spawn_blocking(|| Ok::<_, ()>(1));
            let failed = n.spawn_each(0..100, Ok).map(Result::unwrap).sum::<i32>();
            Ok(blocks.join()? + failed)
        });
        assert_eq!(sum.unwrap(), 4951);
    }),
    ("failing", |_| {
        let told = hatchery::try_nursery(|n| n.spawn_blocking(|| Err::<(), _>("lost")).join());
        let failures = told.unwrap_err();
        assert!(matches!(
            failures.cause().kind(),
            FailureKind::Error("lost")
        ));
    }),
    ("race", |_| {
        let winner = hatchery::race(|r| {
            r.spawn(|| Err::<i32, _>(()));
            r.spawn(|| Ok(3));
        });
        assert_eq!(winner.ok(), Some(3));
    }),
    ("gather", |_| {
        let values: Vec<i32> = hatchery::gather(|g| {
            g.spawn(|| 1);
            g.spawn_blocking(|| 2);
        });
        assert_eq!(values, [1, 2]);
    }),
    ("fork", |_| {
        let inner = || hatchery::nursery(|n| n.spawn_blocking(|| 1).join());
        assert_eq!(hatchery::join(inner, inner), (1, 1));
        assert_eq!(hatchery::join_all((inner, inner, inner)), (1, 1, 1));
    }),
    ("options", |_| {
        let options = Options::new().limit(1).timeout(Duration::from_secs(3600));
        let sum = options.nursery(|n| {
            let blocks = n.spawn_blocking(|| 1);
            n.spawn_each(0..100, |i| i).sum::<i32>() + blocks.join()
        });
        assert_eq!(sum, 4951);
    }),
    ("deeper", |_| {
        let depth = hatchery::nursery(|n| {
            let deeper = || {
                hatchery::nursery(|n| {
                    n.spawn_blocking(|| hatchery::nursery(|n| n.spawn_blocking(|| 1).join()))
                        .join()
                })
            };
            n.spawn(deeper).join();
            n.spawn_blocking(deeper).join();
            2
        });
        assert_eq!(depth, 2);
    }),
];

/// Where in a nursery of the pool the process is forked.
type Place = fn(&Pool, &dyn Fn());

const PLACES: [(&str, Place); 6] = [
    ("body", |pool, fork| pool.nursery(|_| fork())),
    ("in place", |pool, fork| {
        pool.nursery(|_| hatchery::block_in_place(fork));
    }),
    ("child", |pool, fork| {
        let fork = AssertSend(fork);
        pool.nursery(|n| {
            let child = n.spawn(move || fork.call());
            child.join();
        });
    }),
    ("further in", |pool, fork| {
        pool.nursery(|_| hatchery::nursery(|_| fork()));
    }),
    ("partial", |pool, fork| {
        let told = pool.try_nursery(|n| {
            n.spawn(|| Ok::<_, ()>(()));
            fork();
            Ok(())
        });
        assert!(told.is_ok());
    }),
    ("twice", |pool, fork| {
        pool.nursery(|_| {
            forked(|| hatchery::nursery(|_| fork())).has_succeeded();
        });
    }),
];

/// A closure for a child that may run on any thread, and uses nothing that others do.
struct AssertSend<'a>(&'a dyn Fn());
// SAFETY: whichever thread calls it forks the process, and waits for the new one.
unsafe impl Send for AssertSend<'_> {}

impl AssertSend<'_> {
    fn call(self) {
        (self.0)();
    }
}

/// A pool whose only place is its caller's, so that no other thread takes a child while that computes.
fn pool() -> Pool {
    Pool::builder().threads(1).name("inside").build().unwrap()
}

alone! {
    s1_a_forked_process_may_open_nurseries_in_one_of_its_parents
    a_forked_process_runs_what_it_spawns_into_a_nursery_of_its_parents
    a_thread_of_a_forked_process_that_spawns_into_a_nursery_of_its_parents_aborts_loudly
}

mod here {
    use super::*;

    #[test]
    #[ignore = "run in a process of its own"]
    fn s1_a_forked_process_may_open_nurseries_in_one_of_its_parents() {
        for (place, open) in PLACES {
            let pool = pool();
            for (what, run) in USES {
                open(&pool, &|| {
                    let child = forked(|| {
                        eprintln!("{what} in {place}");
                        run(&pool);
                    });
                    child.has_succeeded();
                });
            }
        }
    }

    /// None of it stands on another thread than the one that has forked.
    #[test]
    #[ignore = "run in a process of its own"]
    fn a_forked_process_runs_what_it_spawns_into_a_nursery_of_its_parents() {
        let pool = pool();
        let mut this = None;
        let sum = pool.nursery(|n| {
            this = Some(Split::now());
            if let Some(Split::Parent(_)) = this {
                return 0;
            }
            let blocks = n.spawn_blocking(|| 1);
            let joins = n.spawn(|| n.spawn_blocking(|| n.spawn(|| 2).join()).join());
            n.spawn(|| drop(n.spawn(|| drop(n.spawn_blocking(|| ())))));
            let each = n.spawn_each(0..100, |i| i);
            // From a nursery further in.
            let further_in = hatchery::nursery(|_| n.spawn(|| 4));
            let sum = blocks.join() + joins.join() + each.sum::<i32>();
            sum + further_in.join() + hatchery::nursery(|_| n.spawn(|| 8).join())
        });
        match this.expect("forked") {
            Split::Child => exit(i32::from(sum != 4950 + 15)),
            Split::Parent(forked) => forked.has_succeeded(),
        }
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_thread_of_a_forked_process_that_spawns_into_a_nursery_of_its_parents_aborts_loudly() {
        let pool = pool();
        pool.nursery(|n| {
            let child = forked(|| {
                let gate = &Gate::default();
                pool.nursery(|further_in| {
                    further_in.spawn_blocking(move || {
                        n.spawn(|| ());
                        gate.open();
                    });
                    gate.wait();
                });
            });
            child.has_aborted_loudly();
        });
    }
}

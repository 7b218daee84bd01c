//! The first use of a pool, by several threads at once: the first of them starts the first worker, and nobody
//! waits for a worker that nobody wakes.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;

use crate::alone;
use crate::common::{Gate, on_pool};
use hatchery::{Options, Pool};

/// Nurseries on a new pool, each of which needs a worker for its child.
const ROUNDS: usize = 300;

/// A child that the body waits for in a way of its own.
fn blocks_in_place(options: &Options) -> i32 {
    let (sender, receiver) = channel();
    options.nursery(|n| {
        n.spawn(move || sender.send(20));
        hatchery::block_in_place(|| receiver.recv()).unwrap() + 1
    })
}

/// A child that a blocking child waits for, below an inner nursery.
fn waits_further_in(options: &Options) -> i32 {
    let (sender, receiver) = channel();
    options.nursery(|n| {
        n.spawn(move || sender.send(20));
        let received =
            hatchery::nursery(|inner| inner.spawn_blocking(move || receiver.recv()).join());
        received.unwrap() + 1
    })
}

/// The same from a thread that has no nursery of its own.
fn spawns_from_outside(options: &Options) -> i32 {
    let (sender, receiver) = channel();
    options.nursery(|n| {
        thread::scope(|scope| {
            scope
                .spawn(|| drop(n.spawn(move || sender.send(20))))
                .join()
        })
        .unwrap();
        hatchery::block_in_place(|| receiver.recv()).unwrap() + 1
    })
}

/// Has `users` threads use new pools in that way at once.
fn first_use(users: usize, threads: usize, way: fn(&Options) -> i32) {
    for _ in 0..ROUNDS {
        on_pool(Pool::builder().threads(threads), |pool| {
            let options = &Options::new().pool(pool);
            let all_are_here = &Barrier::new(users);
            thread::scope(|scope| {
                let user = || {
                    all_are_here.wait();
                    way(options)
                };
                let users: Vec<_> = (0..users).map(|_| scope.spawn(user)).collect();
                for user in users {
                    assert_eq!(user.join().unwrap(), 21);
                }
            });
        });
    }
}

#[test]
fn s1_the_first_callers_may_block_in_place() {
    first_use(2, 2, blocks_in_place);
}

#[test]
fn s1_the_first_callers_may_wait_for_blocking_children_further_in() {
    first_use(2, 2, waits_further_in);
}

#[test]
fn s1_the_first_children_may_come_from_outside() {
    first_use(2, 2, spawns_from_outside);
}

#[test]
fn s1_many_first_callers_may_block_in_place_whatever_the_pool() {
    for threads in [1, 4] {
        first_use(4, threads, blocks_in_place);
    }
}

/// A start hook takes as long as it likes, and the worker that it runs on keeps nothing from the others.
#[test]
fn s1_a_worker_that_takes_long_to_start_is_not_waited_for() {
    for slow in 0..3 {
        let gate = Arc::new(Gate::default());
        let is_over = Arc::clone(&gate);
        let builder = Pool::builder().threads(3).name("slow");
        let builder = builder.on_thread_start(move |name| {
            if name == format!("slow-{slow}") {
                is_over.wait();
            }
        });
        on_pool(builder, |pool| {
            pool.nursery(|n| {
                n.spawn(|| gate.open());
                hatchery::block_in_place(|| gate.wait());
            });
        });
    }
}

/// The example of `block_in_place`, in two threads on the shared pool of a new process.
#[test]
fn s1_the_shared_pool_may_be_used_by_two_threads_first() {
    for _ in 0..10 {
        let run = alone::alone(
            module_path!(),
            "here::two_threads_use_the_shared_pool_first",
            |_| (),
        );
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}

mod here {
    use super::*;

    #[test]
    #[ignore = "run in a process of its own"]
    fn two_threads_use_the_shared_pool_first() {
        let sum = || blocks_in_place(&Options::new());
        thread::scope(|scope| {
            let other = scope.spawn(sum);
            assert_eq!((sum(), other.join().unwrap()), (21, 21));
        });
    }
}

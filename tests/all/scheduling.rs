//! Laws S1, S2, S4 and S7: progress, no foreign code, spawns that do nothing else.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use crate::common::{Gate, caught, on_every_pool, on_no_worker, on_pool};
use hatchery::{Nursery, Pool};

fn nest(depth: usize, width: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    hatchery::nursery(|n| {
        n.spawn_each(0..width, |_| nest(depth - 1, width))
            .sum::<usize>()
            + 1
    })
}

#[test]
fn s1_nested_nurseries_of_any_depth_never_deadlock() {
    on_every_pool(|pool| {
        assert_eq!(pool.nursery(|_| nest(9, 2)), (1 << 10) - 1);
        assert_eq!(pool.nursery(|_| nest(2, 50)), 1 + 50 + 2500);
    });
}

/// On threads with larger stacks: where nothing is inlined, two hundred levels overflow that of a test on
/// some systems.
#[test]
fn s1_two_hundred_nested_nurseries_never_deadlock() {
    const ROOM: usize = 16 << 20;
    let run = |pool: &Pool| assert_eq!(pool.nursery(|_| nest(200, 1)), 201);
    let deep = thread::Builder::new().stack_size(ROOM).spawn(move || {
        for threads in [1, 2, 4] {
            on_pool(Pool::builder().threads(threads).stack_size(ROOM), run);
        }
        on_no_worker(run);
    });
    deep.unwrap().join().unwrap();
}

#[test]
fn s1_plain_threads_may_spawn_into_a_nursery_and_join() {
    on_every_pool(|pool| {
        for _ in 0..20 {
            let sum = AtomicUsize::new(0);
            pool.nursery(|n| {
                thread::scope(|scope| {
                    for i in 0..4 {
                        let sum = &sum;
                        scope.spawn(move || {
                            let child = n.spawn(move || {
                                n.spawn(move || sum.fetch_add(1, Ordering::Relaxed));
                                i
                            });
                            n.spawn_blocking(move || sum.fetch_add(1, Ordering::Relaxed));
                            sum.fetch_add(child.join(), Ordering::Relaxed);
                        });
                    }
                });
            });
            assert_eq!(sum.into_inner(), 1 + 2 + 3 + 8);
        }
    });
}

#[test]
fn s1_blocking_children_beyond_the_side_threads_complete() {
    on_every_pool(|pool| {
        let sum = AtomicUsize::new(0);
        pool.nursery(|n| {
            for _ in 0..300 {
                n.spawn_blocking(|| {
                    pool.nursery(|inner| {
                        let nested = inner.spawn_blocking(|| 1);
                        sum.fetch_add(nested.join(), Ordering::Relaxed);
                    });
                });
            }
        });
        assert_eq!(sum.into_inner(), 300);
    });
}

#[test]
fn s1_a_blocking_child_may_wait_for_a_sibling() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let (sender, receiver) = channel();
            let received = pool.nursery(|n| {
                let received = n.spawn_blocking(move || receiver.recv());
                n.spawn(move || sender.send(7));
                received.join()
            });
            assert_eq!(received, Ok(7));
        });
    }
}

thread_local! {
    /// The tasks on this thread's stack, as paths of spawn indices: outermost first.
    static STACK: RefCell<Vec<Vec<usize>>> = const { RefCell::new(Vec::new()) };
}

/// Runs a task, checking that whatever waits below it on this stack is one of its ancestors.
fn as_task<R>(path: Vec<usize>, task: impl FnOnce(&[usize]) -> R) -> R {
    STACK.with_borrow_mut(|stack| {
        if let Some(waiting) = stack.last() {
            assert!(
                path.starts_with(waiting),
                "{path:?} ran on top of {waiting:?}"
            );
        }
        stack.push(path.clone());
    });
    let result = task(&path);
    STACK.with_borrow_mut(Vec::pop);
    result
}

fn below(path: &[usize], index: usize) -> Vec<usize> {
    [path, &[index]].concat()
}

#[test]
fn s2_while_a_thread_waits_it_runs_only_children_of_its_nursery_and_their_descendants() {
    fn task(path: &[usize], depth: usize) -> usize {
        if depth == 0 {
            return 1;
        }
        let (a, b) = hatchery::nursery(|n| {
            for i in 0..3 {
                n.spawn(move || as_task(below(path, i), |path| task(path, depth - 1)));
            }
            let joined = n.spawn(move || as_task(below(path, 3), |path| task(path, depth - 1)));
            // Each side of a fork is a task of its own; the forking one waits.
            hatchery::join(
                || (),
                || as_task(below(path, 4), |path| task(path, depth - 1)),
            );
            (joined.join(), 1)
        });
        a + b
    }
    on_every_pool(|pool| {
        // Foreign work for everybody, all the time: outside threads with nurseries of their own.
        thread::scope(|scope| {
            for outside in 0..3 {
                scope.spawn(move || {
                    for round in 0..3 {
                        as_task(vec![outside, round], |path| pool.nursery(|_| task(path, 4)));
                    }
                });
            }
        });
    });
}

/// The thread that took children of a nursery goes on to another one; what it holds then is not for
/// the first one's waiter.
#[test]
fn s2_a_waiter_takes_nothing_of_other_nurseries_from_a_thread_that_helped() {
    use std::cell::Cell;
    thread_local!(static OPENED: Cell<usize> = const { Cell::new(0) });
    on_pool(Pool::builder().threads(4), |pool| {
        thread::scope(|threads| {
            for guest in 1..=3 {
                threads.spawn(move || {
                    OPENED.set(guest);
                    let child = |n: &u64| {
                        let on = OPENED.get();
                        assert!(on == 0 || on == guest, "{on} runs a child of {guest}");
                        (0..*n).fold(1, |x: u64, i| std::hint::black_box(x ^ i))
                    };
                    for round in 0..150 {
                        pool.nursery(|n| {
                            for i in 0..40 {
                                n.spawn(move || {
                                    hatchery::nursery(|inner| {
                                        for _ in 0..20 {
                                            inner.spawn(move || child(&(700 + round * i / 3)));
                                        }
                                    });
                                });
                            }
                        });
                    }
                });
            }
        });
    });
}

#[test]
fn s2_a_child_that_waits_for_a_sibling_it_spawned_runs_that_sibling_and_nothing_else() {
    fn task<'s>(n: &'s Nursery<'s, '_>, path: &[usize], depth: usize) {
        if depth == 0 {
            return;
        }
        let children: Vec<_> = (0..3)
            .map(|i| {
                let path = below(path, i);
                n.spawn(move || as_task(path, |path| task(n, path, depth - 1)))
            })
            .collect();
        // Joined from behind, so that there is always an unstarted sibling to be run in error.
        children.into_iter().rev().for_each(hatchery::Child::join);
    }
    on_every_pool(|pool| {
        for _ in 0..5 {
            pool.nursery(|n| {
                for i in 0..4 {
                    n.spawn(move || as_task(vec![i], |path| task(n, path, 5)));
                }
            });
        }
    });
}

#[test]
fn s4_spawn_never_runs_user_code() {
    struct Loud<'a>(&'a AtomicUsize);
    impl Drop for Loud<'_> {
        fn drop(&mut self) {
            check(self.0);
        }
    }
    thread_local!(static SPAWNING: RefCell<bool> = const { RefCell::new(false) });
    fn check(violations: &AtomicUsize) {
        if SPAWNING.with_borrow(|spawning| *spawning) {
            violations.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn spawning<R>(f: impl FnOnce() -> R) -> R {
        SPAWNING.set(true);
        let result = f();
        SPAWNING.set(false);
        result
    }
    on_every_pool(|pool| {
        let violations = &AtomicUsize::new(0);
        for _ in 0..10 {
            pool.nursery(|n| {
                for _ in 0..1000 {
                    let capture = Loud(violations);
                    spawning(|| {
                        n.spawn(move || {
                            check(violations);
                            let _capture = capture;
                            Loud(violations)
                        })
                    });
                }
                for _ in 0..10 {
                    spawning(|| n.spawn_blocking(|| Loud(violations)));
                }
            });
        }
        assert_eq!(violations.load(Ordering::Relaxed), 0);
    });
}

/// Every thread of the pool ends up in a child that waits for the last spawn.
#[test]
fn s4_spawn_and_spawn_blocking_never_block() {
    on_every_pool(|pool| {
        let all_are_spawned = &Gate::default();
        let values = pool.gather(|g| {
            for i in 0..1000 {
                let child = move || {
                    all_are_spawned.wait();
                    i
                };
                if i % 2 == 0 {
                    g.spawn(child);
                } else {
                    // More of them than there are side threads.
                    g.spawn_blocking(child);
                }
            }
            all_are_spawned.open();
        });
        assert!(values.into_iter().eq(0..1000));
    });
}

#[test]
fn s7_no_user_code_runs_under_an_internal_lock() {
    /// Uses the pool in every way while it is dropped.
    struct Reenters<'a>(&'a Pool);
    impl Drop for Reenters<'_> {
        fn drop(&mut self) {
            let pool = self.0;
            assert!(format!("{pool:?}").contains("Pool"));
            pool.nursery(|n| {
                n.spawn_blocking(|| format!("{pool:?}"));
                n.spawn(move || n.spawn(move || format!("{n:?}")).join());
            });
        }
    }
    on_every_pool(|pool| {
        for panics in [false, true] {
            caught(|| {
                pool.nursery(|n| {
                    for i in 0..20 {
                        let capture = Reenters(pool);
                        n.spawn(move || {
                            let _capture = capture;
                            if panics && i == 10 {
                                std::panic::resume_unwind(Box::new(i));
                            }
                            Reenters(pool)
                        });
                        n.spawn_blocking(move || Reenters(pool));
                    }
                });
            });
        }
    });
    on_no_worker(|pool| drop(Reenters(pool)));
}

//! Law S3: the stack is never deeper than the nesting of tasks times a constant.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{REFUSED_STACK, on_pool};
use hatchery::{Nursery, Pool};

/// Bytes that one level of nesting may take, in a debug build.
const LEVEL: usize = 16 << 10;

/// How often a batch of `spawn_each` may split: an item stands below that many forks.
const HALVINGS: usize = 10;

thread_local! {
    /// Where the stack of this thread begins, as far as the tests are concerned.
    static BASE: Cell<usize> = const { Cell::new(0) };
}

/// Roughly where this thread's stack ends now.
#[inline(never)]
fn stack_pointer() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

/// Checks that a task `nesting` levels down, counted from the body, is not too deep on the stack of
/// whoever runs it.
fn check(nesting: usize) {
    let base = BASE.get();
    assert_ne!(base, 0, "the thread has said where its stack begins");
    let used = base.abs_diff(stack_pointer());
    assert!(
        used <= LEVEL * (nesting + 1),
        "{used} bytes, {nesting} levels down"
    );
}

/// Runs `test` on every pool, whose threads say where their stacks begin.
fn on_every_measured_pool(test: impl Fn(&Pool)) {
    let pools = [1, 2, 3, 4, 6, 8].map(|threads| Pool::builder().threads(threads));
    let refused = Pool::builder().stack_size(REFUSED_STACK);
    for builder in pools.into_iter().chain([refused]) {
        on_pool(
            builder.on_thread_start(|_| BASE.set(stack_pointer())),
            |pool| {
                BASE.set(stack_pointer());
                test(pool);
            },
        );
    }
}

#[test]
fn s3_a_million_siblings_do_not_stack_up() {
    on_every_measured_pool(|pool| {
        pool.nursery(|n| {
            for _ in 0..1_000_000 {
                n.spawn(|| check(1));
            }
        });
        pool.nursery(|n| {
            n.spawn_each(0..1_000_000, |_| check(HALVINGS))
                .for_each(drop)
        });
    });
}

#[test]
fn s3_children_that_spawn_and_join_siblings_do_not_stack_up() {
    on_every_measured_pool(|pool| {
        pool.nursery(|n| {
            for _ in 0..10_000 {
                n.spawn(move || {
                    check(1);
                    let (first, second) = (n.spawn(|| check(2)), n.spawn(|| check(2)));
                    second.join();
                    first.join();
                    n.spawn(|| check(2));
                });
            }
        });
    });
}

/// While a child waits for a side thread there is always a sibling to be run on top of it in error.
#[test]
fn s3_children_that_wait_for_blocking_siblings_do_not_stack_up() {
    on_every_measured_pool(|pool| {
        pool.nursery(|n| {
            for _ in 0..2000 {
                n.spawn(move || {
                    check(1);
                    n.spawn_blocking(|| check(2)).join();
                });
            }
        });
    });
}

#[test]
fn s3_a_chain_of_siblings_that_spawn_each_other_does_not_stack_up() {
    // Nobody waits for the next link, so each of them is a task of the body.
    fn chain<'s>(n: &'s Nursery<'s, '_>, left: usize, run: &'s AtomicUsize) {
        check(1);
        run.fetch_add(1, Ordering::Relaxed);
        if left > 0 {
            n.spawn(move || chain(n, left - 1, run));
        }
    }
    on_every_measured_pool(|pool| {
        let run = AtomicUsize::new(0);
        pool.nursery(|n| chain(n, 100_000, &run));
        assert_eq!(run.into_inner(), 100_001);
    });
}

#[test]
fn s3_the_stack_is_not_deeper_than_task_nesting_times_a_constant() {
    /// Nurseries, forks and joined siblings, each one level further down.
    fn tree<'s>(n: &'s Nursery<'s, '_>, nesting: usize, depth: usize) {
        check(nesting);
        if depth == 0 {
            return;
        }
        let sibling = n.spawn(move || tree(n, nesting + 1, depth - 1));
        hatchery::nursery(|inner| {
            for _ in 0..4 {
                inner.spawn(move || tree(inner, nesting + 1, depth - 1));
            }
        });
        let side = || hatchery::nursery(|inner| tree(inner, nesting + 1, depth - 1));
        hatchery::join(side, side);
        sibling.join();
    }
    on_every_measured_pool(|pool| {
        for _ in 0..5 {
            // Outside threads give the workers something else to hold meanwhile.
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        BASE.set(stack_pointer());
                        pool.nursery(|n| tree(n, 0, 5));
                    });
                }
            });
        }
    });
}

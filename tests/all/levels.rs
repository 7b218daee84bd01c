//! How much of the stack one level of a recursion takes, and that a leaf's locals are taken once.

use std::cell::RefCell;
use std::hint::black_box;
use std::thread;

use crate::common::{on_every_pool, on_pool};
use hatchery::{Nursery, Pool, TryNursery};

/// Stack of the threads that recurse: so much that what is wrong is seen, and not a crash.
const STACK: usize = 256 << 20;

/// What a test thread has, or a pool's.
const USUAL: usize = 2 << 20;

/// Levels of a recursion that is measured, and how many of the outer ones do not count: the first forks
/// in a row differ from those that follow.
const LEVELS: usize = 120;
const OUTER: usize = 40;

/// Levels that have to fit, in a debug build with its large frames and otherwise.
const DEEP: usize = if cfg!(debug_assertions) { 500 } else { 1000 };

/// Bytes of a leaf's locals.
const LEAF: usize = 64 << 10;

thread_local! {
    /// Where the stack ended at each level.
    static ENDS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Notes where the stack ends, at the beginning of a level.
#[inline(never)]
fn level() {
    let here = 0_u8;
    let end = std::ptr::from_ref(black_box(&here)).addr();
    ENDS.with_borrow_mut(|ends| ends.push(end));
}

/// Calls `f` on a thread with much stack, in a nursery of the pool; what it notes is returned.
fn ends_of(pool: &Pool, f: impl FnOnce() + Send) -> Vec<usize> {
    thread::scope(|scope| {
        let run = || {
            pool.nursery(|_| f());
            ENDS.take()
        };
        let thread = thread::Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, run).expect("a thread");
        thread.join().expect("no panic")
    })
}

/// Checks that a level takes this many bytes at most, in a release build and in a debug one, beside
/// what its closures have captured. The limits hold for a release build without link-time
/// optimisation, too, whose levels take up to a fifth more.
fn check(what: &str, limits: [usize; 2], captured: usize, recurse: impl Fn(usize) + Sync) {
    on_pool(Pool::builder().threads(1), |pool| {
        let ends = ends_of(pool, || recurse(LEVELS));
        assert_eq!(ends.len(), LEVELS + 1, "{what}: all on one thread");
        let used = ends[OUTER].abs_diff(ends[LEVELS]);
        let taken = (used / (LEVELS - OUTER)).saturating_sub(captured);
        let limit = limits[usize::from(cfg!(debug_assertions))];
        println!("{what}: {taken} bytes a level, at most {limit}");
        assert!(taken <= limit, "{what}: {taken} bytes a level");
    });
}

/// Captured by a closure.
const WORD: usize = size_of::<usize>();

#[test]
fn s3_a_level_of_forks_takes_little_of_the_stack() {
    fn through_a(depth: usize) -> usize {
        level();
        if depth == 0 {
            return 0;
        }
        let (a, b) = hatchery::join(move || through_a(depth - 1), move || black_box(depth));
        a + b
    }
    fn through_b(depth: usize) -> usize {
        level();
        if depth == 0 {
            return 0;
        }
        let (a, b) = hatchery::join(move || black_box(depth), move || through_b(depth - 1));
        a + b
    }
    fn through_three(depth: usize) -> usize {
        level();
        if depth == 0 {
            return 0;
        }
        let leaf = move || black_box(depth);
        let (a, b, c) = hatchery::join_all((move || through_three(depth - 1), leaf, leaf));
        a + b + c
    }
    check("join, through a", [340, 1800], 2 * WORD, |depth| {
        through_a(depth);
    });
    check("join, through b", [340, 1800], 2 * WORD, |depth| {
        through_b(depth);
    });
    check("join_all", [440, 2000], 3 * WORD, |depth| {
        through_three(depth);
    });
}

#[test]
fn s3_a_level_of_nurseries_takes_little_of_the_stack() {
    fn joined(depth: usize) -> usize {
        level();
        if depth == 0 {
            return 0;
        }
        hatchery::nursery(|n: &Nursery<'_, '_>| n.spawn(move || joined(depth - 1)).join())
    }
    fn left(depth: usize) {
        level();
        if depth > 0 {
            hatchery::nursery(|n: &Nursery<'_, '_>| _ = n.spawn(move || left(depth - 1)));
        }
    }
    fn partial(depth: usize) -> usize {
        level();
        if depth == 0 {
            return 0;
        }
        let child = move || Ok(partial(depth - 1));
        hatchery::try_nursery(|n: &TryNursery<'_, '_, ()>| n.spawn(child).join())
            .expect("no failure")
    }
    fn each(depth: usize) -> usize {
        level();
        if depth == 0 {
            return 0;
        }
        hatchery::nursery(|n| n.spawn_each(0..1, move |_| each(depth - 1)).sum())
    }
    check("nursery, joined", [800, 3100], WORD, |depth| {
        joined(depth);
    });
    check("nursery, left", [1000, 3200], WORD, left);
    check("partial", [1700, 6400], WORD, |depth| {
        partial(depth);
    });
    check("spawn_each", [1700, 8000], WORD, |depth| {
        each(depth);
    });
}

/// Has much on the stack while it runs.
#[inline(always)]
#[allow(clippy::inline_always, reason = "part of the closure that calls it")]
fn leaf() -> usize {
    let mut room = [0_u8; LEAF];
    touch(&mut room)
}

#[inline(never)]
fn touch(room: &mut [u8]) -> usize {
    black_box(room)[LEAF / 2].into()
}

/// Checks that so many levels fit, of which each has a leaf, wherever they run.
fn fits(what: &str, recurse: impl Fn(usize) + Sync) {
    on_every_pool(|pool| {
        // Another thread goes on with another stack, of which this one knows nothing.
        let ends = ends_of(pool, || recurse(DEEP));
        if let (Some(first), Some(last)) = (ends.iter().max(), ends.iter().min()) {
            let used = first - last;
            assert!(
                used + LEAF <= USUAL,
                "{what}: {used} bytes, {} levels",
                ends.len()
            );
        }
    });
}

#[test]
fn s3_the_locals_of_a_leaf_are_taken_once() {
    fn through_a(depth: usize) {
        level();
        if depth > 0 {
            hatchery::join(|| through_a(depth - 1), leaf);
        }
    }
    fn through_b(depth: usize) {
        level();
        if depth > 0 {
            hatchery::join(leaf, || through_b(depth - 1));
        }
    }
    fn through_the_middle(depth: usize) {
        level();
        if depth > 0 {
            hatchery::join_all((leaf, || through_the_middle(depth - 1), leaf));
        }
    }
    fits("through a", through_a);
    fits("through b", through_b);
    // In a release build the hidden ones among two forks a level, each with a leaf, still have the leaf's locals
    // in the frame that recurses.
    if cfg!(debug_assertions) {
        fits("through the middle", through_the_middle);
    }
}

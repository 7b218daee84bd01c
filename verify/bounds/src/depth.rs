//! Nurseries in each other, and children that spawn each other: how much stack they take.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hatchery::{Nursery, Pool, TryNursery};

use crate::measure::live;
use crate::{Task, leak, planted, watched};

/// Stack for the deep ones.
const DEEP: usize = 64 << 20;
/// A chain's stack, on any thread: a few frames of the engine and of the scenario.
const SHALLOW: usize = 16 << 10;
/// What threads may keep for later.
const KEPT: usize = 4 << 20;

thread_local! {
    /// Lowest and highest place seen on this thread's stack.
    static SEEN: Cell<Option<[usize; 2]>> = const { Cell::new(None) };
}

/// How far apart two places on one thread's stack were at most.
static EXTENT: AtomicUsize = AtomicUsize::new(0);

/// Notes where the stack ends now.
#[inline(never)]
fn note() {
    let here = 0_u8;
    let here = (&raw const here).addr();
    let [low, high] = SEEN.get().unwrap_or([here; 2]);
    let seen = [low.min(here), high.max(here)];
    SEEN.set(Some(seen));
    EXTENT.fetch_max(seen[1] - seen[0], Ordering::Relaxed);
}

fn nest(depth: usize) -> usize {
    note();
    if depth == 0 {
        return 0;
    }
    if planted(depth, 1) {
        leak(4096);
    }
    hatchery::nursery(|n| n.spawn(move || nest(depth - 1)).join() + 1)
}

/// Nurseries `size` deep: stack in proportion, and no memory left behind.
pub(crate) fn nested(task: Task) {
    const ROUNDS: usize = 5;
    /// Bytes of stack for each nursery, its child and the wait for it.
    const LEVEL: usize = 4 << 10;
    watched(task, |_| {
        let mut left = Vec::new();
        for _ in 0..ROUNDS {
            let builder = Pool::builder().threads(task.threads).stack_size(DEEP);
            let pool = builder.build().expect("a valid configuration");
            let deep = || pool.nursery(|_| nest(task.size));
            let reached = thread::scope(|scope| {
                let builder = thread::Builder::new().stack_size(DEEP);
                let outside = builder.spawn_scoped(scope, deep);
                outside.expect("a thread").join().expect("it ends")
            });
            assert_eq!(reached, task.size);
            drop(pool);
            left.push(live());
        }
        let extent = EXTENT.load(Ordering::Relaxed);
        println!("  nurseries in each other: {}, {ROUNDS} times", task.size);
        println!("  bytes of stack for each: {}", extent / task.size);
        println!("  live bytes after each time: {left:?}");
        assert!(extent / task.size <= LEVEL, "{extent} bytes of stack");
        assert!(
            left[ROUNDS - 1] <= left[0] + (64 << 10),
            "memory is left behind"
        );
    });
}

/// Chains of children each of which spawns the next: their stack does not depend on their length.
pub(crate) fn chain(task: Task) {
    fn link<'s>(n: &'s Nursery<'s, '_>, left: usize) {
        note();
        if left > 0 {
            let next = n.spawn(move || link(n, left - 1));
            if planted(left, 1) && left < 200 {
                next.join();
            }
        }
    }
    fn partial_link<'s>(n: &'s TryNursery<'s, '_, ()>, left: usize) {
        note();
        if left > 0 {
            n.spawn(move || {
                partial_link(n, left - 1);
                Ok(())
            });
        }
    }
    watched(task, |pool| {
        let bytes = |pool: &Pool| {
            EXTENT.store(0, Ordering::Relaxed);
            let before = live();
            pool.nursery(|n| link(n, task.size));
            let ended = pool.try_nursery(|n| {
                partial_link(n, task.size);
                Ok(())
            });
            assert!(ended.is_ok());
            let after = live();
            assert!(after <= before + KEPT, "{before} to {after} live bytes");
            EXTENT.load(Ordering::Relaxed)
        };
        let extent = bytes(pool);
        println!("  children: {}", 2 * task.size);
        println!("  bytes of stack for all: {extent}");
        assert!(extent <= SHALLOW, "{extent} bytes of stack");
    });
}

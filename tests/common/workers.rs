//! How a test has all workers of a pool start. Checks outside of `tests` use it, too; the module around it says
//! where the crate is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{Pool, block_in_place};

/// Has every worker of the pool start: the caller leaves its place to the workers while they compute.
pub(crate) fn start_all_workers(pool: &Pool) {
    while pool.stats().workers < pool.threads() {
        let left = AtomicUsize::new(100);
        pool.nursery(|n| {
            for _ in 0..100 {
                n.spawn(|| {
                    thread::yield_now();
                    left.fetch_sub(1, Ordering::Relaxed);
                });
            }
            block_in_place(|| {
                while left.load(Ordering::Relaxed) > 0 {
                    thread::yield_now();
                }
            });
        });
    }
    // A worker that was started takes its seat a moment later.
    let text = || format!("{pool:?}");
    let name = text().split('"').nth(1).expect("the name").to_owned();
    let is_there = |worker: usize| text().contains(&format!("owner: \"{name}-{worker}\""));
    while !(0..pool.threads()).all(is_there) {
        thread::yield_now();
    }
}

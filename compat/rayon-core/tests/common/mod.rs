//! What the tests share: pools of several sizes, and an end for programs that hang.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// How long a test may take before it counts as hanging. Not a measurement: each takes a small part of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `test`; ends the process if it hangs.
pub(crate) fn watched<R>(test: impl FnOnce() -> R) -> R {
    let (finished, is_finished) = channel::<()>();
    let name = thread::current().name().unwrap_or("?").to_owned();
    thread::scope(|scope| {
        scope.spawn(move || {
            if is_finished.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{name} hangs");
                std::process::exit(101);
            }
        });
        let result = catch_unwind(AssertUnwindSafe(test));
        drop(finished);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    })
}

pub(crate) fn pool(threads: usize) -> ThreadPool {
    let pool = ThreadPoolBuilder::new().num_threads(threads);
    pool.build().expect("the system has threads")
}

/// Runs `test` inside pools of 1, 2 and 4 threads.
pub(crate) fn in_each_pool(test: impl Fn() + Sync) {
    for threads in [1, 2, 4] {
        watched(|| pool(threads).install(&test));
    }
}

/// Computes something that takes a while and is not left out.
pub(crate) fn work(seed: usize) -> usize {
    (0..2_000).fold(seed, |sum, step| {
        std::hint::black_box(sum.wrapping_mul(31) ^ step)
    })
}

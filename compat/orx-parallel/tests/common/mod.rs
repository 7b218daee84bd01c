//! What the tests share: pools of several sizes, each under a watchdog.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use hatchery::Pool;

/// How long a test may take before it counts as hanging. Not a measurement: each takes a small part of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long the pool of a hanging test may take to describe itself.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `test`. If it hangs, says what the pool does, and ends the process.
pub(crate) fn watched<R>(pool: &Pool, test: impl FnOnce() -> R) -> R {
    let (finished, is_finished) = channel::<()>();
    let name = thread::current().name().unwrap_or("?").to_owned();
    thread::scope(|scope| {
        scope.spawn(move || {
            if is_finished.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{name} hangs");
                let (said, has_said) = channel();
                thread::scope(|scope| {
                    scope.spawn(move || {
                        eprintln!("{}", pool.dump());
                        _ = said.send(());
                    });
                    // Not for ever: who hangs may hold what the dump needs.
                    if has_said.recv_timeout(GRACE).is_err() {
                        eprintln!("the pool does not answer");
                    }
                    std::process::exit(101);
                });
            }
        });
        let result = catch_unwind(AssertUnwindSafe(test));
        drop(finished);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    })
}

/// Runs `test` on pools of 1, 2 and 4 threads.
pub(crate) fn on_each_pool(test: impl Fn(&Pool)) {
    for threads in [1, 2, 4] {
        let pool = Pool::builder().threads(threads).name(format!("w{threads}"));
        let pool = pool.build().expect("a valid configuration");
        watched(&pool, || test(&pool));
    }
}

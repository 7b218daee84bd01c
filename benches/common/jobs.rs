//! Jobs that an async task awaits: one by one, or many at a time.
//!
//! The task runs on a tokio runtime of one thread, which is outside the pools and sleeps while there is nothing to do.

use std::hint::black_box;
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task;

use super::open::PAUSE;
use super::{Contender, How, Pools};

/// Jobs of one call.
pub(crate) const CALLS: u64 = 1000;

/// A runtime whose threads for blocking calls are as many as those of the pools. They end with it.
fn runtime(threads: usize) -> Rc<Runtime> {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.max_blocking_threads(threads).build();
    Rc::new(runtime.expect("a runtime"))
}

/// Awaits `times` times `at_once` jobs that `$submit` begins; the answer is seven times as many.
macro_rules! awaiting {
    ($runtime:expr, $times:ident, $at_once:ident, $submit:expr, $take:expr) => {{
        let runtime = Rc::clone($runtime);
        move || {
            runtime.block_on(async {
                let mut sum = 0;
                for _ in 0..$times {
                    if $at_once == 1 {
                        sum += $take($submit.await);
                        continue;
                    }
                    let jobs: Vec<_> = (0..$at_once).map(|_| $submit).collect();
                    for job in jobs {
                        sum += $take(job.await);
                    }
                }
                sum
            })
        }
    }};
}

fn seven() -> u64 {
    black_box(7)
}

/// Contenders that submit `at_once` empty jobs and then await them, `times` times.
pub(crate) fn contenders(pools: &Pools, times: u64, at_once: u64) -> Vec<Contender<'_>> {
    let runtime = &runtime(pools.threads);
    let on_rayon = || {
        let (sender, receiver) = oneshot::channel();
        pools.rayon.spawn(move || {
            // Nobody is left to be told if this fails.
            let _ = sender.send(seven());
        });
        receiver
    };
    vec![
        Contender::new(
            "tokio spawn_blocking",
            awaiting!(
                runtime,
                times,
                at_once,
                task::spawn_blocking(seven),
                |done: Result<u64, _>| done.expect("no panic")
            ),
        ),
        Contender::new(
            "rayon spawn, oneshot",
            awaiting!(runtime, times, at_once, on_rayon(), |done: Result<
                u64,
                _,
            >| {
                done.expect("sent")
            }),
        ),
        Contender::new(
            "hatchery submit",
            awaiting!(
                runtime,
                times,
                at_once,
                pools.hatchery.submit(seven),
                |value| value
            ),
        ),
    ]
}

/// The same contenders with one job, each after a pause.
pub(crate) fn after_a_pause(pools: &Pools) -> Vec<Contender<'_>> {
    let one = contenders(pools, 1, 1).into_iter();
    one.map(|contender| {
        let How::Call(call) = contender.how else {
            unreachable!("all of them are calls");
        };
        Contender::timed(contender.name, move || {
            thread::sleep(PAUSE);
            let start = Instant::now();
            let answer = call();
            let took = start.elapsed();
            assert_eq!(answer, 7);
            took
        })
    })
    .collect()
}

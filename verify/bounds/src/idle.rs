//! Pools that have nothing to do: nobody runs.

#[path = "../../../tests/common/workers.rs"]
mod workers;

use std::thread;
use std::time::Duration;

use hatchery::{Options, Pool, block_in_place};
use workers::start_all_workers;

use crate::measure::switches;
use crate::{Task, planted, watched};

/// A deadline that passes while the pools are idle, after it was withdrawn.
const SOON: Duration = Duration::from_secs(3);
/// Seconds after which nobody watches deadlines if there are none: twice what the thread waits for one.
const REST: usize = 20;

/// Has all workers of the pool start, and runs children.
fn work(pool: &Pool) {
    start_all_workers(pool);
    for _ in 0..100 {
        pool.nursery(|n| n.spawn_each(0..1000_u64, |i| i * i).for_each(drop));
    }
}

/// What the threads of this name do while nothing happens for `size` seconds.
///
/// One pool has run children, one had deadlines as well, near and far. All are withdrawn. The near ones
/// the timer thread may find gone when their time has come: it looks once, and no thread of a pool does. Then
/// it retires.
pub(crate) fn idle(task: Task) {
    watched(task, |pool| {
        let builder = Pool::builder().threads(task.threads).name("timed");
        let timed = builder
            .spare_threads(0)
            .build()
            .expect("a valid configuration");
        work(pool);
        work(&timed);
        for timeout in [SOON, Duration::from_secs(1000)] {
            let options = Options::new().pool(&timed).timeout(timeout);
            let ended = options.try_nursery::<(), _, _>(|n| {
                n.spawn_each(0..1000, |_| Ok(())).for_each(drop);
                Ok(())
            });
            assert!(ended.is_ok());
        }
        // Until the last searcher sleeps: a quiet fifth of a second.
        let all = || ["bounds-", "timed-"].map(switches);
        loop {
            let before = all();
            thread::sleep(Duration::from_millis(200));
            if all() == before {
                break;
            }
        }
        let timer = switches("hatchery-timer");
        let before = all();
        if planted(0, 1) {
            work(pool);
        }
        thread::sleep(Duration::from_secs(task.size as u64));
        let after = all();
        let timer_after = switches("hatchery-timer");
        let number: usize = after.iter().map(Vec::len).sum();
        println!(
            "  idle seconds: {}, threads: {number}, timer: {timer_after:?}",
            task.size
        );
        assert!(
            number >= 2 * task.threads,
            "the threads are there: {after:?}"
        );
        assert_eq!(after, before, "a thread of an idle pool has run");
        assert_eq!(timer.len(), 1);
        match &timer_after[..] {
            // It has retired.
            [] => {}
            [after] => assert!(
                task.size < REST && after.1 <= timer[0].1 + 1,
                "{timer:?} to {timer_after:?}"
            ),
            _ => panic!("more than one watches deadlines: {timer_after:?}"),
        }
    });
}

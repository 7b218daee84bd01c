//! The end of a pool, and of the process while pools are busy.
#![allow(unsafe_code, reason = "registers what an exit calls")]

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::alone;
use crate::common::{Gate, watched};
#[cfg(target_os = "linux")]
use crate::common::{threads_left, threads_named};
use hatchery::Pool;

/// Says when it is dropped, and when it has been.
struct Slow {
    begins: Arc<Gate>,
    may_end: Arc<Gate>,
    ended: Arc<AtomicUsize>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.begins.open();
        self.may_end.wait();
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

thread_local!(static SLOW: RefCell<Option<Slow>> = const { RefCell::new(None) });

#[test]
fn the_end_of_a_pool_waits_for_the_thread_locals_of_its_threads() {
    for is_blocking in [false, true] {
        for explicit in [false, true] {
            let [begins, may_end]: [Arc<Gate>; 2] = Default::default();
            let ended = Arc::new(AtomicUsize::new(0));
            let made = Arc::new(AtomicUsize::new(0));
            let slow = {
                let [begins, may_end] = [&begins, &may_end].map(Arc::clone);
                let (ended, made) = (Arc::clone(&ended), Arc::clone(&made));
                move |_: &str| {
                    made.fetch_add(1, Ordering::Relaxed);
                    SLOW.set(Some(Slow {
                        begins: Arc::clone(&begins),
                        may_end: Arc::clone(&may_end),
                        ended: Arc::clone(&ended),
                    }));
                }
            };
            let pool = Pool::builder().threads(2).on_thread_start(slow).build();
            let pool = pool.unwrap();
            watched(Pool::shared(), || {
                pool.nursery(|n| {
                    if is_blocking {
                        n.spawn_blocking(|| ());
                    } else {
                        n.spawn(|| ());
                    }
                });
                thread::scope(|scope| {
                    let end = scope.spawn(|| {
                        if explicit {
                            pool.shutdown();
                        } else {
                            drop(pool);
                        }
                        assert_eq!(
                            ended.load(Ordering::Relaxed),
                            made.load(Ordering::Relaxed),
                            "destructors have run"
                        );
                    });
                    begins.wait();
                    may_end.open();
                    end.join().unwrap();
                });
            });
            assert!(made.load(Ordering::Relaxed) > 0);
        }
    }
}

/// Runs a test of this file in a process of its own: its exit code, and what it writes to stderr.
fn end_of(name: &str) -> (Option<i32>, String) {
    let run = alone::alone(module_path!(), name, |_| ());
    (run.code, run.stderr)
}

/// Has threads open nurseries for ever, on the shared pool and on one of their own, and returns once
/// children of both run.
fn be_busy() {
    static RUNNING: [AtomicBool; 4] = [const { AtomicBool::new(false) }; 4];
    let own = Box::leak(Box::new(Pool::builder().threads(2).build().unwrap()));
    for (i, pool) in [Pool::shared(), own].into_iter().enumerate() {
        thread::spawn(move || {
            loop {
                pool.nursery(|n| {
                    n.spawn_blocking(|| RUNNING[2 * i].store(true, Ordering::Relaxed));
                    n.spawn_each(0..100_u64, |i| hatchery::join(|| i, thread::yield_now))
                        .for_each(drop);
                    RUNNING[2 * i + 1].store(true, Ordering::Relaxed);
                });
            }
        });
    }
    while !RUNNING
        .iter()
        .all(|is_running| is_running.load(Ordering::Relaxed))
    {
        thread::yield_now();
    }
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn exit_while_pools_are_busy() {
    be_busy();
    std::process::exit(7);
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn exit_in_a_child() {
    be_busy();
    Pool::shared().nursery(|n| {
        n.spawn_each(0..100, |_| std::process::exit(7))
            .for_each(|()| ());
    });
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn exit_in_a_child_that_may_block() {
    be_busy();
    hatchery::nursery(|n| n.spawn_blocking(|| std::process::exit(7)).join());
}

/// Ends the process when it is dropped.
struct Exits;

impl Drop for Exits {
    fn drop(&mut self) {
        std::process::exit(7);
    }
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn exit_in_the_destructor_of_a_capture() {
    be_busy();
    Pool::shared().nursery(|n| {
        for _ in 0..100 {
            let exits = Exits;
            n.spawn(move || drop(exits));
        }
    });
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn exit_in_the_destructor_of_a_value_that_nobody_joins() {
    be_busy();
    hatchery::nursery(|n| {
        n.spawn_each(0..100, |_| Exits);
        n.spawn_blocking(|| Exits);
    });
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn exit_in_the_destructor_of_a_child_that_is_skipped() {
    be_busy();
    hatchery::try_nursery::<(), (), _>(|n| {
        n.cancel();
        let exits = Exits;
        n.spawn(move || {
            let _exits = &exits;
            Ok(())
        });
        Ok(())
    })
    .unwrap();
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn exit_in_the_exit_hook_of_a_thread() {
    be_busy();
    let builder = Pool::builder().threads(2);
    let pool = builder.on_thread_exit(|_| std::process::exit(7)).build();
    let pool = pool.unwrap();
    pool.nursery(|n| n.spawn_blocking(|| ()).join());
    pool.shutdown();
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn return_while_pools_are_busy() {
    be_busy();
}

#[test]
fn the_process_ends_quietly_while_pools_are_busy() {
    for _ in 0..5 {
        for name in [
            "exit_while_pools_are_busy",
            "exit_in_a_child",
            "exit_in_a_child_that_may_block",
            "exit_in_the_destructor_of_a_capture",
            "exit_in_the_destructor_of_a_value_that_nobody_joins",
            "exit_in_the_destructor_of_a_child_that_is_skipped",
            "exit_in_the_exit_hook_of_a_thread",
        ] {
            assert_eq!(end_of(name), (Some(7), String::new()), "{name}");
        }
        let returned = end_of("return_while_pools_are_busy");
        assert_eq!(returned, (Some(0), String::new()));
    }
}

#[cfg(unix)]
#[test]
#[ignore = "run by a test in a process of its own"]
fn open_nurseries_when_the_process_has_begun_to_exit() {
    use nix::libc;
    extern "C" fn at_exit() {
        let sum: u64 = hatchery::nursery(|n| {
            n.spawn_blocking(|| ());
            n.spawn_each(0..100, |i| i).sum()
        });
        let pool = Pool::builder().threads(2).build().unwrap();
        pool.join(|| (), || ());
        pool.shutdown();
        // What was written before is lost; the code is not.
        if sum == 4950 {
            // SAFETY: it does not return.
            unsafe { libc::_exit(7) }
        }
    }
    be_busy();
    // SAFETY: the function may be called once, at the exit.
    unsafe { libc::atexit(at_exit) };
    std::process::exit(1);
}

#[cfg(unix)]
#[test]
fn a_nursery_works_while_the_process_exits() {
    for _ in 0..5 {
        let ended = end_of("open_nurseries_when_the_process_has_begun_to_exit");
        assert_eq!(ended, (Some(7), String::new()));
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by a test in a process of its own"]
fn use_deadlines_and_end_all_pools() {
    let day = std::time::Duration::from_secs(86400);
    let with_deadline = |pool: &Pool| hatchery::Options::new().pool(pool).timeout(day);
    let named = |name| Pool::builder().threads(2).name(name).build().unwrap();
    for _ in 0..20 {
        let (first, last) = (named("hatchery-1"), named("hatchery-2"));
        // One pool ends while a nursery of another one has a deadline.
        with_deadline(&first).nursery(|n| n.spawn_blocking(|| ()).join());
        with_deadline(&last).nursery(|n| {
            n.spawn_blocking(|| ()).join();
            first.shutdown();
            // It is there, but may not have its name yet; without it this waits for ever.
            while threads_named("hatchery-timer") == Some(0) {
                thread::yield_now();
            }
        });
        last.shutdown();
        let left = threads_left("hatchery-");
        assert_eq!(left, Some(0), "after the end of the last pool");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_of_the_crate_is_there_after_the_end_of_the_last_pool() {
    let ended = end_of("use_deadlines_and_end_all_pools");
    assert_eq!(ended, (Some(0), String::new()));
}

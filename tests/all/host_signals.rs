//! Signals that a host waits for, and those that end a program: no thread of a pool takes them.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "blocks signals, and sends them")]

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::alone;
use crate::common::{Gate, on_pool};
use hatchery::{Options, Pool, PoolBuilder};
use nix::libc;

/// Has all kinds of threads come: workers, side threads, spares, the watchdog, the timer's.
fn work_on(pool: &Pool) {
    let far = Options::new().pool(pool).timeout(Duration::from_secs(1000));
    let sum: u64 = far.nursery(|n| {
        n.spawn_blocking(thread::yield_now);
        n.spawn(|| hatchery::block_in_place(thread::yield_now));
        n.spawn_each(0..100, |i| i).sum()
    });
    assert_eq!(sum, 4950);
}

/// A set of two signals that hosts wait for.
fn waited_for() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: writes the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in [libc::SIGTERM, libc::SIGUSR1] {
        // SAFETY: the set was written.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: written above.
    unsafe { set.assume_init() }
}

/// Has the calling thread, and those that it starts, block them.
fn block() {
    // SAFETY: reads the set.
    let blocked =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &waited_for(), std::ptr::null_mut()) };
    assert_eq!(blocked, 0);
}

/// Whether the calling thread blocks this signal.
fn blocks(signal: libc::c_int) -> bool {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: writes the set.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr()) };
    // SAFETY: written by the call.
    unsafe { libc::sigismember(set.as_ptr(), signal) == 1 }
}

/// Sends signals to this process and waits for each.
fn receive_all_that_is_sent() {
    for signal in [libc::SIGTERM, libc::SIGUSR1].repeat(20) {
        let this = nix::unistd::getpid().as_raw();
        // SAFETY: to this process.
        unsafe { libc::kill(this, signal) };
        let mut received = 0;
        // SAFETY: reads the set, and writes the number.
        unsafe { libc::sigwait(&waited_for(), &raw mut received) };
        assert_eq!(received, signal);
    }
}

/// A pool that may have a thread of each kind.
fn watched_pool() -> PoolBuilder {
    let builder = Pool::builder().threads(2).name("host");
    builder.watchdog(Duration::from_secs(60))
}

/// Signals that a host may wait for: threads of pools block them.
const BLOCKED: [libc::c_int; 5] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGCHLD,
];

/// Signals that are about the thread that takes them: threads of pools take them.
const TAKEN: [libc::c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGPIPE,
    libc::SIGPROF,
];

/// How often to look for a moment in which no thread starts another one.
const LOOKS: usize = 10_000;

/// What each thread of this process is called, which signals it blocks, and whether it rests.
fn masks() -> Vec<(String, u64, bool)> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let masks = tasks.filter_map(|task| {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().to_owned())
        };
        let mask = u64::from_str_radix(&field("SigBlk:")?, 16).unwrap();
        Some((field("Name:")?, mask, field("State:")?.starts_with('S')))
    });
    masks.collect()
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn wait_for_signals_as_a_host() {
    for is_late in [true, false] {
        // A process with one thread, whose mask is all there is.
        let host = crate::processes::forked(|| {
            let pool = watched_pool().build().unwrap();
            if !is_late {
                block();
            }
            work_on(&pool);
            if is_late {
                block();
            }
            receive_all_that_is_sent();
            let is_over = &AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        work_on(&pool);
                    }
                });
                receive_all_that_is_sent();
                is_over.store(true, Ordering::Relaxed);
            });
        });
        host.has_succeeded();
    }
}

#[test]
fn a_host_that_waits_for_signals_gets_each_of_them() {
    let run = alone::alone(module_path!(), "wait_for_signals_as_a_host", |_| ());
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
#[ignore = "run by a test in a process of its own"]
fn look_at_signal_masks() {
    let bit = |signal: libc::c_int| 1_u64 << (signal - 1);
    let before = blocks(libc::SIGTERM);
    assert!(!before);
    let (lent, looked) = (&Gate::default(), &Gate::default());
    let pool = watched_pool().build().unwrap();
    let far = Options::new()
        .pool(&pool)
        .timeout(Duration::from_secs(1000));
    let seen = far.nursery(|n| {
        n.spawn_blocking(|| looked.wait());
        let home = thread::current().id();
        // Until a worker lends its place, and a spare comes.
        n.spawn(move || {
            if thread::current().id() != home {
                hatchery::block_in_place(|| {
                    lent.open();
                    looked.wait();
                });
            }
        });
        while !lent.is_open() {
            n.spawn(thread::yield_now).join();
        }
        let mut looks = 0;
        let seen = loop {
            let seen = masks();
            let kinds = ["host-0", "host-side", "host-watchdog", "hatchery-timer"];
            let is_there = |kind: &&str| seen.iter().any(|(name, ..)| name.starts_with(*kind));
            // While a thread starts another one, the C library blocks all of its signals, and a sanitizer
            // those that no fault of the thread's own raises. That does not take many looks, but for those
            // at which the system lets the thread do nothing.
            let starts = |(name, mask, _): &&(String, u64, bool)| {
                name.starts_with("host-") && TAKEN.iter().any(|&signal| mask & bit(signal) != 0)
            };
            looks += usize::from(seen.iter().filter(starts).all(|(.., rests)| *rests));
            let is_quiet = !seen.iter().any(|thread| starts(&thread)) || looks > LOOKS;
            if kinds.iter().all(is_there) && is_quiet {
                break seen;
            }
            n.spawn(thread::yield_now).join();
        };
        looked.open();
        seen
    });
    let ours = seen
        .iter()
        .filter(|(name, ..)| name.starts_with("host-") || name == "hatchery-timer");
    for (name, mask, _) in ours {
        for signal in BLOCKED {
            assert_ne!(mask & bit(signal), 0, "{name} takes {signal}");
        }
        for signal in TAKEN {
            assert_eq!(mask & bit(signal), 0, "{name} blocks {signal}");
        }
    }
    assert!(!blocks(libc::SIGTERM), "the starter goes on as it was");
    let inherits = Pool::builder()
        .threads(2)
        .inherit_signal_mask(true)
        .build()
        .unwrap();
    assert!(!inherits.nursery(|n| n.spawn_blocking(|| blocks(libc::SIGTERM)).join()));
}

#[test]
fn threads_of_pools_block_what_others_may_be_meant_to_take() {
    let run = alone::alone(module_path!(), "look_at_signal_masks", |_| ());
    assert_eq!(run.code, Some(0), "{run:?}");
}

/// A process that a child has forked can be ended as that of any other thread.
#[test]
fn a_process_that_a_child_forks_takes_signals_again() {
    let mut ends_itself = Command::new("sh");
    ends_itself.args(["-c", "kill -TERM $$"]);
    // SAFETY: it does nothing, but the program is started by a fork.
    unsafe { ends_itself.pre_exec(|| Ok(())) };
    on_pool(Pool::builder().threads(2), |pool| {
        let status = pool.nursery(|n| n.spawn_blocking(|| ends_itself.status()).join());
        assert_eq!(status.unwrap().signal(), Some(libc::SIGTERM));
    });
    // The side thread is started by a worker, which takes no signals itself.
    on_pool(Pool::builder().threads(2), |pool| {
        let here = thread::current().id();
        let status = pool.nursery(|n| {
            let child = n.spawn(|| {
                assert_ne!(thread::current().id(), here);
                n.spawn_blocking(|| ends_itself.status()).join()
            });
            let has_ended = || {
                while !child.is_finished() {
                    thread::yield_now();
                }
            };
            hatchery::block_in_place(has_ended);
            child.join()
        });
        assert_eq!(status.unwrap().signal(), Some(libc::SIGTERM));
    });
}

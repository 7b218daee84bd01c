//! Signals that interrupt whatever a thread waits in: nobody takes that for what it waits for.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "handles signals, and sends them")]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{REFUSED_STACK, on_pool, seeded};
use hatchery::{Options, Pool};
use nix::libc;

/// How often the handler was called.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handle(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Has the signal interrupt calls of the system, which are not started again.
fn interrupt_by(signal: libc::c_int) {
    // SAFETY: all zero is a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handle as *const () as usize;
    // SAFETY: the handler only counts.
    let set = unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

/// A thousand times a second the process is sent an alarm, which some thread gets; and each of its
/// threads is sent one as often as possible.
fn during_a_storm<R>(f: impl FnOnce() -> R) -> R {
    let every = |micros| libc::timeval {
        tv_sec: 0,
        tv_usec: micros,
    };
    let set = |micros| {
        let timer = libc::itimerval {
            it_interval: every(micros),
            it_value: every(micros),
        };
        // SAFETY: reads the timer.
        let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
        assert_eq!(set, 0);
    };
    let is_over = &AtomicBool::new(false);
    let process = nix::unistd::getpid().as_raw();
    thread::scope(|scope| {
        scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
                    let task = task.file_name().to_str().and_then(|id| id.parse().ok());
                    let Some(task): Option<libc::pid_t> = task else {
                        continue;
                    };
                    // SAFETY: to a thread of this process, or one that is gone.
                    unsafe { libc::syscall(libc::SYS_tgkill, process, task, libc::SIGALRM) };
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        set(1000);
        let result = f();
        set(0);
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

/// Waits in every way until a signal has come meanwhile.
fn wait_for_a_signal(pool: &Pool, rng: &mut fastrand::Rng) {
    let before = HANDLED.load(Ordering::Relaxed);
    while HANDLED.load(Ordering::Relaxed) == before {
        wait_in_every_way(pool, rng);
    }
}

/// Everything that may wait: for children, siblings, side threads, permits, a deadline, the end.
fn wait_in_every_way(pool: &Pool, rng: &mut fastrand::Rng) {
    let size = rng.u64(1..20);
    let sum: u64 = pool.nursery(|n| {
        let may_block = n.spawn_blocking(|| {
            thread::yield_now();
            n.spawn(|| 1).join()
        });
        let lends = n.spawn(|| hatchery::block_in_place(|| 2));
        let limited = Options::new().limit(1).nursery(|m| {
            let one = m.spawn_blocking(|| 3);
            let other = m.spawn(|| 4);
            one.join() + other.join()
        });
        let each: u64 = n
            .spawn_each(0..size, |i| hatchery::join(|| i, || ()).0)
            .sum();
        each + may_block.join() + lends.join() + limited
    });
    assert_eq!(sum, 10 + size * (size - 1) / 2);
    let late = Options::new()
        .pool(pool)
        .timeout(Duration::from_micros(500));
    let told = late.try_nursery(|n| {
        n.spawn_blocking(|| {
            while hatchery::checkpoint().is_ok() {
                thread::yield_now();
            }
            Err::<(), _>(())
        });
        while n.checkpoint().is_ok() {
            thread::yield_now();
        }
        n.checkpoint()
    });
    assert!(told.is_err());
}

#[test]
fn signals_that_interrupt_waits_change_nothing() {
    interrupt_by(libc::SIGALRM);
    let rng = Mutex::new(seeded("signals"));
    let before = HANDLED.load(Ordering::Relaxed);
    let rounds = &AtomicUsize::new(0);
    // Whose threads are interrupted as well.
    let builder = |threads| Pool::builder().threads(threads).inherit_signal_mask(true);
    let refused = builder(2).stack_size(REFUSED_STACK);
    for pool in [builder(1), builder(2), builder(4), refused] {
        on_pool(pool, |pool| interrupted(pool, &rng, rounds));
    }
    let handled = HANDLED.load(Ordering::Relaxed) - before;
    let rounds = rounds.load(Ordering::Relaxed);
    println!("signals: {rounds} rounds, {handled} signals");
}

fn interrupted(pool: &Pool, rng: &Mutex<fastrand::Rng>, rounds: &AtomicUsize) {
    during_a_storm(|| {
        for _ in 0..100 {
            wait_for_a_signal(pool, &mut rng.lock().unwrap());
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    });
    // And pools that come and go meanwhile.
    during_a_storm(|| {
        for _ in 0..10 {
            let builder = Pool::builder().threads(2).inherit_signal_mask(true);
            let pool = builder.build().unwrap();
            wait_for_a_signal(&pool, &mut rng.lock().unwrap());
            pool.shutdown();
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    });
}

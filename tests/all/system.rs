//! What the system grants: threads that it refuses, CPUs that it withholds.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "asks for fewer CPUs")]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::alone;
use hatchery::{Options, Pool};
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};

/// Where a test in a process of its own finds its number.
const NUMBER: &str = "HATCHERY_TEST_NUMBER";

fn number() -> usize {
    std::env::var(NUMBER).unwrap().parse().unwrap()
}

/// A user that has no other processes, most likely: the limit counts those of all programs.
fn nobody() -> u32 {
    2_000_000 + std::process::id()
}

/// Threads of this process.
fn tasks() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn s1_everything_completes_with_as_many_threads_as_the_system_grants() {
    let mut probe = Command::new(std::env::current_exe().unwrap());
    probe.arg("--list").stdout(Stdio::null()).uid(nobody());
    if let Err(error) = probe.status() {
        println!("SKIPPED: cannot run as a user with a limit of its own: {error}");
        return;
    }
    for granted in 0..8 {
        let run = alone::alone(module_path!(), "complete_with_few_threads", |this| {
            this.uid(nobody()).env(NUMBER, granted.to_string());
        });
        assert_eq!(run.code, Some(0), "{granted}: {run:?}");
    }
}

/// Children that may block, and such that compute, in each other.
fn tree(depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    hatchery::nursery(|n| {
        let computes = n.spawn(move || tree(depth - 1));
        let may_block = n.spawn_blocking(move || tree(depth - 1));
        computes.join() + may_block.join()
    })
}

#[test]
#[ignore = "run as another user, in a process of its own"]
fn complete_with_few_threads() {
    let most = tasks() + number();
    setrlimit(Resource::RLIMIT_NPROC, most as _, most as _).unwrap();
    let pool = Pool::builder().threads(3).build().unwrap();
    for pool in [&pool, Pool::shared()] {
        for _ in 0..5 {
            assert_eq!(pool.nursery(|n| n.spawn(|| tree(4)).join()), 16);
            // Told by the timer's thread, if that is granted.
            let told = Options::new()
                .pool(pool)
                .timeout(Duration::from_millis(1))
                .try_nursery(|n| {
                    n.spawn_blocking(|| -> Result<(), ()> {
                        while hatchery::checkpoint().is_ok() {
                            thread::yield_now();
                        }
                        Ok(())
                    });
                    while n.checkpoint().is_ok() {
                        thread::yield_now();
                    }
                    n.checkpoint()
                });
            assert!(told.is_err());
        }
    }
    assert!(tasks() <= most, "the limit holds");
    let all_are_refused = format!("{pool:?}").contains("workers_started: 0, workers_refused: 3");
    assert_eq!(all_are_refused, number() == 0, "{pool:?}");
    pool.shutdown();
}

#[test]
#[ignore = "run in a process of its own"]
fn print_threads() {
    println!("threads={}", Pool::shared().threads());
}

/// Keeps the calling thread, and all that comes of it, on the first of its CPUs.
fn keep_one_cpu() {
    // SAFETY: all zero is an empty set.
    let mut cpus: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    let size = size_of_val(&cpus);
    // SAFETY: fills a set of this size.
    assert_eq!(unsafe { libc::sched_getaffinity(0, size, &mut cpus) }, 0);
    let all = 0..libc::CPU_SETSIZE as usize;
    // SAFETY: within the set.
    let first = all
        .into_iter()
        .find(|cpu| unsafe { libc::CPU_ISSET(*cpu, &cpus) });
    // SAFETY: a set of one CPU that this process has.
    unsafe { libc::CPU_ZERO(&mut cpus) };
    // SAFETY: as above.
    unsafe { libc::CPU_SET(first.unwrap(), &mut cpus) };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::sched_setaffinity(0, size, &cpus) }, 0);
}

#[test]
fn a_pool_has_no_more_threads_than_the_process_may_use_cpus() {
    let run = alone::alone(module_path!(), "print_threads", |this| {
        let keep = || {
            keep_one_cpu();
            Ok(())
        };
        // SAFETY: system calls on a set that lies on the stack, before anything else is run.
        unsafe { this.pre_exec(keep) };
    });
    assert!(run.stdout.contains("threads=1\n"), "{run:?}");
}

/// A control group that grants half a CPU; removed when dropped.
struct Quota {
    group: PathBuf,
}

impl Quota {
    fn new() -> Result<Self, String> {
        let name = format!("hatchery-test-{}", std::process::id());
        let text = |error: std::io::Error| error.to_string();
        let mut reason = String::new();
        for (root, quota) in [
            (
                "/sys/fs/cgroup/cpu",
                [
                    ("cpu.cfs_period_us", "100000"),
                    ("cpu.cfs_quota_us", "50000"),
                ],
            ),
            (
                "/sys/fs/cgroup",
                [("cpu.max", "50000 100000"), ("cpu.max", "50000 100000")],
            ),
        ] {
            let group = Path::new(root).join(&name);
            if let Err(error) = fs::create_dir(&group) {
                reason += &format!("{root}: {error}; ");
                continue;
            }
            let group = Self { group };
            let set = quota.iter().try_for_each(|(file, value)| {
                fs::write(group.group.join(file), value).map_err(text)
            });
            match set {
                Ok(()) => return Ok(group),
                Err(error) => reason += &format!("{root}: {error}; "),
            }
        }
        Err(reason)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.group);
    }
}

#[test]
fn a_pool_has_no_more_threads_than_its_quota_of_cpus() {
    let all = alone::alone(module_path!(), "print_threads", |_| ());
    if all.stdout.contains("threads=1\n") {
        println!("SKIPPED: there is only one CPU");
        return;
    }
    let quota = match Quota::new() {
        Ok(quota) => quota,
        Err(reason) => {
            println!("SKIPPED: no control group for a quota: {reason}");
            return;
        }
    };
    let procs = quota.group.join("cgroup.procs");
    let run = alone::alone(module_path!(), "print_threads", |this| {
        let enter = move || fs::write(&procs, "0");
        // SAFETY: writes a file, before anything else is run.
        unsafe { this.pre_exec(enter) };
    });
    assert!(run.stdout.contains("threads=1\n"), "{run:?}");
}

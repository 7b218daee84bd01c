//! Runs a program on a host, in every setting, in a process of its own that a watchdog can end.

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::common::{doing, watched_for};
use crate::host::{Form, Host};
use crate::program::{self, Run};
use hatchery::{Pool, block_in_place};

/// A program that takes longer in one setting hangs. Not a measurement: each takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a process finds the host that it is for.
const VARIABLE: &str = "HATCHERY_TEST_HOST";

const PLAIN_THREADS: &str = "plain threads";
const SHARED_POOL: &str = "the shared pool";

/// How often a program runs in each setting: on a pool that has not been used, and on one that has.
const ROUNDS: usize = 2;

/// A program in a process for each case, where it runs in each setting.
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) program: fn(Host<'_>),
    pub(crate) settings: &'static [Setting],
    pub(crate) cases: &'static [Case],
}

/// What one process is for.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    host: &'static str,
    on: On,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum On {
    AllCpus,
    OneCpu,
}

use On::{AllCpus, OneCpu};

const fn case(host: &'static str, on: On) -> Case {
    Case { host, on }
}

pub(crate) const ON_PLAIN_THREADS: [Case; 2] =
    [case(PLAIN_THREADS, AllCpus), case(PLAIN_THREADS, OneCpu)];

pub(crate) const ON_POOLS: [Case; 6] = [
    case("a pool of 2", AllCpus),
    case("a pool of 4", AllCpus),
    case("a pool of 8", AllCpus),
    case("a pool of 2", OneCpu),
    case("a pool of 4", OneCpu),
    case("a pool of 8", OneCpu),
];

/// The shared pool has one thread as well, since `HATCHERY_THREADS` says so.
pub(crate) const ON_POOLS_OF_ONE: [Case; 3] = [
    case("a pool of 1", AllCpus),
    case("a pool of 1", OneCpu),
    case(SHARED_POOL, AllCpus),
];

/// Where a program runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Setting {
    /// On the thread of the caller, and its scopes have that form.
    AtTheCaller(Form),
    InAChild,
    /// Of another thread than the spawner.
    InAStolenChild,
    InAnItemOfSpawnEach,
    /// In the body of a scope that has unstarted children.
    FurtherIn,
}

use Setting::{AtTheCaller, FurtherIn, InAChild, InAStolenChild, InAnItemOfSpawnEach};

pub(crate) const EVERYWHERE: [Setting; 7] = [
    AtTheCaller(Form::Total),
    AtTheCaller(Form::Partial),
    AtTheCaller(Form::Limited),
    InAChild,
    InAStolenChild,
    InAnItemOfSpawnEach,
    FurtherIn,
];

pub(crate) const AT_THE_CALLER: [Setting; 1] = [AtTheCaller(Form::Total)];

pub(crate) const WITHOUT_LIMIT: [Setting; 6] = [
    AtTheCaller(Form::Total),
    AtTheCaller(Form::Partial),
    InAChild,
    InAStolenChild,
    InAnItemOfSpawnEach,
    FurtherIn,
];

impl Setting {
    fn form(self) -> Form {
        match self {
            AtTheCaller(form) => form,
            _ => Form::Total,
        }
    }

    fn run(self, host: Host<'_>, program: fn(Host<'_>)) {
        match self {
            AtTheCaller(_) => program(host),
            InAChild => host.scope(|n| n.spawn(|| program(host)).join()),
            InAStolenChild => host.scope(|n| {
                let (ended, has_ended) = channel();
                n.spawn(move || {
                    program(host);
                    ended.send(thread::current().id())
                });
                let thief = block_in_place(|| has_ended.recv());
                assert_ne!(thief, Ok(thread::current().id()));
            }),
            InAnItemOfSpawnEach => host.scope(|n| {
                let run = |item| {
                    if item == 1 {
                        program(host);
                    }
                    item
                };
                assert_eq!(n.each(0..3, run), [0, 1, 2]);
            }),
            FurtherIn => {
                let ran = &AtomicUsize::new(0);
                host.scope(|n| {
                    for _ in 0..10 {
                        n.spawn(|| ran.fetch_add(1, Ordering::Relaxed));
                    }
                    program(host);
                });
                assert_eq!(ran.load(Ordering::Relaxed), 10);
            }
        }
    }
}

impl Test {
    /// Runs the program in a process for each case, all at once.
    pub(crate) fn check(&self) {
        if let Ok(case) = env::var(VARIABLE) {
            return self.run_here(&case);
        }
        let runs: Vec<_> = thread::scope(|scope| {
            let run = |case| scope.spawn(move || run_alone(self.name, case));
            let runs: Vec<_> = self.cases.iter().map(run).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        let failures = self.cases.iter().zip(runs).filter_map(|(case, run)| {
            let Case { host, on } = case;
            let what = failure_of(&run)?;
            eprintln!("---- {host}, {on:?}\n{}{}", run.stdout, run.stderr);
            Some(format!("{host}, {on:?}: {what}"))
        });
        let failures: Vec<_> = failures.collect();
        assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    }

    /// Runs the program on the host of that name, in every setting.
    fn run_here(&self, host: &str) {
        for &setting in self.settings {
            let form = setting.form();
            with_pools(host, |pools| {
                for round in 1..=ROUNDS {
                    doing(format!("{setting:?}, round {round}"));
                    watched_for(PATIENCE, pools.into_iter().flatten(), || {
                        setting.run(Host { pools, form }, self.program);
                    });
                }
            });
        }
    }
}

/// Calls `f` with the pool of the host of that name and one more, unless its children are plain threads.
fn with_pools(host: &str, f: impl FnOnce(Option<[&Pool; 2]>)) {
    let pool = |threads| Pool::builder().threads(threads).build().unwrap();
    match host {
        PLAIN_THREADS => f(None),
        SHARED_POOL => {
            assert_eq!(Pool::shared().threads(), 1);
            f(Some([Pool::shared(), &pool(1)]));
        }
        other => {
            let threads = other.strip_prefix("a pool of ").unwrap();
            let threads = threads.parse().unwrap();
            f(Some([&pool(threads), &pool(threads)]));
        }
    }
}

/// Runs the test `name` in a process of its own, which is for that case alone.
fn run_alone(name: &str, case: &Case) -> Run {
    let (_program, name) = name.split_once("::").expect("a test in a module");
    let mut this = Command::new(env::current_exe().unwrap());
    this.args([name, "--exact", "--include-ignored", "--nocapture"]);
    this.arg("--test-threads=1");
    this.env(VARIABLE, case.host).env("HATCHERY_THREADS", "1");
    if case.on == OneCpu {
        keep_one_cpu();
    }
    program::run(this)
}

/// What went wrong; that no test was found by that name, too.
fn failure_of(run: &Run) -> Option<String> {
    if run.code == Some(0) && run.stdout.contains(" 1 passed;") {
        return None;
    }
    let mut lines = run.stderr.lines();
    let hangs = lines.find_map(|line| line.split_once(" hangs. "));
    Some(hangs.map_or("fails".to_owned(), |(_test, what)| format!("hangs. {what}")))
}

/// Keeps the calling thread, and all that comes of it, on the first of its CPUs.
#[cfg(target_os = "linux")]
fn keep_one_cpu() {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let this = Pid::from_raw(0);
    let all = sched_getaffinity(this).unwrap();
    let first = (0..CpuSet::count()).find(|cpu| all.is_set(*cpu).unwrap());
    let mut one = CpuSet::new();
    one.set(first.expect("this thread runs")).unwrap();
    sched_setaffinity(this, &one).unwrap();
}

#[cfg(not(target_os = "linux"))]
fn keep_one_cpu() {
    println!("SKIPPED: no way to keep a process on one CPU here");
}

//! Runs a program on a host, in every setting, in a process of its own that a watchdog can end.

use std::env;
use std::fmt;
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

/// Where a process finds the hosts that it is for.
const VARIABLE: &str = "HATCHERY_TEST_HOST";

/// How often a program runs in each setting: on a pool that has not been used, and on one that has.
const ROUNDS: usize = 2;

pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) program: fn(Host<'_>),
    pub(crate) settings: &'static [Setting],
    pub(crate) cases: &'static [Case],
}

/// One process.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// The pool has so many threads; without a number, no pool is used at all.
    threads: Option<usize>,
    on: On,
}

#[derive(Clone, Copy, PartialEq)]
enum On {
    AllCpus,
    OneCpu,
    /// With that one thread, since `HATCHERY_THREADS` says so.
    SharedPool,
}

use On::{AllCpus, OneCpu, SharedPool};

const fn case(threads: usize, on: On) -> Case {
    let threads = Some(threads);
    Case { threads, on }
}

pub(crate) const ON_PLAIN_THREADS: [Case; 2] = [
    Case {
        threads: None,
        on: AllCpus,
    },
    Case {
        threads: None,
        on: OneCpu,
    },
];

pub(crate) const ON_POOLS: [Case; 6] = [
    case(2, AllCpus),
    case(4, AllCpus),
    case(8, AllCpus),
    case(2, OneCpu),
    case(4, OneCpu),
    case(8, OneCpu),
];

pub(crate) const ON_POOLS_OF_ONE: [Case; 3] =
    [case(1, AllCpus), case(1, OneCpu), case(1, SharedPool)];

pub(crate) const ON_ALL_POOLS: [Case; 9] = {
    let [a, b, c] = ON_POOLS_OF_ONE;
    let [d, e, f, g, h, i] = ON_POOLS;
    [a, b, c, d, e, f, g, h, i]
};

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
        let cases = thread::scope(|scope| {
            let run = |case| scope.spawn(move || run_alone(self.name, case));
            let runs: Vec<_> = self.cases.iter().map(run).collect();
            let runs = runs.into_iter().map(|run| run.join().unwrap());
            self.cases.iter().zip(runs).collect::<Vec<_>>()
        });
        let failed = cases.iter().filter(|(_, run)| run.code != Some(0));
        let failed: Vec<_> = failed
            .map(|(case, run)| {
                eprintln!("---- {case}\n{}{}", run.stdout, run.stderr);
                let mut lines = run.stderr.lines();
                let hangs = lines.find_map(|line| line.split_once(" hangs. "));
                let hangs = hangs.map(|(_test, what)| format!("hangs. {what}"));
                format!("{case}: {}", hangs.unwrap_or("fails".to_owned()))
            })
            .collect();
        assert!(failed.is_empty(), "\n{}", failed.join("\n"));
    }

    /// Runs the program on the host of that name, in every setting.
    fn run_here(&self, host: &str) {
        let pools = || {
            let of = |threads| Pool::builder().threads(threads).build().unwrap();
            host.parse().ok().map(|threads| [of(threads), of(threads)])
        };
        let other;
        let shared = if host == "shared" {
            other = Pool::builder().build().unwrap();
            Some([Pool::shared(), &other])
        } else {
            None
        };
        for &setting in self.settings {
            let own = pools();
            let own = own.as_ref().map(|[pool, other]| [pool, other]);
            let pools = shared.or(own);
            let host = Host {
                pools,
                form: setting.form(),
            };
            for round in 1..=ROUNDS {
                doing(format!("{setting:?}, round {round}"));
                let watched = pools.into_iter().flatten();
                watched_for(PATIENCE, watched, || setting.run(host, self.program));
            }
        }
    }
}

/// Runs the test `name` in a process of its own, which is for that case alone.
fn run_alone(name: &str, case: &Case) -> Run {
    let mut this = Command::new(env::current_exe().unwrap());
    let (_program, name) = name.split_once("::").expect("a test in a module");
    this.args([name, "--exact", "--include-ignored", "--nocapture"]);
    this.arg("--test-threads=1");
    let host = match case {
        Case { on: SharedPool, .. } => {
            this.env("HATCHERY_THREADS", "1");
            "shared".to_owned()
        }
        Case { threads, .. } => threads.map_or("plain".to_owned(), |threads| threads.to_string()),
    };
    this.env(VARIABLE, host);
    if case.on == OneCpu {
        keep_one_cpu();
    }
    program::run(this)
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

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.threads {
            Some(threads) => write!(f, "a pool of {threads}")?,
            None => f.write_str("plain threads")?,
        }
        f.write_str(match self.on {
            AllCpus => "",
            OneCpu => " on one CPU",
            SharedPool => ", which HATCHERY_THREADS sets",
        })
    }
}

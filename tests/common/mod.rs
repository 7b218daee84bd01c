//! What the tests share: a pool of every size, each under a watchdog.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod jobs;
pub(crate) mod workers;

use std::cell::Cell;
use std::fmt::Display;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use hatchery::{Pool, block_in_place};

/// How long a test may take before it counts as hanging. Not a measurement: the slowest test
/// takes a small part of it on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long the pool of a hanging test may take to describe itself.
const GRACE: Duration = Duration::from_secs(5);

/// The seeds used so far, for the watchdog: what tests have printed is lost when it ends them.
static SEEDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The random program that runs, for the watchdog.
static DOING: Mutex<String> = Mutex::new(String::new());

/// How many of those were begun.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// A stack that no thread can be given, so that every creation is refused.
pub(crate) const REFUSED_STACK: usize = usize::MAX / 8 * 7;

/// Runs `test` on pools of 1, 2 and 4 threads, and on one whose threads are all refused.
pub(crate) fn on_every_pool(test: impl Fn(&Pool)) {
    for threads in [1, 2, 4] {
        on_pool(
            Pool::builder().threads(threads).name(format!("w{threads}")),
            &test,
        );
    }
    on_no_worker(&test);
}

/// Runs `test` on a pool without any worker or side thread.
pub(crate) fn on_no_worker(test: impl Fn(&Pool)) {
    let refused = Pool::builder()
        .threads(2)
        .name("w0")
        .stack_size(REFUSED_STACK);
    on_pool(refused, test);
}

/// Runs `test` on the pool under a watchdog.
pub(crate) fn on_pool<R>(builder: hatchery::PoolBuilder, test: impl FnOnce(&Pool) -> R) -> R {
    let pool = builder.build().expect("a valid configuration");
    watched(&pool, || test(&pool))
}

/// Runs `test`; if it hangs, prints what waits in `pool` and ends the process.
pub(crate) fn watched<R>(pool: &Pool, test: impl FnOnce() -> R) -> R {
    watched_in([pool], test)
}

/// The same for a test that uses several pools.
pub(crate) fn watched_in<'p, R>(
    pools: impl IntoIterator<Item = &'p Pool>,
    test: impl FnOnce() -> R,
) -> R {
    watched_for(PATIENCE, pools, test)
}

/// The same, with less patience.
pub(crate) fn watched_for<'p, R>(
    patience: Duration,
    pools: impl IntoIterator<Item = &'p Pool>,
    test: impl FnOnce() -> R,
) -> R {
    let pools: Vec<_> = pools.into_iter().collect();
    let (finished, is_finished) = channel::<()>();
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut begun = BEGUN.load(Ordering::Relaxed);
            while is_finished.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                let before = begun;
                begun = BEGUN.load(Ordering::Relaxed);
                if begun != before {
                    continue;
                }
                let seeds = SEEDS.lock().unwrap().join(", ");
                let doing = DOING.lock().unwrap();
                say(&format!(
                    "{name} hangs. Seeds: {seeds}. {doing}\n{}",
                    threads()
                ));
                // Last, and not for ever: whoever hangs may hold a lock that it takes.
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        for pool in pools {
                            say(&format!("{}{pool:#?}\n", pool.dump()));
                        }
                        std::process::exit(101);
                    });
                    std::thread::sleep(GRACE);
                    say("the pool does not answer\n");
                    std::process::exit(101);
                });
            }
        });
        let result = catch_unwind(AssertUnwindSafe(test));
        drop(finished);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    })
}

/// Says which random program is run next, should it hang; the watchdog waits for that alone.
pub(crate) fn doing(program: String) {
    *DOING.lock().unwrap() = program;
    BEGUN.fetch_add(1, Ordering::Relaxed);
}

/// Says what went wrong first, for it may take long to make the program smaller; those that are smaller
/// are run so many times each, as what fails may depend on the schedule.
pub(crate) fn note_failure(
    wrong: &impl Display,
    program: &impl Display,
    repeats: &Cell<usize>,
    many: usize,
) {
    if repeats.replace(many) != many {
        eprintln!("{wrong}\nof {program}");
    }
}

/// Writes past the test harness, which would keep it and lose it at the exit.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The threads of this process, and where each of them sleeps.
fn threads() -> String {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return "no list of threads on this system".to_owned();
    };
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    tasks
        .flatten()
        .map(|task| {
            let name = read(task.path().join("comm"));
            let sleeps_in = read(task.path().join("wchan"));
            format!(
                "thread {:?} {}: {sleeps_in}\n",
                task.file_name(),
                name.trim()
            )
        })
        .collect()
}

/// What threads of this process do whose names begin so, if the system says: `S` stands for rest.
fn states(name: &str) -> Option<Vec<String>> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let state = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let field = |field| status.lines().find_map(|line| line.strip_prefix(field));
        let is_wanted = field("Name:\t")?.starts_with(name);
        is_wanted.then(|| field("State:\t").map(str::to_owned))?
    };
    Some(tasks.flatten().filter_map(state).collect())
}

/// Threads of this process with names that begin so, if the system says.
pub(crate) fn threads_named(name: &str) -> Option<usize> {
    states(name).map(|states| states.len())
}

/// The same of threads that have ended. The system lists a thread a moment longer than anybody waits for
/// it, but such a thread does not rest any more.
pub(crate) fn threads_left(name: &str) -> Option<usize> {
    loop {
        let states = states(name)?;
        let resting = states.iter().filter(|state| state.starts_with('S')).count();
        if resting == states.len() {
            return Some(resting);
        }
        std::thread::yield_now();
    }
}

/// A gate that stays open once opened: orders what tests do, without a clock.
#[derive(Default)]
pub(crate) struct Gate {
    is_open: Mutex<bool>,
    bell: Condvar,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.bell.notify_all();
    }

    pub(crate) fn wait(&self) {
        let open = self.is_open.lock().unwrap();
        drop(self.bell.wait_while(open, |open| !*open).unwrap());
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.is_open.lock().unwrap()
    }
}

/// Runs `f`, whether it panics or not.
pub(crate) fn caught(f: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(f)));
}

/// Runs `f`, which panics, and returns the payload.
pub(crate) fn payload_of<R>(f: impl FnOnce() -> R) -> Box<dyn std::any::Any + Send> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("expected a panic"),
        Err(payload) => payload,
    }
}

/// A payload with a number; not a string, so that it is told apart from the library's own panics.
#[derive(Debug, PartialEq)]
pub(crate) struct Number(pub(crate) usize);

/// Panics with that number, without the panic hook's report.
pub(crate) fn raise(number: usize) -> ! {
    resume_unwind(Box::new(Number(number)))
}

/// The number that `f` panics with.
pub(crate) fn number_of<R>(f: impl FnOnce() -> R) -> usize {
    payload_of(f).downcast::<Number>().expect("unchanged").0
}

/// A random source whose seed is printed; `HATCHERY_SEED` sets it.
pub(crate) fn seeded(what: &str) -> fastrand::Rng {
    let seed = std::env::var("HATCHERY_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let line = format!("{what}: HATCHERY_SEED={seed}");
    println!("{line}");
    SEEDS.lock().unwrap().push(line);
    fastrand::Rng::with_seed(seed)
}

/// What `f` returned, or the text it panicked with.
pub(crate) fn outcome<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        text.unwrap_or_default()
    })
}

pub(crate) fn busy(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// Counts what is alive, and what has been dropped.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) made: AtomicUsize,
    pub(crate) dropped: AtomicUsize,
}

impl Ledger {
    pub(crate) fn entry<const BYTES: usize>(&self) -> Entry<'_, BYTES> {
        self.made.fetch_add(1, Ordering::Relaxed);
        Entry {
            ledger: self,
            is_bomb: false,
            _filling: [0; BYTES],
        }
    }

    /// An entry whose drop panics, once it has been counted.
    pub(crate) fn bomb(&self) -> Entry<'_, 0> {
        let mut entry = self.entry();
        entry.is_bomb = true;
        entry
    }

    #[track_caller]
    pub(crate) fn is_balanced(&self, made: usize) {
        assert_eq!(self.made.load(Ordering::Relaxed), made, "made");
        assert_eq!(self.dropped.load(Ordering::Relaxed), made, "dropped");
    }
}

pub(crate) struct Entry<'a, const BYTES: usize> {
    ledger: &'a Ledger,
    pub(crate) is_bomb: bool,
    _filling: [u8; BYTES],
}

impl<const BYTES: usize> Drop for Entry<'_, BYTES> {
    fn drop(&mut self) {
        self.ledger.dropped.fetch_add(1, Ordering::Relaxed);
        assert!(!self.is_bomb, "bomb");
    }
}

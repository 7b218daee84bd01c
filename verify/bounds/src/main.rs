//! Long runs whose demands must stay what they were: run by `verify/bounds/run`.
//!
//! `hatchery-bounds SCENARIO THREADS SIZE` runs one scenario in this process and prints what it has seen.
//! `hatchery-bounds SCENARIO THREADS SIZE PLANTED` runs it with a defect planted, which it must notice: it then
//! fails like any other.

mod children;
mod depth;
mod idle;
mod lives;
mod measure;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use hatchery::Pool;

/// How long a scenario may take before it counts as hanging: minutes, and each takes seconds.
const PATIENCE: Duration = Duration::from_secs(300);
/// How a scenario ends that hangs; one that fails panics.
const HANGS: i32 = 102;
/// A pool that hangs may not answer.
const GRACE: Duration = Duration::from_secs(5);

/// Whether a defect is planted.
static IS_PLANTED: AtomicBool = AtomicBool::new(false);

/// Whether the scenario is to do something wrong for once in `every` times; asked at the `n`th.
fn planted(n: usize, every: usize) -> bool {
    n % every == 0 && IS_PLANTED.load(Ordering::Relaxed)
}

/// So many bytes are never freed; the compiler must not see that nobody reads them.
fn leak(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1_u8; bytes]));
}

/// What a scenario is told.
#[derive(Clone, Copy)]
struct Task {
    threads: usize,
    size: usize,
}

/// Name and code.
type Scenario = (&'static str, fn(Task));

/// All of them.
const SCENARIOS: [Scenario; 20] = [
    ("joined", children::joined),
    ("joined-backwards", children::joined_backwards),
    ("joined-at-once", children::joined_at_once),
    ("dropped", children::dropped),
    ("by-siblings", children::by_siblings),
    ("foreign", children::foreign),
    ("each", children::each),
    ("completion", children::completion),
    ("forks", children::forks),
    ("blocking", children::blocking),
    ("limited", children::limited),
    ("partial", children::partial),
    ("partial-each", children::partial_each),
    ("partial-failures", children::partial_failures),
    ("burst", children::burst),
    ("pools", lives::pools),
    ("guests", lives::guests),
    ("depth", depth::nested),
    ("chain", depth::chain),
    ("idle", idle::idle),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, numbers, planted) = match &arguments[..] {
        [name, threads, size] => (name, [threads, size], false),
        [name, threads, size, word] if word == "PLANTED" => (name, [threads, size], true),
        _ => {
            let names = SCENARIOS.map(|(name, _)| name).join(" ");
            panic!("SCENARIO THREADS SIZE [PLANTED], one of {names}")
        }
    };
    let [threads, size] = numbers.map(|number| number.parse().expect("a number"));
    let scenario = SCENARIOS.iter().find(|(known, _)| known == name);
    let (_, run) = scenario.unwrap_or_else(|| panic!("no scenario {name:?}"));
    IS_PLANTED.store(planted, Ordering::Relaxed);
    run(Task { threads, size });
}

/// Runs `test` on a pool; ends the process if it hangs, with what waits there.
fn watched<R>(task: Task, test: impl FnOnce(&Pool) -> R) -> R {
    let builder = Pool::builder().threads(task.threads).name("bounds");
    // Each side thread that is interrupted keeps a chunk for as long as that takes; a spare would end while the
    // pool is idle.
    let builder = builder.blocking_threads(2).spare_threads(0);
    let pool = builder.build().expect("a valid configuration");
    let (finished, is_finished) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let is_finished = is_finished;
            if is_finished.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            say("it hangs\n");
            scope.spawn(|| {
                say(&format!("{}{:#?}\n", pool.dump(), pool));
                std::process::exit(HANGS);
            });
            std::thread::sleep(GRACE);
            say("the pool does not answer\n");
            std::process::exit(HANGS);
        });
        let result = test(&pool);
        drop(finished);
        result
    })
}

fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

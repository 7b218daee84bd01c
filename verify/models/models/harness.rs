//! How models are run: each is explored, its executions are counted, and each of its *twins*, which
//! is the same model with a bug planted, is seen to fail.
//!
//! A twin runs in a process of its own, since a deadlock inside a model may end the process. It has to
//! fail, for the reason that is expected, and with the bug reached.

use std::env;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use loom::model::Builder;

use crate::platform::planted::{self, Bug, Change};
use crate::platform::sync::atomic::AtomicUsize;

/// Explores a model without bound: one of two threads, or of more if they do little.
pub(super) fn exhaustively(model: impl Fn() + Sync + Send + 'static) {
    check(None, model);
}

/// Explores a model of more than two threads up to three preemptions, where bugs of depth three still
/// show.
pub(super) fn within_bounds(model: impl Fn() + Sync + Send + 'static) {
    within(3, model);
}

/// Explores a model of more than two threads up to so many preemptions, three at least.
pub(super) fn within(bound: usize, model: impl Fn() + Sync + Send + 'static) {
    assert!(bound >= 3, "bugs of depth three would not show");
    check(Some(bound), model);
}

/// What the environment wants of all models.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Compared with what is recorded.
    Compare,
    /// Printed only, to be recorded.
    Record,
    /// One preemption more.
    Deep,
}

fn mode() -> Mode {
    match env::var("HATCHERY_MODELS").as_deref() {
        Err(_) => Mode::Compare,
        Ok("record") => Mode::Record,
        Ok("deep") => Mode::Deep,
        Ok(other) => panic!("HATCHERY_MODELS is neither record nor deep but {other:?}"),
    }
}

/// Says how far it came, whether it ends or panics.
struct Counter {
    name: &'static str,
    executions: Arc<AtomicU64>,
}

impl Drop for Counter {
    fn drop(&mut self) {
        let executions = self.executions.load(Ordering::Relaxed);
        let how = if thread::panicking() { "fails, " } else { "" };
        println!("model {}: {how}{executions} executions", self.name);
    }
}

/// Explores the model, which has the name of the test that its closure stands in.
fn check<F: Fn() + Sync + Send + 'static>(bound: Option<usize>, model: F) {
    planted::arm();
    let mode = mode();
    let mut builder = Builder::new();
    builder.preemption_bound = bound.map(|bound| bound + usize::from(mode == Mode::Deep));
    let path = std::any::type_name::<F>();
    let path = path.strip_suffix("::{{closure}}").expect("a closure");
    let (_, name) = path.rsplit_once("::").expect("a path");
    let executions = Arc::new(AtomicU64::new(0));
    let counter = Counter {
        name,
        executions: Arc::clone(&executions),
    };
    builder.check(move || {
        executions.fetch_add(1, Ordering::Relaxed);
        model();
    });
    if mode == Mode::Compare && !planted::is_any() {
        compare(name, counter.executions.load(Ordering::Relaxed));
    }
}

/// A model that explores much less than it did has lost what it is about.
fn compare(name: &str, executions: u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("executions.txt");
    let recorded = fs::read_to_string(path).expect("what is recorded");
    let of_this = recorded.lines().find_map(|line| {
        let (other, count) = line.split_once(' ')?;
        (other == name).then(|| count.parse::<u64>().expect("a number"))
    });
    let of_this = of_this.expect("recorded by `verify/models/run --record`");
    assert!(
        executions >= of_this.div_ceil(2),
        "{executions} executions, where there were {of_this}"
    );
}

/// How a twin fails.
#[derive(Clone, Copy)]
pub(super) enum Failure {
    /// Two accesses to plain memory, one of them a write, that nothing orders.
    Race,
    /// Nobody can go on.
    Deadlock,
    /// Somebody waits in a loop for what never comes.
    Livelock,
    /// Memory that is never given back.
    Leak,
    /// A check that says this.
    Says(&'static str),
}

impl Failure {
    fn text(self) -> &'static str {
        match self {
            Self::Race => "Causality violation",
            Self::Deadlock => "deadlock; threads",
            Self::Livelock => "Model exceeded maximum number of branches",
            Self::Leak => "leaked",
            Self::Says(text) => text,
        }
    }
}

/// All orderings of that call are Relaxed, or the fence is none.
pub(super) fn relaxed(
    file: &'static str,
    function: &'static str,
    code: &'static str,
) -> Bug<'static> {
    Bug::Call(Change::Relaxed, [file, function, code])
}

/// That fence is one of Acquire and Release only.
pub(super) fn acqrel(
    file: &'static str,
    function: &'static str,
    code: &'static str,
) -> Bug<'static> {
    Bug::Call(Change::AcqRel, [file, function, code])
}

/// That call does nothing, or that look finds nothing.
pub(super) fn skipped(
    file: &'static str,
    function: &'static str,
    code: &'static str,
) -> Bug<'static> {
    Bug::Call(Change::Skipped, [file, function, code])
}

/// That read-modify-write is a read and a write.
pub(super) fn split(
    file: &'static str,
    function: &'static str,
    code: &'static str,
) -> Bug<'static> {
    Bug::Call(Change::Split, [file, function, code])
}

/// The model does this step wrongly.
pub(super) fn step(name: &'static str) -> Bug<'static> {
    Bug::Step(name)
}

/// Declares twins: `MODEL { BUG: what is planted => how it fails; ... } ...`. Once per file, whose
/// models they belong to.
macro_rules! twins {
    ($($model:ident { $($bug:ident: $planted:expr => $fails:expr;)+ })+) => {
        mod twins {$(
            mod $model {
                #[allow(unused_imports, reason = "not each model uses all of them")]
                use crate::models::harness::{
                    Failure::*, acqrel, assert_caught, relaxed, skipped, split, step,
                };

                $(
                    #[test]
                    fn $bug() {
                        assert_caught(module_path!(), stringify!($bug), $planted, $fails);
                    }
                )+
            }
        )+}
    };
}
pub(super) use twins;

/// How long a twin may take to fail.
const PATIENCE: Duration = Duration::from_secs(200);

/// Runs the model that the twins in the module `twins` belong to, with a bug planted.
pub(super) fn assert_caught(twins: &str, bug: &str, planted: Bug<'_>, fails: Failure) {
    let (_, path) = twins.split_once("::").expect("a path inside the crate");
    let test = path.replace("::twins::", "::");
    let (is_success, output) = run(&test, planted);
    let whole = format!("{test} with {planted:?}:\n{output}");
    assert!(!is_success, "not caught: {whole}");
    assert!(output.contains(planted::REACHED), "not reached: {whole}");
    // What comes after the first failure may follow from it.
    let first = output.split("panicked at").nth(1).unwrap_or_default();
    let is_right = first.contains(fails.text());
    assert!(is_right, "fails, but not by {:?}: {whole}", fails.text());
    let model = test.rsplit("::").next().unwrap_or_default();
    println!("caught {model} / {bug}: {}", fails.text());
}

/// Runs one test in a process of its own; whether it succeeds, and what it prints.
fn run(test: &str, planted: Bug<'_>) -> (bool, String) {
    let program = env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(planted::VARIABLE, planted.to_text())
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the same program again");
    let (send, texts) = mpsc::channel();
    let readers: [Box<dyn Read + Send>; 2] = [
        Box::new(child.stdout.take().expect("piped")),
        Box::new(child.stderr.take().expect("piped")),
    ];
    for mut reader in readers {
        let send = send.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = reader.read_to_end(&mut bytes);
            let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
        });
    }
    let mut output = String::new();
    for _ in 0..2 {
        match texts.recv_timeout(PATIENCE) {
            Ok(text) => output.push_str(&text),
            Err(_) => stop(&mut child, test),
        }
    }
    let status = child.wait().expect("a child");
    (status.success(), output)
}

fn stop(child: &mut Child, test: &str) -> ! {
    let _ = child.kill();
    panic!("{test} goes on and on with the bug planted");
}

/// As released, loom never tries the load of the first one after the write: see `verify/models/checker/make`.
#[test]
fn a_load_before_a_write_hides_nothing() {
    static WERE_SEEN: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];
    Builder::new().check(|| {
        let value = loom::sync::Arc::new(AtomicUsize::new(0));
        let other = {
            let value = loom::sync::Arc::clone(&value);
            loom::thread::spawn(move || {
                let next = value.load(Ordering::Relaxed) + 1;
                value.store(next, Ordering::Relaxed);
            })
        };
        WERE_SEEN[value.load(Ordering::Relaxed)].store(true, Ordering::Relaxed);
        other.join().unwrap();
    });
    assert!(
        WERE_SEEN
            .iter()
            .all(|was_seen| was_seen.load(Ordering::Relaxed))
    );
}

/// A model without a twin may be one that cannot fail.
#[test]
fn every_model_has_a_twin() {
    let program = env::current_exe().expect("this program");
    let list = Command::new(program)
        .args(["--list", "--format", "terse"])
        .output()
        .expect("a list");
    let list = String::from_utf8(list.stdout).expect("names");
    let tests: Vec<_> = list
        .lines()
        .filter_map(|l| l.strip_suffix(": test"))
        .filter(|test| test.starts_with("models::"))
        .collect();
    let twins: Vec<_> = tests
        .iter()
        .filter(|test| test.contains("::twins::"))
        .collect();
    let is_model = |test: &&&str| !test.contains("::twins::") && !test.contains("::harness::");
    let models = tests.iter().filter(is_model);
    let without: Vec<_> = models
        .filter(|model| {
            let (file, name) = model.rsplit_once("::").expect("a path");
            let prefix = format!("{file}::twins::{name}::");
            !twins.iter().any(|twin| twin.starts_with(&prefix))
        })
        .collect();
    assert!(without.is_empty(), "models without twins: {without:#?}");
}

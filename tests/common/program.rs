//! Running an example under a watchdog.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::env;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A run that takes longer is killed, and its test fails. Not a measurement: the slowest run takes two seconds,
/// and a minute where twenty other programs want the same two cores.
const WATCHDOG: Duration = Duration::from_secs(300);

/// A run that ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// What the summary says behind `name`.
    pub(crate) fn row(&self, name: &str) -> &str {
        let mut rows = self
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("  "));
        let row = rows.find_map(|row| row.strip_prefix(name)?.strip_prefix("  "));
        row.unwrap_or_else(|| panic!("no row {name:?}: {self:?}"))
            .trim()
    }

    pub(crate) fn number(&self, name: &str) -> usize {
        self.row(name)
            .split(' ')
            .next()
            .unwrap()
            .replace(',', "")
            .parse()
            .unwrap()
    }
}

/// A program that was started.
pub(crate) struct Started {
    child: Child,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
}

/// What has come out of one stream so far.
#[derive(Default)]
struct Output {
    so_far: Mutex<SoFar>,
    bell: Condvar,
}

#[derive(Default)]
struct SoFar {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Output {
    /// Waits until what has come out is as wanted; false if that has taken too long.
    fn wait_until(&self, is_wanted: impl Fn(&SoFar) -> bool) -> bool {
        let so_far = self.so_far.lock().unwrap();
        let wait = |so_far: &mut SoFar| !is_wanted(so_far);
        let waited = self.bell.wait_timeout_while(so_far, WATCHDOG, wait);
        !waited.unwrap().1.timed_out()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.so_far.lock().unwrap().bytes).into_owned()
    }
}

/// Runs `command` to its end, or kills it when it takes too long.
pub(crate) fn run(mut command: Command) -> Run {
    start(&mut command).end()
}

/// Starts `command`.
pub(crate) fn start(command: &mut Command) -> Started {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the example starts");
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    Started {
        child,
        stdout,
        stderr,
    }
}

impl Started {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said that on stderr.
    pub(crate) fn wait_until_it_says(&mut self, text: &str) {
        let says = |so_far: &SoFar| {
            let bytes = &so_far.bytes;
            so_far.is_over
                || bytes
                    .windows(text.len())
                    .any(|some| some == text.as_bytes())
        };
        self.stderr.wait_until(says);
        let said = self.stderr.text();
        if !said.contains(text) {
            self.child.kill().unwrap();
            panic!("it has not said {text:?}: {said}");
        }
    }

    /// Waits for its end, or kills it when that takes too long.
    pub(crate) fn end(mut self) -> Run {
        // Both streams close when the process ends.
        let mut streams = [&self.stdout, &self.stderr].into_iter();
        let has_ended = streams.all(|stream| stream.wait_until(|so_far| so_far.is_over));
        if !has_ended {
            self.child.kill().unwrap();
        }
        let run = Run {
            code: self.child.wait().unwrap().code(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        };
        assert!(has_ended, "killed after {WATCHDOG:?}: {run:?}");
        run
    }
}

/// Collects what comes out of `stream`.
fn drain(mut stream: impl Read + Send + 'static) -> Arc<Output> {
    let output = Arc::new(Output::default());
    let collected = Arc::clone(&output);
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        let mut is_over = false;
        while !is_over {
            let length = stream.read(&mut chunk).unwrap_or(0);
            is_over = length == 0;
            let mut so_far = collected.so_far.lock().unwrap();
            so_far.bytes.extend_from_slice(&chunk[..length]);
            so_far.is_over = is_over;
            collected.bell.notify_all();
        }
    });
    output
}

/// The example's binary. `cargo test` has built it, but not when only this test was asked for: then
/// there may be none, or an old one.
pub(crate) fn example(name: &str) -> Command {
    static BUILT: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let test = env::current_exe().unwrap();
    let profile = test
        .ancestors()
        .nth(2)
        .expect("a test lies in TARGET/PROFILE/deps");
    if !built.iter().any(|other| other == name) {
        build(name, profile);
        built.push(name.to_owned());
    }
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    Command::new(profile.join("examples").join(file))
}

fn build(name: &str, profile: &Path) {
    let profile_name = match profile.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        name => name,
    };
    let mut build = cargo();
    build
        .args(["build", "--quiet", "--example", name])
        .args(["--profile", profile_name, "--target-dir"])
        .arg(profile.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(build.status().unwrap().success(), "the example must build");
}

/// The cargo that runs the test.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    // What it says about the package under test would make build scripts run again.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

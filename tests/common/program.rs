//! Running an example under a watchdog.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::env;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
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

/// Runs `command` to its end, or kills it when it takes too long.
pub(crate) fn run(mut command: Command) -> Run {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the example starts");

    let (open, closed) = mpsc::channel();
    let stdout = drain(child.stdout.take().unwrap(), open.clone());
    let stderr = drain(child.stderr.take().unwrap(), open);
    let text = |bytes: &Mutex<Vec<u8>>| String::from_utf8(bytes.lock().unwrap().clone()).unwrap();
    // Both streams close when the process ends.
    let ended = closed.recv_timeout(WATCHDOG);
    if ended == Err(RecvTimeoutError::Timeout) {
        child.kill().unwrap();
    }
    let code = child.wait().unwrap().code();
    let run = Run {
        code,
        stdout: text(&stdout),
        stderr: text(&stderr),
    };
    assert_eq!(
        ended,
        Err(RecvTimeoutError::Disconnected),
        "killed after {WATCHDOG:?}: {run:?}"
    );
    run
}

/// Collects what comes out of `stream`; `open` drops at its end.
fn drain(mut stream: impl Read + Send + 'static, open: mpsc::Sender<()>) -> Arc<Mutex<Vec<u8>>> {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&bytes);
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut chunk) {
            collected
                .lock()
                .unwrap()
                .extend_from_slice(&chunk[..length]);
        }
        drop(open);
    });
    bytes
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

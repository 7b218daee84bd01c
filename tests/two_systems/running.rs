//! Running the example under a watchdog.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::serving::{filled, serve};

/// A run that takes longer is killed, and its test fails.
const WATCHDOG: Duration = Duration::from_secs(60);

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

/// Runs the example on its own servers, small and fast.
pub(crate) fn small(out: &Path, arguments: &[&str]) -> Run {
    let small = [
        "--records",
        "2000",
        "--digits",
        "200",
        "--latency-ms",
        "0",
        "--out",
    ];
    two_systems(&[&small[..], &[out.to_str().unwrap()], arguments].concat())
}

/// Runs the example on two given systems.
pub(crate) fn query(first: &str, second: &str, out: &Path, arguments: &[&str]) -> Run {
    let out = out.to_str().unwrap();
    let query = [
        "--first", first, "--second", second, "--digits", "200", "--out", out,
    ];
    two_systems(&[&query[..], arguments].concat())
}

/// Checks that the system at `bad()` is named with `page` and `cause`, whether it is the first or
/// the second, while the other one is sound; and that nothing was written.
pub(crate) fn fails_on_page(page: u64, cause: &str, bad: impl Fn() -> String) {
    for name in ["first", "second"] {
        let (bad, good) = (bad(), serve(vec![filled(1, true), filled(2, false)]));
        let (first, second) = if name == "first" {
            (&bad, &good)
        } else {
            (&good, &bad)
        };
        let dir = TempDir::new().unwrap();
        let limits = ["--timeout-ms", "2000", "--max-pages", "3"];
        let run = query(first, second, &dir.path().join("merged.jsonl"), &limits);
        assert_eq!(run.code, Some(1), "{run:?}");
        let errors: Vec<_> = run
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        let [error] = errors[..] else {
            panic!("expected one error: {run:?}")
        };
        let url = format!("({bad}?page={page}&size=500)");
        assert!(
            error.starts_with(&format!("error: {name} system, page {page} {url}: ")),
            "{run:?}"
        );
        assert!(error.contains(cause), "{run:?}");
        assert_eq!(run.stdout, "", "no summary of half a comparison");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            0,
            "nothing may be left behind"
        );
    }
}

/// Runs the example to its end, or kills it when it takes too long.
pub(crate) fn two_systems(arguments: &[&str]) -> Run {
    let mut command = Command::new(example());
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command
        .args(arguments)
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
pub(crate) fn drain(
    mut stream: impl Read + Send + 'static,
    open: mpsc::Sender<()>,
) -> Arc<Mutex<Vec<u8>>> {
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

/// The example's binary, which `cargo test` has built; built now when only this test was asked for.
pub(crate) fn example() -> &'static Path {
    static EXAMPLE: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let test = env::current_exe().unwrap();
        let profile = test
            .ancestors()
            .nth(2)
            .expect("a test lies in TARGET/PROFILE/deps");
        let example = profile
            .join("examples")
            .join(format!("two_systems{}", env::consts::EXE_SUFFIX));
        if !example.exists() {
            let name = match profile.file_name().unwrap().to_str().unwrap() {
                "debug" => "dev",
                name => name,
            };
            let mut build = Command::new(env!("CARGO"));
            build.args([
                "build",
                "--example",
                "two_systems",
                "--profile",
                name,
                "--target-dir",
            ]);
            build
                .arg(profile.parent().unwrap())
                .current_dir(env!("CARGO_MANIFEST_DIR"));
            assert!(build.status().unwrap().success(), "the example must build");
        }
        example
    })
}

/// The lines of a merged file.
pub(crate) fn entries(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

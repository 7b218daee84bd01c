//! Running the example on its own servers or on those of a test.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, Run, example};
use crate::serving::{filled, serve};

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
    fails_in_time("60000", page, cause, bad);
}

/// Checks what [`fails_on_page`] checks, with a limit of `limit` milliseconds for each page.
pub(crate) fn fails_in_time(limit: &str, page: u64, cause: &str, bad: impl Fn() -> String) {
    for name in ["first", "second"] {
        let (bad, good) = (bad(), serve(vec![filled(1, true), filled(2, false)]));
        let (first, second) = if name == "first" {
            (&bad, &good)
        } else {
            (&good, &bad)
        };
        let dir = TempDir::new().unwrap();
        let limits = ["--timeout-ms", limit, "--max-pages", "3"];
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

/// Runs the example, past any proxy.
pub(crate) fn two_systems(arguments: &[&str]) -> Run {
    let mut command = example("two_systems");
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command.args(arguments);
    program::run(command)
}

/// The lines of a merged file.
pub(crate) fn entries(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

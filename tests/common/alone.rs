//! Running a test of the same file in a process of its own, under a watchdog.

use std::process::Command;

#[path = "program.rs"]
mod program;

pub(crate) use program::Run;

/// Runs the ignored test `name`; what it prints comes back. `configure` may change how.
pub(crate) fn alone(name: &str, configure: impl FnOnce(&mut Command)) -> Run {
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args([name, "--exact", "--ignored", "--nocapture"]);
    this.arg("--test-threads=1");
    configure(&mut this);
    program::run(this)
}

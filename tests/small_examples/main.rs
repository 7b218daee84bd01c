//! The smaller examples end to end: their answers, and what they say to nonsense.

#[path = "../common/program.rs"]
mod program;

mod mandelbrot;
mod pipeline;
mod queens;
mod race;
mod serve;
mod validate;

use std::ffi::OsStr;

use program::{Run, example};

/// Runs an example to its end.
fn run<A: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = A>) -> Run {
    let mut command = example(name);
    command.args(arguments);
    program::run(command)
}

/// Command lines that are wrong, each with a word that the complaint must have.
fn refuses(name: &str, wrong: &[(&[&str], &str)]) {
    for (arguments, complaint) in wrong {
        let run = run(name, *arguments);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(complaint), "{run:?}");
        assert_eq!(run.stdout, "");
    }
}

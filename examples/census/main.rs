//! Counts and hashes every file below a directory, and says which of them are the same.
//!
//! `cargo run --release --example census -- DIR` walks DIR with a nursery per directory, nested as
//! the directories are: see [`walk`], which also says what may block and where it runs. What cannot
//! be read, and links that lead back to where they came from, are reported and left out.
//!
//! Exit codes: 0, everything was read; 1, there is no census (DIR cannot be opened, or `--check`
//! found a difference); 2, the command line is wrong; 3, something was left out, named on stderr.

mod census;
mod check;
mod entry;
mod options;
mod report;
mod serial;
mod walk;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use clap::Parser;

use census::Census;
use entry::Place;
use options::Options;

/// What a thread's stack holds, in bytes: a frame or two per level of directories, of which a path
/// of 4096 bytes has at most 2048, in a build without optimisation too.
const STACK: usize = 256 << 20;

/// Something was left out.
const INCOMPLETE: u8 = 3;

fn main() -> ExitCode {
    let options = Options::parse();
    // The walk recurses on this thread as well as on the pool's.
    let main = thread::Builder::new().stack_size(STACK);
    let code = thread::scope(|scope| {
        let main = main.spawn_scoped(scope, || match run(&options) {
            Ok(code) => code,
            Err(error) => {
                say(format_args!("error: {error}"));
                ExitCode::FAILURE
            }
        });
        main.map(|main| main.join().unwrap_or(ExitCode::FAILURE))
    });
    code.unwrap_or_else(|error| {
        say(format_args!("error: cannot start a thread: {error}"));
        ExitCode::FAILURE
    })
}

fn run(options: &Options) -> Result<ExitCode, Failure> {
    let pool = hatchery::Pool::builder().stack_size(STACK);
    let pool = match options.threads {
        Some(threads) => pool.threads(threads),
        None => pool,
    };
    let pool = pool.build().map_err(Failure::Pool)?;
    let root = Place::root(&options.dir).map_err(|error| Failure::Root {
        dir: options.dir.clone(),
        error,
    })?;

    let start = Instant::now();
    let found = walk::census(&pool, &root, options.manner());
    let took = start.elapsed();

    let mut checked = None;
    if options.check {
        let start = Instant::now();
        let serial = serial::census(&root, options.manner().follow);
        checked = Some(start.elapsed());
        let differences = check::differences(&found, &serial);
        if !differences.is_empty() {
            return Err(Failure::Check(differences));
        }
    }
    for problem in &found.problems {
        say(format_args!("warning: {problem}"));
    }
    report::print(&found, options.groups, took, checked).map_err(Failure::Report)?;
    Ok(code(&found))
}

fn code(census: &Census) -> ExitCode {
    if census.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INCOMPLETE)
    }
}

/// Writes one line to stderr, if anybody still reads it.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Why there is no census.
#[derive(Debug)]
enum Failure {
    Pool(hatchery::BuildPoolError),
    Root {
        dir: std::path::PathBuf,
        error: io::Error,
    },
    Check(Vec<String>),
    Report(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pool(error) => write!(f, "the pool: {error}"),
            Self::Root { dir, error } => write!(f, "cannot take a census of {dir:?}: {error}"),
            Self::Check(differences) => write!(
                f,
                "the serial walk disagrees (did files change meanwhile?):\n  {}",
                differences.join("\n  ")
            ),
            Self::Report(error) => write!(f, "cannot print the summary: {error}"),
        }
    }
}

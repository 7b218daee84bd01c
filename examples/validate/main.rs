//! Checks every record of a large CSV file, in parallel, and says where it is wrong.
//!
//! `cargo run --release --example validate -- FILE.csv` reads the records on one thread and has them
//! checked in chunks by the children of a partial nursery: see [`check`]. The first bad record
//! cancels the rest; with `--all` every one is listed. `--generate` writes a file to try it on.
//!
//! Exit codes: 0, all records are good, or the file was written; 1, some are bad, named on stdout;
//! 2, the command line is wrong; 3, the file cannot be read or written.

mod check;
mod generate;
mod options;
mod record;

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use indicatif::HumanCount;

use check::Checked;
use options::Options;

/// The file cannot be read or written.
const NO_FILE: u8 = 3;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.recipe() {
        Some(recipe) => write(&options, &recipe),
        None => validate(&options),
    };
    done.unwrap_or_else(|error| {
        // Nobody may be reading.
        let _ = writeln!(io::stderr(), "error: {:?}: {error}", options.file);
        ExitCode::from(NO_FILE)
    })
}

fn write(options: &Options, recipe: &generate::Recipe) -> Result<ExitCode, Trouble> {
    generate::write(&options.file, recipe)?;
    print(&format!(
        "wrote\n  records  {}\n  bad      {}\n",
        HumanCount(recipe.records),
        HumanCount(recipe.bad)
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn validate(options: &Options) -> Result<ExitCode, Trouble> {
    let start = Instant::now();
    let checked = check::file(&options.file, options.all)?;
    let text = report(&checked, start.elapsed().as_secs_f64()).expect("memory");
    print(&text)?;
    Ok(match checked.bad[..] {
        [] => ExitCode::SUCCESS,
        [..] => ExitCode::FAILURE,
    })
}

fn report(checked: &Checked, seconds: f64) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for bad in &checked.bad {
        writeln!(text, "{bad}")?;
    }
    writeln!(text, "checked")?;
    writeln!(text, "  records  {}", HumanCount(checked.records))?;
    writeln!(text, "  lines    {}", HumanCount(checked.lines))?;
    writeln!(text, "  bad      {}", HumanCount(checked.bad.len() as u64))?;
    writeln!(text, "  time     {seconds:.3} s")?;
    Ok(text)
}

fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        // The reader may close the pipe early.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Why there is no answer.
#[derive(Debug)]
enum Trouble {
    Io(io::Error),
    Csv(csv::Error),
    Header(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<csv::Error> for Trouble {
    fn from(error: csv::Error) -> Self {
        Self::Csv(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Csv(error) => error.fmt(f),
            Self::Header(found) => write!(
                f,
                "the first line must be {:?}, not {found:?}",
                record::COLUMNS.join(",")
            ),
        }
    }
}

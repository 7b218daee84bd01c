//! Finds the files of a folder that are most alike, on the processors of several machines.
//!
//! `mpirun -n 2 across FOLDER` compares every two files by the lines that they have in common, in the same order. MPI
//! spreads the rows of that table over processes, a nursery in each process spreads them over its processors: see
//! [`deal`].
//!
//! Exit codes: 0, here they are; 1, the folder cannot be read, or something has gone wrong on the way; 2, the command
//! line is wrong.

mod alike;
mod deal;
mod files;
mod post;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process;
use std::time::Instant;

use clap::Parser;
use mpi::Threading;
use mpi::environment::Universe;
use mpi::traits::Communicator;

use alike::Pair;
use deal::{Share, Table};
use files::Files;

/// Finds the files of a folder that are most alike. Run it by mpirun to do so on several machines.
#[derive(Debug, Parser)]
#[command(
    name = "across",
    after_help = "Exit codes:\n  0  here they are\n  1  the folder cannot be read, or something has gone wrong on the \
        way\n  2  the command line is wrong"
)]
struct Options {
    /// Where the files lie, also in folders below it; what is not text is left out.
    folder: PathBuf,

    /// How many pairs to show.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    most: usize,

    /// Also compares the files one after the other in the first process, and says whether the answer is the same.
    #[arg(long)]
    check: bool,
}

fn main() {
    let options = Options::parse();
    let universe = match initialized() {
        Ok(universe) => universe,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            process::exit(1);
        }
    };
    if let Err(error) = run(&options) {
        // Nobody may be reading.
        let _ = writeln!(io::stderr(), "error: {error}");
        // The other processes wait for this one, and nothing else would tell them.
        universe.world().abort(1);
    }
}

/// MPI, for any thread to call at any time.
fn initialized() -> Result<Universe, String> {
    match mpi::initialize_with_threading(Threading::Multiple) {
        Some((universe, Threading::Multiple)) => Ok(universe),
        Some((_, threading)) => Err(format!(
            "this MPI is for calls of one thread at a time: {threading:?}"
        )),
        None => Err("MPI was initialized before".to_owned()),
    }
}

fn run(options: &Options) -> Result<(), String> {
    // The first process reads the files, and the others get what is in them.
    let files = match post::is_first() {
        true => Some(Files::read(&options.folder)?),
        false => None,
    };
    let texts = post::to_all(files.as_ref().map(|files| &files.texts));
    let start = Instant::now();
    let dealt = deal::out(&texts)?;
    let seconds = start.elapsed().as_secs_f64();
    let (Some(files), Some(Table { pairs, shares })) = (files, dealt) else {
        return Ok(());
    };
    let mut text = report(&files, &shares, seconds);
    if options.check {
        let start = Instant::now();
        let serial: Vec<_> = (1..files.texts.len())
            .map(|row| alike::nearest(&files.texts, row))
            .collect();
        if serial != pairs {
            return Err("the answer is not that of the serial loop".to_owned());
        }
        let seconds = start.elapsed().as_secs_f64();
        let _ = writeln!(text, "  serial     {seconds:.3} s, the same answer");
    }
    text += &most_alike(&files, pairs, options.most);
    match io::stdout().write_all(text.as_bytes()) {
        // The reader may close the pipe early.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// What was compared, and by whom.
fn report(files: &Files, shares: &[Share], seconds: f64) -> String {
    let sum = |of: fn(&Share) -> String| shares.iter().map(of).collect::<Vec<_>>().join(" + ");
    let count = files.texts.len();
    format!(
        "across\n  processes  {}\n  threads    {}\n  files      {count}\n  pairs      {}\n  rows       {}\n  time       \
         {seconds:.3} s\n",
        shares.len(),
        sum(|share| share.threads.to_string()),
        count * (count - 1) / 2,
        sum(|share| share.rows.to_string()),
    )
}

/// The best pairs, a line for each.
fn most_alike(files: &Files, mut pairs: Vec<Pair>, most: usize) -> String {
    let texts = &files.texts;
    // Pairs that are equally alike stay in the order of the files.
    pairs.sort_by(|a, b| b.likeness(texts).total_cmp(&a.likeness(texts)));
    let mut text = String::from("alike\n");
    for pair in pairs.iter().take(most) {
        let percent = 100.0 * pair.likeness(texts);
        let [one, other] = [pair.row, pair.other].map(|file| files.names[file as usize].display());
        let _ = writeln!(text, "  {percent:5.1} %  {one}  {other}");
    }
    text
}

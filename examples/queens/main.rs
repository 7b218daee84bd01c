//! Places N queens on a board of N times N so that none attacks another: the first solution found
//! ends the search.
//!
//! `cargo run --release --example queens -- N` has a competitor of a race for every place of the first
//! queen: see [`search`].
//!
//! Exit codes: 0, here is a solution; 1, there is none; 2, the command line is wrong.

mod board;
mod search;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use board::Board;

/// Finds one way to place N queens on a board of N times N so that none attacks another.
#[derive(Debug, Parser)]
#[command(
    name = "queens",
    after_help = "Exit codes:\n  0  here is a solution\n  1  there is none\n  2  the command line is \
        wrong"
)]
struct Options {
    /// How many queens, from 1 to 64.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    queens: u32,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let start = Instant::now();
    let found = search::first(options.queens);
    let took = start.elapsed();
    let (text, code) = match found.board {
        Some(board) => (solution(&board), ExitCode::SUCCESS),
        None => {
            let none = format!("There is no way to place {} queens.\n", options.queens);
            (none, ExitCode::FAILURE)
        }
    };
    let text = format!(
        "{text}search\n  in vain  {}\n  stopped  {}\n  unrun    {}\n  time     {:.3} s\n",
        found.in_vain,
        found.stopped,
        found.unrun,
        took.as_secs_f64()
    );
    match io::stdout().write_all(text.as_bytes()) {
        // The reader may close the pipe early.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: cannot print the solution: {error}");
            ExitCode::FAILURE
        }
        _ => code,
    }
}

/// The board, and that it is what was asked for.
///
/// # Panics
///
/// If it is not: the search would be wrong.
fn solution(board: &Board) -> String {
    assert_eq!(board.attack(), None, "two rows whose queens attack");
    format!("{board}{} queens, none attacks another.\n", board.size())
}

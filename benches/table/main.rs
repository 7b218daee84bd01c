//! The tables and charts of BENCHMARKS.md: the contenders of a row take turns in one process.
//!
//! A machine's speed changes by the second, so figures of different runs are not compared. Here
//! each round gives every contender of a row one turn, the rounds begin with different ones, and
//! the median over the rounds is what counts. `cargo bench --bench table` writes every figure of
//! BENCHMARKS.md and the charts beside this file; `-- --help` lists the options.

#[path = "../common/mod.rs"]
mod common;

mod adversarial;
mod chart;
mod footprint;
mod goals;
mod measure;
mod options;
mod periodic;
mod report;
mod rows;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use measure::Table;
use options::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let place = common::place::describe();
    let start = Instant::now();
    let mut table = Table::new(&options);
    rows::all(&mut table, &options.threads);
    adversarial::all(&mut table);
    footprint::all(&mut table);
    let outcomes = table.outcomes();
    if outcomes.is_empty() {
        eprintln!("error: no row's name contains {:?}", options.only);
        return ExitCode::FAILURE;
    }
    let written = match options.writes() {
        true => write(&table, &place, start),
        false => Ok(()),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the figures cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(table: &Table<'_>, place: &str, start: Instant) -> io::Result<()> {
    let outcomes = table.outcomes();
    for group in measure::GROUPS {
        let of_group: Vec<_> = outcomes.iter().filter(|o| o.group == group).collect();
        chart::write(group, &of_group)?;
    }
    let minutes = (start.elapsed().as_secs_f64() / 60.0).ceil();
    let place = format!(
        "{place} The run took {minutes:.0} minutes. {}",
        table.control()
    );
    report::write(outcomes, &place)
}

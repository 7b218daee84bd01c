//! What hatchery and its peers make of 16 cores and more.
//!
//! One program for a machine that is lent for minutes: it needs nothing but itself, keeps to the minutes that it is
//! given, and prints a table in Markdown. Beside each time stands the efficiency, and beside that the efficiency that
//! `verify/scaling` says for the same program on that number of cores. BENCHMARKS.md says how to run it.

#[path = "../common/mod.rs"]
mod common;

mod forecast;
mod measure;
mod report;
mod rows;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use common::Pools;
use rows::Inputs;

/// Measures hatchery beside its peers on pools of several sizes, and prints a table.
#[derive(Debug, Parser)]
#[command(name = "many_cores")]
struct Options {
    /// Sizes of the pools, in threads; more than this machine has CPUs are left out.
    #[arg(long, value_name = "COUNT,..", value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16], value_parser = clap::value_parser!(u16).range(1..))]
    threads: Vec<u16>,

    /// How long it may take; each row gets the same part of what is left.
    #[arg(long, default_value_t = 7.0)]
    minutes: f64,

    /// Only run rows whose name contains this.
    #[arg(long, value_name = "SUBSTRING", default_value = "")]
    only: String,

    /// Call everything once, for its answers and not for the figures.
    #[arg(long)]
    test: bool,

    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let start = Instant::now();
    let Ok(limit) = Duration::try_from_secs_f64(60.0 * options.minutes) else {
        eprintln!("error: {} is no number of minutes", options.minutes);
        return ExitCode::FAILURE;
    };
    println!("{}", common::place::describe());
    let threads = options.threads.iter().copied().map(usize::from);
    let (sizes, too_many): (Vec<_>, Vec<_>) = threads.partition(|t| *t <= common::cpus());
    for threads in too_many {
        println!("T={threads} is left out: it is more than the CPUs.");
    }
    let inputs = Inputs::new();
    let mut outcomes = Vec::new();
    for (i, threads) in sizes.iter().enumerate() {
        let pools = Pools::new(*threads);
        let mut rows = rows::all(&pools, &inputs);
        rows.retain(|row| row.name.contains(&options.only));
        let mut left = (sizes.len() - i) * rows.len();
        for row in rows {
            let time = limit.saturating_sub(start.elapsed()).div_f64(left as f64);
            let time = (!options.test).then_some(time);
            outcomes.push(measure::run(row, *threads, time));
            left -= 1;
        }
    }
    if outcomes.is_empty() {
        eprintln!("error: nothing has run: no such row, or all sizes are left out");
        return ExitCode::FAILURE;
    }
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    println!("The run took {minutes:.1} minutes.\n\n{}", report::LEGEND);
    println!("\n{}", report::table(&outcomes));
    ExitCode::SUCCESS
}

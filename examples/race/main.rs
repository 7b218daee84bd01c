//! Three ways to split a number in two: the first answer wins, the others stop.
//!
//! `cargo run --release --example race -- N` has each of the [`solvers`] run as a competitor. Which one
//! is fast depends on the number: trial division if a factor is small, Fermat's method if two are
//! close to each other, Pollard's rho otherwise. Nobody knows that beforehand, so let them race.
//!
//! Exit codes: 0, here are two factors, or the number is prime; 1, there is no answer; 2, the command
//! line is wrong.

mod arithmetic;
mod solvers;

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Instant;

use clap::Parser;
use hatchery::Pool;
use indicatif::HumanCount;

use solvers::{SOLVERS, Steps};

/// Splits a number in two factors, by three methods at once.
#[derive(Debug, Parser)]
#[command(
    name = "race",
    after_help = "Exit codes:\n  0  here are two factors, or the number is prime\n  1  there is no \
        answer\n  2  the command line is wrong"
)]
struct Options {
    /// The number to split, from 2 to 2^64 - 1.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    number: u64,
}

/// What a competitor says that has found a factor.
#[derive(Debug)]
struct Answer {
    factor: u64,
    /// Its place among the solvers.
    solver: usize,
}

/// How a competitor ended, and after how many steps.
#[derive(Debug)]
enum End {
    Found(u64),
    Stopped(u64),
}

fn main() -> ExitCode {
    let options = Options::parse();
    let number = options.number;
    let text = match arithmetic::is_prime(number) {
        true => Ok(format!("{number} is prime, there is nothing to split.\n")),
        false => race(number),
    };
    let printed = text.and_then(|text| match io::stdout().write_all(text.as_bytes()) {
        // The reader may close the pipe early.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be reading.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the solvers race; says which won, and what became of the others.
fn race(number: u64) -> Result<String, String> {
    // A thread for each, so that they compete even where there are fewer processors.
    let pool = Pool::builder().threads(SOLVERS.len());
    let pool = pool.build().map_err(|error| format!("the pool: {error}"))?;
    // The race drops what the losers leave, so they write it down here.
    let ends: [OnceLock<End>; SOLVERS.len()] = Default::default();
    let start = Instant::now();
    // A race is opened on the pool of the nursery around it.
    let result = pool.nursery(|_| {
        hatchery::race(|r| {
            for (solver, (_, solve)) in SOLVERS.iter().enumerate() {
                let end = &ends[solver];
                r.spawn(move || {
                    let mut steps = Steps::default();
                    let factor = solve(number, &mut steps);
                    end.get_or_init(|| match factor {
                        Ok(_) => End::Found(steps.taken()),
                        Err(_) => End::Stopped(steps.taken()),
                    });
                    factor.map(|factor| Answer { factor, solver })
                });
            }
        })
    });
    let took = start.elapsed();
    let answer = result.map_err(|failures| failures.resume_panic().to_string())?;
    let ends = ends.map(OnceLock::into_inner);
    Ok(report(number, &answer, &ends, took.as_secs_f64()).expect("memory"))
}

fn report(
    number: u64,
    answer: &Answer,
    ends: &[Option<End>],
    seconds: f64,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let (factor, other) = (answer.factor, number / answer.factor);
    assert_eq!(factor * other, number, "a wrong answer");
    writeln!(
        text,
        "{number} = {} x {}",
        factor.min(other),
        factor.max(other)
    )?;
    writeln!(text, "solvers")?;
    for (solver, ((name, _), end)) in SOLVERS.iter().zip(ends).enumerate() {
        write!(text, "  {name:14}  ")?;
        match end {
            Some(End::Found(steps)) if solver == answer.solver => {
                writeln!(text, "won, after {} steps", HumanCount(*steps))?;
            }
            Some(End::Found(_)) => writeln!(text, "found a factor, too late")?,
            Some(End::Stopped(steps)) => {
                writeln!(text, "cancelled, after {} steps", HumanCount(*steps))?;
            }
            None => writeln!(text, "cancelled, not started")?,
        }
    }
    writeln!(text, "  time            {seconds:.3} s")?;
    Ok(text)
}

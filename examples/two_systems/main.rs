//! Two systems are queried while pi is computed; then their catalogues are compared and merged.
//!
//! Without arguments, `cargo run --release --example two_systems` starts two HTTP servers of its
//! own on loopback, so there is nothing to set up; `--first URL --second URL` query real ones.
//! The point is in [`run`]: one nursery holds two children that wait for the network and one that
//! keeps the processor busy, and hands back their three differently typed results.

mod catalogue;
mod client;
mod merge;
mod options;
mod output;
mod pi;
mod progress;
mod report;
mod server;

use std::fmt;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use client::System;
use options::Options;
use progress::Progress;
use report::{Part, Report};
use server::Server;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failures) => {
            for failure in failures {
                progress::say(format_args!("error: {failure}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// Queries, computes, compares, writes and reports; or returns everything that went wrong.
fn run(options: &Options) -> Result<(), Vec<Failure>> {
    if let Some(path) = &options.out {
        output::check(path).map_err(Failure::Output)?;
    }
    // The servers stop when this guard drops, after the queries.
    let (systems, _servers) = systems(options)?;
    let [first, second] = &systems;

    let settings = options.client_settings();
    let digits = options.digits as usize;
    let progress = Progress::new();
    let first_bar = progress.part(first.name, "records", options.expected_records());
    let second_bar = progress.part(second.name, "records", options.expected_records());
    let pi_bar = progress.part("pi", "terms", Some(pi::terms(digits)));

    let start = Instant::now();
    let ((first, first_took), (second, second_took), (pi, pi_took)) = hatchery::nursery(|n| {
        let first = n.spawn_blocking(|| timed(|| client::fetch(first, &settings, &first_bar)));
        let second = n.spawn_blocking(|| timed(|| client::fetch(second, &settings, &second_bar)));
        let pi = n.spawn(|| timed(|| pi::digits(digits, &pi_bar)));
        (first.join(), second.join(), pi.join())
    });
    let together = start.elapsed();

    let (first, second) = match (first, second) {
        (Ok(first), Ok(second)) => (first, second),
        (first, second) => {
            let failed = [first.err(), second.err()].into_iter().flatten();
            return Err(failed.map(Failure::Fetch).collect());
        }
    };
    let (records, pages) = (
        [first.records.len(), second.records.len()],
        [first.pages, second.pages],
    );

    let (entries, merge_took) = timed(|| merge::merge(first.records, second.records));
    if let Some(path) = &options.out {
        output::write(path, &entries).map_err(Failure::Output)?;
    }

    let report = Report {
        parts: [
            Part::query(systems[0].name, records[0], pages[0], first_took),
            Part::query(systems[1].name, records[1], pages[1], second_took),
            Part::pi(digits, pi_took),
        ],
        together,
        merge: merge_took,
        compared: records,
        tally: merge::Tally::of(&entries),
        pi: &pi,
        out: options.out.as_deref(),
    };
    Ok(report.print()?)
}

/// The two systems to query, with the servers behind them unless they are somewhere else.
fn systems(options: &Options) -> Result<([System; 2], Vec<Server>), Failure> {
    let names = ["first system", "second system"];
    if let (Some(first), Some(second)) = (&options.first, &options.second) {
        let [first, second] = [(names[0], first), (names[1], second)].map(|(name, url)| System {
            name,
            url: url.clone(),
            built_in: false,
        });
        return Ok(([first, second], Vec::new()));
    }
    let (first, second) = catalogue::pair(options.seed, options.records as usize);
    let latency = Duration::from_millis(options.latency_ms);
    let first = Server::start(first, latency).map_err(Failure::Serve)?;
    let second = Server::start(second, latency).map_err(Failure::Serve)?;
    let systems = [(names[0], &first), (names[1], &second)].map(|(name, server)| System {
        name,
        url: server.url(),
        built_in: true,
    });
    Ok((systems, vec![first, second]))
}

/// What `f` returns, and how long it took.
fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = f();
    (value, start.elapsed())
}

/// Why the program ends with exit code 1.
#[derive(Debug)]
enum Failure {
    Serve(io::Error),
    Fetch(client::Error),
    Output(output::Error),
    Report(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve(error) => write!(f, "cannot start a server on loopback: {error}"),
            Self::Fetch(error) => error.fmt(f),
            Self::Output(error) => error.fmt(f),
            Self::Report(error) => write!(f, "cannot print the summary: {error}"),
        }
    }
}

impl From<Failure> for Vec<Failure> {
    fn from(failure: Failure) -> Self {
        vec![failure]
    }
}

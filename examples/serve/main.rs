//! An HTTP server whose answers cost CPU time, on tokio, and a load for it: three ways beside each other.
//!
//! `cargo run --release --example serve` starts three servers on loopback that differ in one thing, how a request gets
//! from the async task to a thread that computes: by `hatchery::submit`, by tokio's `spawn_blocking`, by rayon's `spawn`
//! with a oneshot channel. See [`ways`]. The [load] goes to one of them at a time, in turns.
//!
//! At the end two requests go to hatchery that would take for ever: one whose client leaves, and one whose time is over.
//!
//! Exit codes: 0, all answers were right; 1, something went wrong; 2, the command line is wrong.

mod chain;
mod client;
mod endless;
mod load;
mod options;
mod report;
mod server;
mod tally;
mod ways;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime;

use load::Load;
use options::Options;
use report::Report;
use server::Server;
use ways::Way;

fn main() -> ExitCode {
    let options = Options::parse();
    let printed = run(&options).and_then(|text| match io::stdout().write_all(text.as_bytes()) {
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

fn run(options: &Options) -> Result<String, String> {
    // The servers and their clients have runtimes of their own, as if they were two programs.
    let mut servers_runtime = runtime::Builder::new_multi_thread();
    servers_runtime.worker_threads(1).enable_all();
    // The threads that compute are as many for each way.
    servers_runtime.max_blocking_threads(options.threads());
    let servers_runtime = servers_runtime.build().map_err(|e| e.to_string())?;
    let mut clients_runtime = runtime::Builder::new_current_thread();
    let clients_runtime = clients_runtime
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;

    let ways = Way::all(options.threads(), options.inside())?;
    let deadline = options.deadline();
    let servers = ways.into_iter().map(|way| Server::start(way, deadline));
    let servers: io::Result<Vec<_>> = servers_runtime.block_on(async {
        let mut started = Vec::new();
        for server in servers {
            started.push(server.await?);
        }
        Ok(started)
    });
    let servers = servers.map_err(|error| format!("cannot start a server on loopback: {error}"))?;

    let load = Load::new(options);
    clients_runtime.block_on(async {
        let seen = load::in_turns(&load, &servers).await?;
        let told = endless::whose_client_leaves(&servers[0]).await?;
        let late = endless::that_is_late(&servers[0], deadline).await?;
        let report = Report {
            options,
            servers: &servers,
            seen: &seen,
            told,
            late,
        };
        Ok(report.to_string())
    })
}

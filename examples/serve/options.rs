//! The command line.

use std::thread;
use std::time::Duration;

use clap::Parser;

/// Serves HTTP requests that cost CPU time in three ways beside each other, and says how each way did.
#[derive(Debug, Parser)]
#[command(
    name = "serve",
    after_help = "Exit codes:\n  0  all answers were right\n  1  something went wrong\n  2  the command line \
        is wrong"
)]
pub(crate) struct Options {
    /// Requests to each server.
    #[arg(long, value_name = "COUNT", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,

    /// Connections at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: u32,

    /// Cost of a request, in hashes of 32 bytes.
    #[arg(long, value_name = "HASHES", default_value_t = 5000)]
    rounds: u64,

    /// Of so many requests, one is given up by its client; of 0, none.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    leave: u32,

    /// Requests that a server computes or has in line at a time; it refuses what comes besides.
    #[arg(long, value_name = "COUNT", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..))]
    inside: u16,

    /// What a request may take, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 500)]
    deadline: u32,

    /// Threads that compute, for each server; by default one for each processor.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Options {
    pub(crate) fn requests(&self) -> u32 {
        self.requests
    }

    pub(crate) fn connections(&self) -> u32 {
        self.connections
    }

    pub(crate) fn rounds(&self) -> u64 {
        self.rounds
    }

    pub(crate) fn leave(&self) -> u32 {
        self.leave
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside.into()
    }

    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline.into())
    }

    pub(crate) fn threads(&self) -> usize {
        match self.threads {
            Some(threads) => threads.into(),
            None => thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

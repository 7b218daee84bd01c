//! What is printed at the end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::load::Seen;
use crate::options::Options;
use crate::server::Server;

/// What has come out.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) options: &'a Options,
    pub(crate) servers: &'a [Arc<Server>],
    pub(crate) seen: &'a [Seen],
    /// How long after its client has left a job without an end was told.
    pub(crate) told: Duration,
    /// When a client that asked for it was told that the time is over.
    pub(crate) late: Duration,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.options;
        writeln!(
            f,
            "requests of {} hashes, {} connections, {} threads for each server",
            options.rounds(),
            options.connections(),
            options.threads()
        )?;
        writeln!(
            f,
            "  {:20}  {:>6}  {:>7}  {:>5}  {:>5}  {:>8}  {:>8}  {:>6}  {:>9}  {:>7}",
            "way",
            "served",
            "refused",
            "late",
            "left",
            "p50",
            "p99",
            "per s",
            "cancelled",
            "in vain"
        )?;
        for (server, seen) in self.servers.iter().zip(self.seen) {
            row(f, server, seen)?;
        }
        writeln!(f, "a request without an end, to {}", self.servers[0].name)?;
        writeln!(
            f,
            "  its client leaves     its job has ended {:.1} ms later",
            ms(self.told)
        )?;
        writeln!(
            f,
            "  its time is over      504 after {:.0} ms",
            ms(self.late)
        )
    }
}

fn row(f: &mut fmt::Formatter<'_>, server: &Server, seen: &Seen) -> fmt::Result {
    let mut latencies = seen.latencies.clone();
    latencies.sort();
    let [p50, p99] = [50, 99].map(|percent| {
        let last = latencies.len().saturating_sub(1);
        let at = latencies.get(last * percent / 100);
        at.map_or("-".to_owned(), |&latency| format!("{:.2} ms", ms(latency)))
    });
    let per_second = seen.latencies.len() as f64 / seen.took.as_secs_f64();
    writeln!(
        f,
        "  {:20}  {:>6}  {:>7}  {:>5}  {:>5}  {p50:>8}  {p99:>8}  {per_second:>6.0}  {:>9}  {:>7}",
        server.name,
        seen.latencies.len(),
        seen.refused,
        seen.late,
        seen.left,
        server.tally.cancelled(),
        server.tally.in_vain(),
    )
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

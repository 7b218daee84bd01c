//! The summary on stdout.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::HumanCount;

use crate::Failure;
use crate::merge::Tally;

/// One child of the nursery and how long it took.
pub(crate) struct Part {
    name: &'static str,
    what: String,
    took: Duration,
}

impl Part {
    /// A query of one system.
    pub(crate) fn query(name: &'static str, records: usize, pages: u64, took: Duration) -> Self {
        let what = format!("{} records in {} pages", count(records), HumanCount(pages));
        Self { name, what, took }
    }

    /// The computation of pi.
    pub(crate) fn pi(digits: usize, took: Duration) -> Self {
        Self {
            name: "pi",
            what: format!("{} digits", count(digits)),
            took,
        }
    }
}

/// Everything worth telling at the end.
pub(crate) struct Report<'a> {
    pub(crate) parts: [Part; 3],
    /// What the three parts took in one nursery.
    pub(crate) together: Duration,
    pub(crate) merge: Duration,
    /// Records of the first and of the second system.
    pub(crate) compared: [usize; 2],
    pub(crate) tally: Tally,
    pub(crate) pi: &'a str,
    pub(crate) out: Option<&'a Path>,
}

impl Report<'_> {
    /// Prints the summary in one go.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        match io::stdout().write_all(self.to_string().as_bytes()) {
            // The reader may close the pipe early.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            printed => printed.map_err(Failure::Report),
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.compared.map(count);
        writeln!(
            f,
            "compared the first system ({first} records, here) with the second ({second}, there)"
        )?;
        let Tally {
            only_first,
            only_second,
            equal,
            conflicts,
        } = self.tally;
        row(f, "only here", count(only_first), "")?;
        row(f, "only there", count(only_second), "")?;
        row(f, "equal", count(equal), "")?;
        let kept = format!(
            "kept {} from here, {} from there",
            count(conflicts.0),
            count(conflicts.1)
        );
        row(f, "conflicting", count(conflicts.0 + conflicts.1), &kept)?;
        row(f, "merged", count(self.tally.total()), "")?;

        let decimals = &self.pi[2..];
        let (head, tail) = (
            &decimals[..decimals.len().min(10)],
            &decimals[decimals.len().saturating_sub(10)..],
        );
        writeln!(f, "pi to {} digits", count(decimals.len()))?;
        row(f, "begins", format!("3.{head}"), "")?;
        row(f, "ends", tail, "")?;

        writeln!(f, "time")?;
        for Part { name, what, took } in &self.parts {
            row(f, name, seconds(*took), what)?;
        }
        let serial: Duration = self.parts.iter().map(|part| part.took).sum();
        let factor = serial.as_secs_f64() / self.together.as_secs_f64();
        row(f, "serial sum", seconds(serial), "")?;
        row(
            f,
            "together",
            seconds(self.together),
            &format!("{factor:.1} times as fast"),
        )?;
        row(f, "then merge", seconds(self.merge), "")?;
        match self.out {
            Some(path) => writeln!(f, "merged set written to {}", path.display()),
            None => Ok(()),
        }
    }
}

fn row(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    value: impl fmt::Display,
    note: &str,
) -> fmt::Result {
    let line = format!("  {name:13} {:>12}  {note}", value.to_string());
    writeln!(f, "{}", line.trim_end())
}

fn count(n: usize) -> HumanCount {
    HumanCount(n as u64)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

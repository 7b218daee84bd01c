//! The summary on stdout.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};

use crate::census::{Census, wasted};

/// Names of a group of duplicates that are printed.
const NAMES: usize = 3;

/// Prints the summary in one go, with the first `groups` groups of duplicates.
pub(crate) fn print(
    census: &Census,
    groups: usize,
    took: Duration,
    checked: Option<Duration>,
) -> io::Result<()> {
    let mut text = String::new();
    write(&mut text, census, groups, took, checked).expect("memory");
    match io::stdout().write_all(text.as_bytes()) {
        // The reader may close the pipe early.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

fn write(
    text: &mut String,
    census: &Census,
    groups: usize,
    took: Duration,
    checked: Option<Duration>,
) -> fmt::Result {
    let files = census.files.len();
    writeln!(text, "found")?;
    row(text, "files", count(files), "")?;
    row(text, "further names", count(census.names), "")?;
    row(text, "directories", count(census.directories), "")?;
    row(text, "links", count(census.links), "not followed")?;
    row(text, "special", count(census.special), "not read")?;
    row(text, "problems", count(census.problems.len()), "")?;
    row(text, "bytes", HumanCount(census.bytes()), "")?;
    if let Some(largest) = census.largest() {
        let path = format!("{:?}", largest.path);
        row(text, "largest", HumanBytes(largest.bytes), &path)?;
    }

    let duplicates = census.duplicates();
    let waste = duplicates.iter().map(|group| wasted(group)).sum();
    writeln!(text, "duplicates")?;
    row(text, "groups", count(duplicates.len()), "")?;
    row(text, "wasted", HumanCount(waste), "bytes")?;
    for group in duplicates.iter().take(groups) {
        let mut names: Vec<_> = group
            .iter()
            .take(NAMES)
            .map(|file| format!("{:?}", file.path))
            .collect();
        if group.len() > NAMES {
            names.push(format!("and {} more", group.len() - NAMES));
        }
        let copies = format!("{} x {}", group.len(), HumanBytes(group[0].bytes));
        row(text, "same", copies, &names.join(", "))?;
    }

    writeln!(text, "time")?;
    row(text, "walk", seconds(took), "")?;
    let rate = files as f64 / took.as_secs_f64();
    row(text, "files per s", HumanCount(rate as u64), "")?;
    if let Some(serial) = checked {
        let factor = serial.as_secs_f64() / took.as_secs_f64();
        let note = format!("the same census; {factor:.1} times as long");
        row(text, "serial", seconds(serial), &note)?;
    }
    Ok(())
}

fn row(text: &mut String, name: &str, value: impl fmt::Display, note: &str) -> fmt::Result {
    let line = format!("  {name:13} {:>16}  {note}", value.to_string());
    writeln!(text, "{}", line.trim_end())
}

fn count(n: usize) -> HumanCount {
    HumanCount(n as u64)
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

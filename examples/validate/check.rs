//! The check: one reader, and a child for every chunk of records.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder};
use hatchery::{Child, Failure, FailureKind, Failures, OnFailure, TryNursery};

use crate::Trouble;
use crate::record::{self, Bad, COLUMNS};

/// Records in a chunk: a child then runs for a tenth of a millisecond, which is a thousand times what
/// spawning it takes.
const CHUNK: usize = 1000;

/// Chunks that are read and not yet known to be good. Reading waits for the oldest then, so that a
/// large file is not held in memory as a whole.
const WINDOW: usize = 64;

/// What is known of a file.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Records that were looked at; not all of them, if a bad one ended the check.
    pub(crate) records: u64,
    /// Lines that were read.
    pub(crate) lines: u64,
    /// Records found bad, in order; at most the first of them, unless all were asked for.
    pub(crate) bad: Vec<Bad>,
}

/// Why a chunk, or the reading of the next one, failed.
#[derive(Debug)]
enum Stop {
    /// At least one, in order.
    Bad(Vec<Bad>),
    Unreadable(csv::Error),
}

/// Checks the records of a file, to the end if `all` are asked for.
pub(crate) fn file(path: &Path, all: bool) -> Result<Checked, Trouble> {
    let mut reader = ReaderBuilder::new()
        // How many fields there are is for the check to say.
        .flexible(true)
        .from_reader(open(path)?);
    let header = reader.byte_headers()?;
    if header
        .iter()
        .ne(COLUMNS.iter().map(|column| column.as_bytes()))
    {
        let found: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
        return Err(Trouble::Header(found.join(",")));
    }

    let on_failure = match all {
        true => OnFailure::Continue,
        false => OnFailure::Cancel,
    };
    let seen = AtomicU64::new(0);
    let options = hatchery::Options::new()
        .name("validate")
        .on_failure(on_failure);
    let result = options.try_nursery(|n| chunks(n, &mut reader, &seen, all));
    let mut bad = match result {
        Ok(bad) => bad,
        Err(failures) => first(failures)?,
    };
    locate(path, &mut bad)?;
    Ok(Checked {
        records: seen.into_inner(),
        lines: reader.position().line() - 1,
        bad,
    })
}

/// A file that can be read twice.
fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// Finds the lines of bad records, which are in order.
///
/// The reader's line numbers are no help: it counts the line before if there are empty lines, or if
/// lines end in a carriage return and a line feed.
fn locate(path: &Path, bad: &mut [Bad]) -> io::Result<()> {
    if bad.is_empty() {
        return Ok(());
    }
    let (mut line, mut at) = (1, 0);
    let mut bytes = BufReader::new(open(path)?).bytes();
    for bad in bad {
        for byte in bytes.by_ref() {
            let byte = byte?;
            at += 1;
            // At the record's own first byte, past what ended the lines before it.
            if at > bad.byte && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            line += u64::from(byte == b'\n');
        }
        bad.line = line;
    }
    Ok(())
}

/// Reads to the end and has every chunk checked; returns all bad records, if `all` are asked for.
fn chunks<'scope>(
    n: &'scope TryNursery<'scope, '_, Stop>,
    reader: &mut Reader<File>,
    seen: &'scope AtomicU64,
    all: bool,
) -> Result<Vec<Bad>, Failure<Stop>> {
    let mut bad = Vec::new();
    let mut window = VecDeque::with_capacity(WINDOW);
    loop {
        n.checkpoint()?;
        let chunk = read(reader).map_err(Stop::Unreadable)?;
        if chunk.is_empty() {
            break;
        }
        if window.len() == WINDOW
            && let Some(oldest) = window.pop_front()
        {
            bad.extend(settle(oldest, all)?);
        }
        window.push_back(n.spawn_body(move || check(n, &chunk, seen, all)));
    }
    for child in window {
        bad.extend(settle(child, all)?);
    }
    Ok(bad)
}

/// The next records, fewer at the end of the file.
fn read(reader: &mut Reader<File>) -> Result<Vec<ByteRecord>, csv::Error> {
    reader.byte_records().take(CHUNK).collect()
}

/// Checks the records of a chunk, up to the first bad one unless `all` are asked for.
fn check(
    n: &TryNursery<'_, '_, Stop>,
    chunk: &[ByteRecord],
    seen: &AtomicU64,
    all: bool,
) -> Result<(), Failure<Stop>> {
    let mut bad = Vec::new();
    for record in chunk {
        n.checkpoint()?;
        // It is read when all have ended.
        seen.fetch_add(1, Ordering::Relaxed);
        if let Err(why) = record::check(record) {
            let place = record.position().expect("it was read from a file");
            bad.push(Bad {
                record: place.record(),
                // It is looked up when all are known.
                line: 0,
                byte: place.byte(),
                why,
            });
            if !all {
                break;
            }
        }
    }
    match bad[..] {
        [] => Ok(()),
        [..] => Err(Stop::Bad(bad).into()),
    }
}

/// Waits for a chunk. Bad records end the reading, unless `all` are asked for: they are taken then.
fn settle(
    child: Child<'_, Result<(), Failure<Stop>>>,
    all: bool,
) -> Result<Vec<Bad>, Failure<Stop>> {
    match child.join() {
        Ok(()) => Ok(Vec::new()),
        Err(failure) if all => match failure.into_error()? {
            Stop::Bad(bad) => Ok(bad),
            unreadable => Err(unreadable.into()),
        },
        Err(failure) => Err(failure),
    }
}

/// The first bad record of those that were found before everybody had stopped.
fn first(failures: Failures<Stop>) -> Result<Vec<Bad>, Trouble> {
    let mut found = Vec::new();
    let mut unreadable = None;
    for failure in failures.resume_panic() {
        match failure.into_kind() {
            FailureKind::Error(Stop::Bad(bad)) => found.extend(bad),
            FailureKind::Error(Stop::Unreadable(error)) => unreadable = Some(error),
            other => unreachable!("nobody else cancels: {other:?}"),
        }
    }
    match (found.into_iter().min_by_key(|bad| bad.record), unreadable) {
        (Some(bad), _) => Ok(vec![bad]),
        (None, Some(error)) => Err(error.into()),
        (None, None) => unreachable!("there is at least one"),
    }
}

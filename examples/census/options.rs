//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::walk::Manner;

/// Counts and hashes every file below a directory: how many, how much, the largest, duplicates.
///
/// A file with several names, by hard or symbolic links, counts once. Pipes, sockets and devices are
/// counted and not read. What cannot be read and links that lead in a circle are named on stderr and
/// left out.
#[derive(Debug, Parser)]
#[command(
    name = "census",
    after_help = "Exit codes:\n  0  everything was read\n  1  no census: DIR cannot be opened, or \
        --check found a difference\n  2  the command line is wrong\n  3  something was left out, named \
        on stderr"
)]
pub(crate) struct Options {
    /// The directory to walk.
    pub(crate) dir: PathBuf,

    /// Walk a second time, serially, and fail if that finds anything else.
    #[arg(long)]
    pub(crate) check: bool,

    /// Count symbolic links and do not follow them.
    #[arg(long)]
    no_follow: bool,

    /// Read on side threads, many files at once: for disks and networks that keep one waiting.
    #[arg(long)]
    blocking: bool,

    /// Threads that hash; by default one per CPU.
    #[arg(long, value_name = "COUNT", value_parser = threads)]
    pub(crate) threads: Option<usize>,

    /// Groups of duplicates to list, those that waste most first.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub(crate) groups: usize,
}

impl Options {
    /// How to walk.
    pub(crate) fn manner(&self) -> Manner {
        Manner {
            follow: !self.no_follow,
            blocking: self.blocking,
        }
    }
}

fn threads(text: &str) -> Result<usize, String> {
    const MOST: usize = hatchery::Pool::MAX_THREADS;
    match text.parse() {
        Ok(threads @ 1..=MOST) => Ok(threads),
        _ => Err(format!("expected a number from 1 to {MOST}")),
    }
}

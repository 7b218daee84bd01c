//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::generate::Recipe;

/// Checks every record of a CSV file with the columns id, name, amount, date.
///
/// An id is a whole number below 2^64, a name is not empty, an amount is a decimal such as -12.50, a
/// date is one of the calendar as YYYY-MM-DD. The first bad record found ends the check.
#[derive(Debug, Parser)]
#[command(
    name = "validate",
    after_help = "Exit codes:\n  0  all records are good, or the file was written\n  1  some records \
        are bad, named on stdout\n  2  the command line is wrong\n  3  the file cannot be read or \
        written"
)]
pub(crate) struct Options {
    /// The file to check; with --generate, the file to write or overwrite.
    pub(crate) file: PathBuf,

    /// Check to the end, and list every bad record.
    #[arg(long, conflicts_with = "generate")]
    pub(crate) all: bool,

    /// Write a file with this many records instead.
    #[arg(long, value_name = "RECORDS")]
    generate: Option<u64>,

    /// How many of them are bad; no more than there are.
    #[arg(
        long,
        value_name = "RECORDS",
        default_value_t = 0,
        requires = "generate"
    )]
    bad: u64,

    /// What the generated records are drawn from: the same seed, the same file.
    #[arg(long, default_value_t = 1, requires = "generate")]
    seed: u64,
}

impl Options {
    /// What to write, if that was asked for.
    pub(crate) fn recipe(&self) -> Option<Recipe> {
        Some(Recipe {
            records: self.generate?,
            bad: self.bad.min(self.generate?),
            seed: self.seed,
        })
    }
}

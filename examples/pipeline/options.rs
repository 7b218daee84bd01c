//! The command line.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;

use clap::Parser;
use hatchery::{BuildPoolError, Pool};

use crate::input::Generated;

/// Compresses a file chunk by chunk on all processors, with a bound on the memory. `gunzip` reads what it writes.
#[derive(Debug, Parser)]
#[command(
    name = "pipeline",
    after_help = "Exit codes:\n  0  all was compressed\n  2  the command line is wrong\n  3  a file cannot \
        be read or written"
)]
pub(crate) struct Options {
    /// The file to compress; `-` is standard input. Without it, text is made up.
    file: Option<PathBuf>,

    /// Where to write; otherwise the output is only counted.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// How much text is made up, in MiB.
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 16,
        conflicts_with = "file"
    )]
    generate: u32,

    /// Size of a chunk, in KiB.
    #[arg(long, value_name = "KIB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    chunk: u32,

    /// How many chunks may be in memory; by default four for each thread.
    #[arg(long, value_name = "CHUNKS", value_parser = clap::value_parser!(u16).range(1..))]
    most: Option<u16>,

    /// Threads of the pool; by default one for each processor.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Options {
    pub(crate) fn pool(&self) -> Result<Pool, BuildPoolError> {
        let builder = Pool::builder();
        match self.threads {
            Some(threads) => builder.threads(threads.into()),
            None => builder,
        }
        .build()
    }

    /// Size of a chunk, in bytes.
    pub(crate) fn chunk(&self) -> u64 {
        u64::from(self.chunk) << 10
    }

    /// How many chunks may be in memory.
    pub(crate) fn most(&self, threads: usize) -> usize {
        self.most.map_or(4 * threads, usize::from)
    }

    pub(crate) fn input(&self) -> Result<Box<dyn Read>, String> {
        let Some(path) = &self.file else {
            return Ok(Box::new(Generated::new(u64::from(self.generate) << 20)));
        };
        if path.as_os_str() == "-" {
            return Ok(Box::new(io::stdin().lock()));
        }
        let file = File::open(path).map_err(|error| format!("{path:?}: {error}"))?;
        Ok(Box::new(file))
    }

    pub(crate) fn output(&self) -> Result<Box<dyn Write>, String> {
        let Some(path) = &self.out else {
            return Ok(Box::new(io::sink()));
        };
        let file = File::create(path).map_err(|error| format!("{path:?}: {error}"))?;
        Ok(Box::new(BufWriter::new(file)))
    }
}

//! The command line.

use clap::Parser;

/// Measures hatchery beside its peers, and writes BENCHMARKS.md and its charts.
#[derive(Debug, Parser)]
#[command(name = "table")]
pub(crate) struct Options {
    /// Only print the rows, and leave BENCHMARKS.md and the charts as they are.
    #[arg(long)]
    print: bool,

    /// Only run rows whose name contains this, and print them.
    #[arg(long, value_name = "SUBSTRING")]
    pub(crate) only: Option<String>,

    /// Turns of each contender of a row. By default 31, and fewer for long rows, at least 5.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: Option<u32>,

    /// Sizes of the pools, in threads; the goals are about 1 and 2.
    #[arg(long, value_name = "COUNT,..", value_delimiter = ',', default_values_t = [1, 2], value_parser = threads)]
    pub(crate) threads: Vec<usize>,

    /// Call everything once, for its answers and not for the figures.
    #[arg(long)]
    pub(crate) test: bool,

    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Whether the run is whole and meant for BENCHMARKS.md.
    pub(crate) fn writes(&self) -> bool {
        !self.print && !self.test && self.only.is_none()
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("expected a number from 1 to 1024".to_owned()),
    }
}

//! Compresses what it reads, chunk by chunk, on all processors, with a bound on the memory: a small `pigz`.
//!
//! `cargo run --release --example pipeline -- FILE --out FILE.gz` writes a file that `gunzip` reads. The pipeline is one
//! loop over `spawn_buffered`: see [`gzip::compress`].
//!
//! Exit codes: 0, all was compressed; 2, the command line is wrong; 3, a file cannot be read or written.

mod chunks;
mod gzip;
mod input;
mod options;

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use indicatif::{BinaryBytes, HumanCount};

use gzip::Done;
use options::Options;

/// A file cannot be read or written.
const NO_FILE: u8 = 3;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be reading.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(NO_FILE)
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let pool = options
        .pool()
        .map_err(|error| format!("the pool: {error}"))?;
    let input = options.input()?;
    let mut output = options.output()?;
    let most = options.most(pool.threads());
    let start = Instant::now();
    let done = gzip::compress(&pool, input, &mut output, options.chunk(), most)
        .and_then(|done| output.flush().map(|()| done))
        .map_err(|error| error.to_string())?;
    let text = report(&done, most, start.elapsed().as_secs_f64()).expect("memory");
    match io::stdout().write_all(text.as_bytes()) {
        // The reader may close the pipe early.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn report(done: &Done, most: usize, seconds: f64) -> Result<String, fmt::Error> {
    let mut text = String::from("compressed\n");
    writeln!(text, "  read       {}", BinaryBytes(done.read))?;
    writeln!(text, "  written    {}", BinaryBytes(done.written))?;
    writeln!(text, "  chunks     {}", HumanCount(done.chunks))?;
    writeln!(
        text,
        "  in memory  {} chunks at most, of {most} that may be",
        done.peak
    )?;
    writeln!(text, "  time       {seconds:.3} s")?;
    let speed = done.read as f64 / seconds;
    writeln!(text, "  speed      {}/s", BinaryBytes(speed as u64))?;
    Ok(text)
}

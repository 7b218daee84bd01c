//! The best picture of the Mandelbrot set that there is time for.
//!
//! `cargo run --release --example mandelbrot -- --seconds 5` computes the picture in passes, each finer
//! than the pass before, in a nursery with a timeout: see [`refine`]. The last complete pass is written
//! in the end.
//!
//! Exit codes: 0, here is a picture; 1, there is none; 2, the command line is wrong.

mod fractal;
mod options;
mod picture;
mod refine;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use options::Options;
use refine::Ended;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be reading.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let refined = refine::until(options.time, options.size, options.view, options.passes);
    let Some(best) = refined.best else {
        return Err(format!(
            "{:?} was not enough for the first pass, there is no picture",
            options.time
        ));
    };
    let out = &options.out;
    picture::write(out, options.size, &best.pixels)
        .map_err(|error| format!("cannot write {out:?}: {error}"))?;

    let ended = match refined.ended {
        Ended::Done => "all passes are complete".to_owned(),
        Ended::Deadline(late) => format!("the time was up, the last child ended {late:?} later"),
    };
    let text = format!(
        "picture\n  file        {out:?}\n  passes      {} of {}\n  iterations  {}\n  samples     {} a \
         pixel\n  end         {ended}\n",
        best.passes,
        options.passes,
        best.pass.iterations,
        best.pass.grid * best.pass.grid,
    );
    match io::stdout().write_all(text.as_bytes()) {
        // The reader may close the pipe early.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot print the summary: {error}"))
        }
        _ => Ok(()),
    }
}

//! The best picture of the Mandelbrot set that there is time for.
//!
//! `cargo run --release --example mandelbrot -- --seconds 5` computes the picture in passes, each finer
//! than the pass before, in a nursery with a timeout: see [`refine`]. The last complete pass is written
//! in the end. Ctrl-C is the end as well: it cancels a token that the nursery heeds. A second Ctrl-C ends the
//! program at once.
//!
//! Exit codes: 0, here is a picture; 1, there is none; 2, the command line is wrong; 130, Ctrl-C came twice.

mod fractal;
mod options;
mod picture;
mod refine;

use std::io::{self, Write};
use std::process::{self, ExitCode};

use clap::Parser;
use hatchery::CancelToken;

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
    let interrupt = CancelToken::new();
    cancel_on_ctrl_c(&interrupt).map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    let refined = refine::until(
        options.time,
        &interrupt,
        options.size,
        options.view,
        options.passes,
    );
    let Some(best) = refined.best else {
        let why = match refined.ended {
            Ended::Interrupted => "Ctrl-C came before the first pass was complete".to_owned(),
            _ => format!("{:?} was not enough for the first pass", options.time),
        };
        return Err(format!("{why}, there is no picture"));
    };
    let out = &options.out;
    picture::write(out, options.size, &best.pixels)
        .map_err(|error| format!("cannot write {out:?}: {error}"))?;

    let ended = match refined.ended {
        Ended::Done => "all passes are complete".to_owned(),
        Ended::Deadline(late) => format!("the time was up, the last child ended {late:?} later"),
        Ended::Interrupted => "Ctrl-C came, this is the best picture so far".to_owned(),
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

/// Has the first Ctrl-C cancel the token, and the second one end the program.
fn cancel_on_ctrl_c(token: &CancelToken) -> Result<(), ctrlc::Error> {
    const INTERRUPTED: i32 = 130;
    let token = token.clone();
    // On a thread of its own, which may do anything.
    ctrlc::set_handler(move || {
        if !token.cancel() {
            process::exit(INTERRUPTED);
        }
    })
}

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::fractal::View;
use crate::picture::Size;
use crate::refine::PASSES;

/// Computes the best picture of the Mandelbrot set that there is time for, as a PNG.
#[derive(Debug, Parser)]
#[command(
    name = "mandelbrot",
    after_help = "Ctrl-C ends the refining early: the last complete pass is written. A second Ctrl-C ends the \
        program at once.\n\nExit codes:\n  0    here is a picture\n  1    there is none: no pass was complete, \
        or it cannot be written\n  2    the command line is wrong\n  130  Ctrl-C came twice"
)]
pub(crate) struct Options {
    /// The file to write, or overwrite.
    #[arg(long, value_name = "FILE", default_value = "mandelbrot.png")]
    pub(crate) out: PathBuf,

    /// Pixels across and down.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "900x600", value_parser = size)]
    pub(crate) size: Size,

    /// How long to refine the picture.
    #[arg(long = "seconds", value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) time: Duration,

    /// What to look at.
    #[arg(long, value_enum, default_value_t = View::Valley)]
    pub(crate) view: View,

    /// Passes to make at most.
    #[arg(long, value_name = "COUNT", default_value_t = PASSES.len(), value_parser = passes)]
    pub(crate) passes: usize,
}

fn size(text: &str) -> Result<Size, String> {
    // Four bytes a pixel and a sum of colours at most: some hundred megabytes.
    const MOST: u32 = 10_000;
    let side = |text: &str| {
        let side = text.parse().ok();
        side.filter(|side| (1..=MOST).contains(side))
    };
    let sides = text.split_once('x');
    sides
        .and_then(|(width, height)| {
            Some(Size {
                width: side(width)?,
                height: side(height)?,
            })
        })
        .ok_or_else(|| format!("expected two numbers from 1 to {MOST}, such as 900x600"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().map(Duration::try_from_secs_f64);
    match time {
        Some(Ok(time)) if !time.is_zero() => Ok(time),
        _ => Err("expected a number above 0".to_owned()),
    }
}

fn passes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(passes) if (1..=PASSES.len()).contains(&passes) => Ok(passes),
        _ => Err(format!("expected a number from 1 to {}", PASSES.len())),
    }
}

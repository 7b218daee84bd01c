//! Passes over the picture until the time is up, or somebody has enough.
//!
//! All passes run in one nursery with a timeout and a token. A pass has a child for every row, and every child
//! asks after each pixel whether it should stop. A pass counts when all of its rows are there: a pass
//! that is cut off is thrown away, and the pass before it stays.

use std::io::{self, Write};
use std::time::Duration;

use hatchery::{CancelReason, CancelToken, Cancelled, TryNursery};
use indicatif::{ProgressBar, ProgressStyle};

use crate::fractal::{View, escape};
use crate::picture::{Light, Size, colour, pixel};

/// How fine the picture is made in one go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// The number of iterations after which a point counts as part of the set.
    pub(crate) iterations: u32,
    /// Each pixel is the mean of a square with this many points on a side.
    pub(crate) grid: u32,
}

/// The passes. Each takes two to four times as long as the pass before, so little is lost by starting
/// afresh: first the outline gets right, then the edges smooth.
pub(crate) const PASSES: [Pass; 7] = [
    Pass::new(64, 1),
    Pass::new(256, 1),
    Pass::new(1024, 1),
    Pass::new(1024, 2),
    Pass::new(4096, 3),
    Pass::new(4096, 5),
    Pass::new(16384, 8),
];

impl Pass {
    const fn new(iterations: u32, grid: u32) -> Self {
        Self { iterations, grid }
    }
}

/// A complete pass.
#[derive(Debug)]
pub(crate) struct Best {
    pub(crate) pass: Pass,
    /// How many were made, with this one.
    pub(crate) passes: usize,
    /// Three bytes each, row by row.
    pub(crate) pixels: Vec<u8>,
}

/// What was refined.
#[derive(Debug)]
pub(crate) struct Refined {
    /// None if the first pass was not complete.
    pub(crate) best: Option<Best>,
    pub(crate) ended: Ended,
}

/// Why it ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Done,
    /// The time is up; with how long it took all children to stop.
    Deadline(Duration),
    /// The token was cancelled.
    Interrupted,
}

/// Makes this many passes, or as many as there is time for until the token is cancelled.
pub(crate) fn until(
    time: Duration,
    interrupt: &CancelToken,
    size: Size,
    view: View,
    passes: usize,
) -> Refined {
    let bar = bar(size);
    let mut best = None;
    let options = hatchery::Options::new().name("mandelbrot").timeout(time);
    let options = options.cancel_on(interrupt);
    let result = options.try_nursery(|n| {
        for (made, pass) in PASSES.into_iter().take(passes).enumerate() {
            bar.set_message(format!("pass {}", made + 1));
            bar.set_position(0);
            let pixels = rows(n, &bar, size, view, pass)?;
            best = Some(Best {
                pass,
                passes: made + 1,
                pixels,
            });
            if bar.is_hidden() {
                // Nobody may be reading.
                let _ = writeln!(io::stderr(), "pass {} of {passes} is complete", made + 1);
            }
        }
        Ok(())
    });
    bar.finish_and_clear();
    let ended = match result.map_err(hatchery::Failures::resume_panic) {
        Ok(()) => Ended::Done,
        Err(failures) => match failures.cancelled() {
            Some(cancelled) if cancelled.reason() == CancelReason::Deadline => {
                Ended::Deadline(cancelled.overshoot().unwrap_or_default())
            }
            Some(cancelled) if cancelled.reason() == CancelReason::Token => Ended::Interrupted,
            _ => unreachable!("nothing else fails: {failures}"),
        },
    };
    Refined { best, ended }
}

/// One pass: all rows, or none of them if it is cut off.
fn rows<'scope>(
    n: &'scope TryNursery<'scope, '_, Cancelled>,
    bar: &'scope ProgressBar,
    size: Size,
    view: View,
    pass: Pass,
) -> Result<Vec<u8>, hatchery::Failure<Cancelled>> {
    let rows = n.spawn_each(0..size.height, move |y| {
        let row = row(y, size, view, pass)?;
        bar.inc(1);
        Ok(row)
    });
    let mut pixels = Vec::with_capacity(size.height as usize * size.width as usize * 3);
    for row in rows {
        pixels.extend(row?);
    }
    Ok(pixels)
}

/// The pixels of one row.
fn row(y: u32, size: Size, view: View, pass: Pass) -> Result<Vec<u8>, Cancelled> {
    let mut pixels = Vec::with_capacity(size.width as usize * 3);
    for x in 0..size.width {
        hatchery::checkpoint()?;
        pixels.extend(pixel(mean(x, y, size, view, pass)));
    }
    Ok(pixels)
}

/// The light of one pixel: the mean of a square of points in it.
fn mean(x: u32, y: u32, size: Size, view: View, pass: Pass) -> Light {
    let (middle_x, middle_y, across) = view.place();
    let step = across / f64::from(size.width);
    let inside = |i: u32| (f64::from(i) + 0.5) / f64::from(pass.grid);
    let mut sum = [0.0; 3];
    for i in 0..pass.grid {
        for j in 0..pass.grid {
            let right = f64::from(x) + inside(i) - f64::from(size.width) / 2.0;
            let down = f64::from(y) + inside(j) - f64::from(size.height) / 2.0;
            let point = (middle_x + right * step, middle_y - down * step);
            let light = colour(escape(point.0, point.1, pass.iterations));
            for (sum, light) in sum.iter_mut().zip(light) {
                *sum += light;
            }
        }
    }
    sum.map(|sum| sum / f64::from(pass.grid * pass.grid))
}

/// A bar on stderr, if that is a terminal; else it is hidden.
fn bar(size: Size) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:40} {percent:>3}%  {elapsed}");
    ProgressBar::new(size.height.into()).with_style(style.expect("the template is constant"))
}

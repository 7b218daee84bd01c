//! `mandelbrot`: the file that comes out, and when none does.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use tempfile::TempDir;

use crate::program::{self, Run, example};
use crate::{refuses, run};

fn mandelbrot(out: &Path, arguments: &str) -> Run {
    let out = ["--out", out.to_str().unwrap()];
    run("mandelbrot", out.into_iter().chain(arguments.split(' ')))
}

/// The width and the pixels of a picture.
fn pixels(file: &Path) -> (usize, Vec<[u8; 3]>) {
    let file = BufReader::new(File::open(file).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(frame.color_type, png::ColorType::Rgb);
    let pixels = bytes.chunks(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    (frame.width as usize, pixels.collect())
}

#[test]
fn the_whole_set_is_black_symmetric_and_surrounded_by_colour() {
    const WIDTH: usize = 36;
    const HEIGHT: usize = 24;
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("whole.png");
    let run = mandelbrot(
        &out,
        "--view whole --size 36x24 --passes 4 --seconds 1000000",
    );
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.row("passes"), "4 of 4");
    assert_eq!(run.row("samples"), "4 a pixel");
    assert_eq!(run.row("end"), "all passes are complete");

    let (width, pixels) = pixels(&out);
    assert_eq!((width, pixels.len()), (WIDTH, WIDTH * HEIGHT));
    let rows: Vec<_> = pixels.chunks(WIDTH).collect();
    for (above, below) in rows.iter().zip(rows.iter().rev()) {
        assert_eq!(above, below, "the set is its own mirror image");
    }
    // A tenth of the plane from pixel to pixel, with -0.7 in the middle.
    assert_eq!(rows[HEIGHT / 2][WIDTH / 2], [0; 3], "the heart");
    assert_eq!(rows[HEIGHT / 2][WIDTH / 2 - 4], [0; 3], "the disc");
    for corner in [rows[0][0], rows[0][WIDTH - 1]] {
        assert_ne!(corner, [0; 3], "the outside");
    }
}

#[test]
fn more_passes_make_another_picture() {
    let dir = TempDir::new().unwrap();
    let pictures = ["1", "2"].map(|passes| {
        let out = dir.path().join(passes);
        let run = mandelbrot(&out, &format!("--size 30x20 --passes {passes}"));
        assert_eq!(run.row("passes"), format!("{passes} of {passes}"));
        pixels(&out).1
    });
    assert_ne!(pictures[0], pictures[1]);
}

/// The time is up before the first row.
#[test]
fn without_time_there_is_no_picture_and_the_old_one_stays() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("old.png");
    fs::write(&out, "old").unwrap();
    let run = mandelbrot(&out, "--size 2000x2000 --seconds 0.000000001");
    assert_eq!(run.code, Some(1), "{run:?}");
    let error = "error: 1ns was not enough for the first pass, there is no picture\n";
    assert_eq!((&*run.stdout, &*run.stderr), ("", error));
    assert_eq!(fs::read_to_string(&out).unwrap(), "old");
}

/// All passes would take minutes.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_the_best_picture_so_far() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    const SIZE: [&str; 2] = ["--size", "1200x800"];
    let dir = TempDir::new().unwrap();
    let [best, whole] = ["best.png", "whole.png"].map(|name| dir.path().join(name));
    let mut command = example("mandelbrot");
    command.args(SIZE).args(["--seconds", "1000000", "--out"]);
    let mut started = program::start(command.arg(&best));
    started.wait_until_it_says("pass 1 of 7 is complete\n");
    assert!(!best.exists(), "it is written in the end");
    let process = Pid::from_raw(started.id().try_into().unwrap());
    kill(process, Signal::SIGINT).unwrap();
    let run = started.end();

    assert_eq!(run.code, Some(0), "{run:?}");
    let end = "Ctrl-C came, this is the best picture so far";
    assert_eq!(run.row("end"), end);
    let passes = run.number("passes");
    assert!((1..7).contains(&passes), "{run:?}");
    // The same as if no more had been asked for.
    mandelbrot(
        &whole,
        &format!("{} --seconds 1000000 --passes {passes}", SIZE.join(" ")),
    );
    assert_eq!(pixels(&best), pixels(&whole));
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("nowhere/picture.png");
    let run = mandelbrot(&out, "--size 3x2 --passes 1");
    assert_eq!(run.code, Some(1), "{run:?}");
    let error = format!("pass 1 of 1 is complete\nerror: cannot write {out:?}: ");
    assert!(run.stderr.starts_with(&error), "{run:?}");
}

#[test]
fn nonsense_on_the_command_line_is_named() {
    refuses(
        "mandelbrot",
        &[
            (&["--size", "900"], "--size"),
            (&["--size", "0x600"], "--size"),
            (&["--size", "900x10001"], "--size"),
            (&["--seconds", "0"], "--seconds"),
            (&["--seconds=-1"], "--seconds"),
            (&["--seconds", "inf"], "--seconds"),
            (&["--passes", "0"], "--passes"),
            (&["--passes", "8"], "--passes"),
            (&["--view", "nothing"], "--view"),
            (&["picture.png"], "picture.png"),
        ],
    );
}

//! `pipeline`: what comes out is what went in, in order, and no more chunks are in memory than may be.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use flate2::read::MultiGzDecoder;
use tempfile::TempDir;

use crate::program::{Run, example};
use crate::{refuses, run};

/// Bytes that neither repeat nor end with a whole chunk.
fn input(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let noise = |_| if random.bool() { b'a' } else { random.u8(..) };
    (0..length).map(noise).collect()
}

fn unzipped(file: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut decoder = MultiGzDecoder::new(File::open(file).unwrap());
    decoder.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The most chunks that were in memory.
fn peak(run: &Run) -> usize {
    run.number("in memory")
}

#[test]
fn a_file_is_the_same_once_it_is_unzipped() {
    let dir = TempDir::new().unwrap();
    let [file, out] = ["in", "out.gz"].map(|name| dir.path().join(name));
    for (length, chunk, most, threads, chunks) in [
        (0, 1, 1, 1, 0),
        (1, 1, 4, 2, 1),
        (1024, 1, 1, 2, 1),
        (300_000, 1, 3, 2, 293),
        (300_000, 64, 100, 1, 5),
    ] {
        let content = input(length);
        fs::write(&file, &content).unwrap();
        let mut command = example("pipeline");
        command.arg(&file).arg("--out").arg(&out);
        for (option, value) in [("--chunk", chunk), ("--most", most), ("--threads", threads)] {
            command.args([option, &value.to_string()]);
        }
        let run = crate::program::run(command);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.number("chunks"), chunks);
        assert!(peak(&run) <= most, "{run:?}");
        assert!(unzipped(&out) == content, "{length} bytes");
    }
}

#[test]
fn the_bound_on_the_memory_is_used_and_kept() {
    for most in [1, 2, 7] {
        let most_text = most.to_string();
        let run = run(
            "pipeline",
            ["--generate", "1", "--chunk", "16", "--most", &most_text],
        );
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.number("chunks"), 64);
        assert_eq!(peak(&run), most, "{run:?}");
    }
}

#[test]
fn standard_input_is_read_as_it_comes() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out.gz");
    let mut command: Command = example("pipeline");
    command.args(["-", "--chunk", "1", "--out"]).arg(&out);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let content = input(10_000);
    let mut stdin = child.stdin.take().unwrap();
    for piece in content.chunks(777) {
        stdin.write_all(piece).unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert!(unzipped(&out) == content);
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let dir = TempDir::new().unwrap();
    let nowhere = dir.path().join("nowhere/file");
    let nowhere = nowhere.to_str().unwrap();
    for arguments in [&[nowhere][..], &["--generate", "1", "--out", nowhere]] {
        let run = run("pipeline", arguments);
        assert_eq!(run.code, Some(3), "{run:?}");
        assert!(run.stderr.contains(nowhere), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    // A folder can be opened, and not be read.
    let run = run("pipeline", [dir.path()]);
    assert_eq!(run.code, Some(3), "{run:?}");
}

#[test]
fn nonsense_on_the_command_line_is_named() {
    refuses(
        "pipeline",
        &[
            (&["f", "--generate", "1"], "--generate"),
            (&["--chunk", "0"], "0 is not in 1.."),
            (&["--most", "0"], "0 is not in 1.."),
            (&["--threads", "many"], "many"),
            (&["f", "g"], "g"),
        ],
    );
}

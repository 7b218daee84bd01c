//! The example on several processes, as `mpirun` starts them.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

#[path = "../../../tests/common/program.rs"]
mod program;

use program::Run;

/// Threads of each process.
const THREADS: usize = 2;

fn across(processes: usize, folder: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new("mpirun");
    command
        // It would not start more processes than there are processors, nor any for root.
        .args(["--oversubscribe", "--allow-run-as-root", "-n"])
        .arg(processes.to_string())
        .env("HATCHERY_THREADS", THREADS.to_string())
        .arg(env!("CARGO_BIN_EXE_across"))
        .arg(folder)
        .args(arguments);
    program::run(command)
}

/// The numbers of a row of the summary, which stand with a plus between them.
fn numbers(run: &Run, row: &str) -> Vec<usize> {
    let numbers = run.row(row).split(" + ");
    numbers.map(|number| number.parse().unwrap()).collect()
}

/// Files of 100 lines, and a copy of each with other indentation. Of copy `k`, `k + 1` lines are changed, up to 10.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("below")).unwrap();
    for k in 0..20 {
        let line = |at: usize| format!("line {at} of {k}\n");
        let original: String = (0..100).map(line).collect();
        let changed = |at: usize| match at % 10 == 3 && at / 10 <= k {
            true => format!("  changed {at} of {k}\n"),
            false => format!("    {}\n", line(at)),
        };
        let copy: String = (0..100).map(changed).collect();
        fs::write(dir.path().join(format!("{k:02}")), original).unwrap();
        fs::write(dir.path().join("below").join(format!("{k:02}")), copy).unwrap();
    }
    // No text, and nothing in it.
    fs::write(dir.path().join("bytes"), [0xff; 100]).unwrap();
    fs::write(dir.path().join("empty"), "\n \n").unwrap();
    dir
}

#[test]
fn two_processes_find_what_one_loop_finds() {
    let dir = folder();
    for processes in [2, 1, 3] {
        let run = across(processes, dir.path(), &["--check", "--most", "3"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.row("processes"), processes.to_string());
        assert_eq!(numbers(&run, "threads"), vec![THREADS; processes]);
        assert_eq!(run.number("files"), 40);
        assert_eq!(run.number("pairs"), 780);
        assert!(run.row("serial").ends_with("the same answer"), "{run:?}");

        let rows = numbers(&run, "rows");
        assert_eq!(rows.iter().sum::<usize>(), 39, "{run:?}");
        for rows in rows {
            assert!(rows >= 2 * THREADS, "each has what it began with: {run:?}");
        }
        let alike: Vec<_> = run
            .stdout
            .lines()
            .skip_while(|line| *line != "alike")
            .collect();
        let expected = [
            "alike",
            "   99.0 %  below/00  00",
            "   98.0 %  below/01  01",
            "   97.0 %  below/02  02",
        ];
        assert_eq!(alike, expected, "{run:?}");
    }
}

/// Two rows, and eight rows that the processes could begin with.
#[test]
fn processes_without_work_end_as_well() {
    let dir = TempDir::new().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(dir.path().join(name), "the same\n").unwrap();
    }
    let run = across(2, dir.path(), &["--check"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(numbers(&run, "rows"), [2, 0]);
}

#[test]
fn what_the_first_process_cannot_read_ends_all_of_them() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("missing");
    let run = across(2, &missing, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("missing: No such file"), "{run:?}");

    fs::write(dir.path().join("alone"), "text").unwrap();
    let run = across(2, dir.path(), &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("nothing to compare"), "{run:?}");
}

//! `validate`: good files, bad records, and files that are none.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::Run;
use crate::{refuses, run};

const HEADER: &str = "id,name,amount,date\n";
const GOOD: &str = "7,Ada,-12.50,2024-02-29\n";

fn validate(file: &Path, arguments: &[&str]) -> Run {
    run("validate", [&[file.to_str().unwrap()], arguments].concat())
}

/// Checks a file of this content, all of it.
fn all(content: impl AsRef<[u8]>) -> Run {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file.csv");
    fs::write(&file, content).unwrap();
    validate(&file, &["--all"])
}

fn generated(dir: &TempDir, arguments: &[&str]) -> PathBuf {
    let file = dir.path().join(arguments.join(""));
    let run = validate(&file, &[&["--generate"], arguments].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    file
}

/// The numbers of the lines that are reported.
fn lines(run: &Run) -> Vec<usize> {
    let lines = run.stdout.lines();
    let lines = lines.filter_map(|line| line.strip_prefix("line ")?.split(',').next());
    lines.map(|line| line.parse().unwrap()).collect()
}

// ---- what is good and bad -----------------------------------------------------------------------

#[test]
fn a_good_file_is_good_to_its_end() {
    let dir = TempDir::new().unwrap();
    // Nothing, a part of a chunk, whole chunks, more than are held at a time.
    for records in ["0", "1", "999", "1000", "1001", "70000"] {
        let file = generated(&dir, &[records]);
        for arguments in [&[][..], &["--all"]] {
            let run = validate(&file, arguments);
            assert_eq!(run.code, Some(0), "{run:?}");
            let expected = records.parse::<usize>().unwrap();
            let rows = ["records", "lines", "bad"].map(|row| run.number(row));
            assert_eq!(rows, [expected, expected + 1, 0]);
            assert_eq!(lines(&run), []);
        }
    }
}

#[test]
fn each_field_is_checked() {
    for (record, why) in [
        ("", None),
        ("0,\"Doe, Jane\",1,1970-01-01", None),
        ("18446744073709551615,Zoë,-0.5,2000-02-29", None),
        ("18446744073709551616,A,1,2024-01-01", Some("id: ")),
        ("+1,A,1,2024-01-01", Some("id: ")),
        (",A,1,2024-01-01", Some("id: ")),
        ("1,,1,2024-01-01", Some("name: ")),
        ("1,\" \",1,2024-01-01", Some("name: ")),
        ("1,A,1.,2024-01-01", Some("amount: ")),
        ("1,A,.5,2024-01-01", Some("amount: ")),
        ("1,A,1e3,2024-01-01", Some("amount: ")),
        ("1,A,--1,2024-01-01", Some("amount: ")),
        ("1,A,1,2023-02-29", Some("date: ")),
        ("1,A,1,1900-02-29", Some("date: ")),
        ("1,A,1,2024-13-01", Some("date: ")),
        ("1,A,1,2024-00-01", Some("date: ")),
        ("1,A,1,2024-01-00", Some("date: ")),
        ("1,A,1,2024-1-01", Some("date: ")),
        ("1,A,1,2024-01-01 ", Some("date: ")),
        ("1,A,1,2024é01-01", Some("date: ")),
        ("1,A,1", Some("expected 4 fields, found 3")),
        ("1,A,1,2024-01-01,", Some("expected 4 fields, found 5")),
    ] {
        let run = all(format!("{HEADER}{GOOD}{record}\n{GOOD}"));
        match why {
            None => assert_eq!(run.code, Some(0), "{run:?}"),
            Some(why) => {
                assert_eq!(run.code, Some(1), "{run:?}");
                let line = format!("line 3, record 2: {why}");
                assert!(run.stdout.starts_with(&line), "{run:?}");
                assert_eq!(run.number("bad"), 1);
            }
        }
    }
    let run = all(b"id,name,amount,date\n1,\xff,1,2024-01-01\n");
    let line = "line 2, record 1: name: it is not UTF-8\n";
    assert!(run.stdout.starts_with(line), "{run:?}");
}

#[test]
fn lines_are_told_apart_from_records() {
    let run = all(format!(
        "{HEADER}1,\"two\nlines\",1,2024-01-01\n\n1,,1,2024-01-01\n"
    ));
    assert!(run.stdout.starts_with("line 5, record 2: name"), "{run:?}");
    let run = all("id,name,amount,date\r\n1,A,1,2024-01-01\r\n1,,1,2024-01-01\r\n1,A,,");
    assert_eq!(lines(&run), [3, 4], "{run:?}");
}

// ---- the first one, and all ---------------------------------------------------------------------

#[test]
fn all_bad_lines_are_listed_in_order() {
    let dir = TempDir::new().unwrap();
    let file = generated(&dir, &["20000", "--bad", "500", "--seed", "7"]);
    let run = validate(&file, &["--all"]);
    assert_eq!(run.code, Some(1), "{:?}", run.stderr);
    assert_eq!((run.number("bad"), run.number("records")), (500, 20_000));
    let lines = lines(&run);
    assert_eq!(lines.len(), 500);
    assert!(lines.is_sorted());
}

#[test]
fn the_first_bad_line_found_ends_the_check() {
    let dir = TempDir::new().unwrap();
    let file = generated(&dir, &["20000", "--bad", "500"]);
    let bad = lines(&validate(&file, &["--all"]));
    let run = validate(&file, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let [line] = lines(&run)[..] else {
        panic!("expected one line: {run:?}")
    };
    assert!(bad.contains(&line), "{run:?}");
    assert_eq!(run.number("bad"), 1);
    assert!(run.number("records") <= 20_000);
}

#[test]
fn one_bad_line_among_many_is_found() {
    for seed in ["1", "2", "3"] {
        let dir = TempDir::new().unwrap();
        let file = generated(&dir, &["5000", "--bad", "1", "--seed", seed]);
        let [first, all] = [&[][..], &["--all"]].map(|arguments| {
            let run = validate(&file, arguments);
            assert_eq!(run.code, Some(1), "{run:?}");
            lines(&run)
        });
        assert_eq!(first, all);
    }
}

#[test]
fn the_same_seed_makes_the_same_file() {
    let dir = TempDir::new().unwrap();
    let files = ["1", "1", "2"].map(|seed| {
        let file = generated(&dir, &["100", "--bad", "9", "--seed", seed]);
        let content = fs::read_to_string(&file).unwrap();
        fs::remove_file(file).unwrap();
        content
    });
    assert_eq!(files[0], files[1]);
    assert_ne!(files[0], files[2]);
}

// ---- what is no such file -----------------------------------------------------------------------

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("empty"), "").unwrap();
    fs::write(dir.path().join("other"), "a,b\n1,2\n").unwrap();
    for (name, cause) in [
        ("nowhere", "No such file"),
        ("", "it is not a regular file"),
        (
            "empty",
            "the first line must be \"id,name,amount,date\", not \"\"",
        ),
        (
            "other",
            "the first line must be \"id,name,amount,date\", not \"a,b\"",
        ),
    ] {
        let file = dir.path().join(name);
        let run = validate(&file, &[]);
        assert_eq!(run.code, Some(3), "{run:?}");
        let error = format!("error: {file:?}: {cause}");
        assert!(run.stderr.starts_with(&error), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    let run = validate(&dir.path().join("nowhere/file"), &["--generate", "1"]);
    assert_eq!(run.code, Some(3), "{run:?}");
}

#[test]
fn nonsense_on_the_command_line_is_named() {
    refuses(
        "validate",
        &[
            (&[], "<FILE>"),
            (&["f", "--generate", "many"], "many"),
            (&["f", "--bad", "1"], "--generate"),
            (&["f", "--generate", "1", "--all"], "--all"),
            (&["f", "g"], "g"),
        ],
    );
}

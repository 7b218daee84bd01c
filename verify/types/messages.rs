//! Programs that must not compile, and the messages their authors get.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

const PROGRAMS: &str = "programs";

/// The compiler whose messages are recorded next to the programs. Others word some differently.
const RECORDED_WITH: &str = "rustc 1.95.";

#[test]
fn borrows_do_not_escape_and_bounds_hold() {
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = String::from_utf8(rustc.expect("a compiler").stdout).expect("UTF-8");
    if rustc.starts_with(RECORDED_WITH) {
        must_not_compile(Path::new(PROGRAMS));
    } else {
        println!("{rustc}: only the codes of the errors are compared");
        errors_have_the_recorded_codes();
    }
}

fn must_not_compile(programs: &Path) {
    let cases = trybuild::TestCases::new();
    cases.compile_fail(programs.join("*.rs"));
}

/// Records this compiler's messages elsewhere and compares the error codes in them.
fn errors_have_the_recorded_codes() {
    let elsewhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    // What an earlier run has left, if any.
    let _ = fs::remove_dir_all(&elsewhere);
    fs::create_dir_all(&elsewhere).unwrap();
    for program in with_extension(Path::new(PROGRAMS), "rs") {
        fs::copy(&program, elsewhere.join(program.file_name().unwrap())).unwrap();
    }
    let recording = Command::new(std::env::current_exe().unwrap())
        .args(["record_messages", "--exact", "--ignored"])
        .env("TRYBUILD", "overwrite")
        .env("HATCHERY_PROGRAMS", &elsewhere)
        .status();
    assert!(recording.unwrap().success(), "some program compiles");
    for recorded in with_extension(Path::new(PROGRAMS), "stderr") {
        let here = elsewhere.join(recorded.file_name().unwrap());
        assert_eq!(codes(&here), codes(&recorded), "{}", recorded.display());
    }
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn record_messages() {
    if let Some(programs) = std::env::var_os("HATCHERY_PROGRAMS") {
        must_not_compile(Path::new(&programs));
    }
}

fn with_extension(dir: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let found: Vec<_> = entries
        .filter(|path| path.extension() == Some(OsStr::new(extension)))
        .collect();
    assert!(!found.is_empty(), "no .{extension} in {}", dir.display());
    found
}

/// What the errors are, as `error[E0373]`; the whole line for one without a code.
fn codes(messages: &Path) -> Vec<String> {
    let text = fs::read_to_string(messages).unwrap();
    let errors = text.lines().filter(|line| line.starts_with("error"));
    errors
        .map(|line| match line.split_once("]:") {
            Some((code, _)) => format!("{code}]"),
            None => line.to_owned(),
        })
        .collect()
}

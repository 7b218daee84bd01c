//! Built with `panic = "abort"`, a program cancels as ever: nothing unwinds for it.

#[path = "../common/program.rs"]
mod program;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use program::{cargo, run};

const MANIFEST: &str = r#"
[package]
name = "panic_abort"
version = "0.0.0"
edition = "2024"

[[bin]]
name = "panic_abort"
path = "main.rs"

[dependencies]
hatchery = { path = HATCHERY }

[profile.dev]
panic = "abort"

[workspace]
"#;

#[test]
fn cancelling_does_not_unwind() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panic_abort");
    fs::create_dir_all(&folder).unwrap();
    let path = format!("{root:?}");
    fs::write(
        folder.join("Cargo.toml"),
        MANIFEST.replace("HATCHERY", &path),
    )
    .unwrap();
    // The same versions of what it depends on, which are there.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::copy(
        root.join("tests/panic_abort/cancelling.rs"),
        folder.join("main.rs"),
    )
    .unwrap();
    let mut build = cargo();
    build
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(folder.join("target"))
        .current_dir(&folder);
    assert!(build.status().unwrap().success(), "the program must build");
    let file = format!("panic_abort{}", env::consts::EXE_SUFFIX);
    let run = run(Command::new(folder.join("target/debug").join(file)));
    assert_eq!(run.code, Some(0), "{run:?}");
    let expected = "all of them end\n";
    assert_eq!((&*run.stdout, &*run.stderr), (expected, ""));
}

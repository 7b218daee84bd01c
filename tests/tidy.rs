//! The repository tests itself: layers, unsafe code, sizes, laws, changelog, pages.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "tidy/laws.rs"]
mod laws;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/pages.rs"]
mod pages;

/// Files that may contain unsafe code.
const UNSAFE: [&str; 33] = [
    "src/engine/frame/fork.rs",
    "src/engine/frame/holding.rs",
    "src/engine/frame/mod.rs",
    "src/engine/frame/stage.rs",
    "src/engine/limit.rs",
    "src/engine/links.rs",
    "src/engine/revoke.rs",
    "src/engine/shared.rs",
    "src/platform/activity.rs",
    "src/platform/barrier.rs",
    "src/platform/cpus.rs",
    "src/platform/lazy.rs",
    "src/platform/process.rs",
    "src/protocol/roster.rs",
    "src/scope/cancel.rs",
    "src/scope/filling.rs",
    "src/scope/fork.rs",
    "src/scope/job.rs",
    "src/scope/lineage.rs",
    "src/scope/nest.rs",
    "src/scope/partial.rs",
    "src/scope/visit.rs",
    "src/scope/visit.rs",
    "src/task/arena.rs",
    "src/task/consume.rs",
    "src/task/growing.rs",
    "src/task/list.rs",
    "src/task/memory.rs",
    "src/task/owned.rs",
    "src/task/placement.rs",
    "src/task/private.rs",
    "src/task/record.rs",
    "src/task/slab.rs",
];

/// Lines of code a file may have.
const LONGEST: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the repository, with its path from the root and its text.
fn sources() -> Vec<(String, String)> {
    fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    for dir in [
        "src",
        "tests",
        "benches",
        "examples",
        "verify/door",
        "verify/faults",
        "verify/models/models",
        "verify/scaling/laboratory",
        "verify/scaling/src",
    ] {
        collect(&root().join(dir), &mut files);
    }
    let name = |file: &PathBuf| {
        let inside = file.strip_prefix(root()).expect("below the root");
        inside.to_string_lossy().replace('\\', "/")
    };
    let mut sources: Vec<_> = files
        .iter()
        .map(|file| (name(file), fs::read_to_string(file).expect("UTF-8")))
        .collect();
    sources.sort();
    assert!(sources.len() > 20, "the sources were found");
    sources
}

/// The lines that are neither empty nor comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//"))
}

/// What only `src/platform/` may name: what threads do to each other, what is a thread's own, what time
/// it is, and what takes the place of all that in checks. `std::{` is how to write it in other ways.
const BEHIND_THE_DOOR: [&str; 15] = [
    "std::sync",
    "std::thread",
    "std::hint",
    "std::{",
    "core::sync",
    "core::hint",
    "alloc::sync",
    "spin_loop",
    "Instant::now",
    "SystemTime",
    ".elapsed()",
    "crossbeam_deque",
    "loom::",
    "shuttle::",
    "laboratory::",
];

/// The name behind the door that this line of code has, if there is one.
fn past_the_door(line: &str) -> Option<&'static str> {
    let bare = line.strip_prefix("thread_local!").map(|_| "thread_local!");
    let mut names = BEHIND_THE_DOOR.into_iter();
    bare.or_else(|| names.find(|name| line.contains(name)))
}

#[test]
fn only_the_platform_opens_the_door_to_std_sync_std_thread_and_clocks() {
    for (file, text) in sources() {
        let is_outside = file.starts_with("src/") && !file.starts_with("src/platform/");
        if !is_outside {
            continue;
        }
        // A file's own tests stand at its end.
        let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(&text);
        for line in code(text) {
            let named = past_the_door(line);
            assert_eq!(named, None, "{file} goes past platform/: {line}");
        }
    }
}

#[test]
fn the_door_is_seen_in_whatever_way_it_is_passed_by() {
    for line in [
        "use std::sync::atomic::AtomicBool;",
        "use std::{mem, sync::Mutex};",
        "let now = std::time::Instant::now();",
        "thread_local!(static A: u8 = const { 0 });",
        "use crossbeam_deque::Worker;",
    ] {
        assert!(past_the_door(line).is_some(), "{line}");
    }
    for line in [
        "use std::time::{Duration, Instant};",
        "crate::platform::thread::thread_local! {",
        "use crate::platform::sync::{Arc, Mutex};",
    ] {
        assert_eq!(past_the_door(line), None, "{line}");
    }
}

#[test]
fn unsafe_code_is_in_the_named_files() {
    for (file, text) in sources() {
        if file.starts_with("src/") {
            let is_named = UNSAFE.contains(&file.as_str());
            let has_unsafe = code(&text).any(|line| {
                line.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| word == "unsafe")
            });
            assert_eq!(is_named, has_unsafe, "{file}");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (file, text) in sources() {
        let lines = code(&text).count();
        assert!(lines <= LONGEST, "{file} has {lines} lines of code");
    }
}

#[test]
fn the_changelog_has_an_entry_for_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("a changelog");
    let heading = format!("\n## {}", env!("CARGO_PKG_VERSION"));
    assert!(changelog.contains(&heading), "no entry {heading:?}");
}

#[test]
fn the_readme_shows_the_hello_example() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a readme");
    let hello = fs::read_to_string(root().join("examples/hello.rs")).expect("an example");
    let shown = readme.split("```").nth(1).expect("a code block");
    let program = |text: &str| {
        let lines = code(text).map(|line| line.split("//").next().unwrap_or(line).trim());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(program(shown.trim_start_matches("rust")), program(&hello));
}

/// The code without the paths of modules that are compiled for checks only.
fn without_modules_of_checks(text: &str) -> impl Iterator<Item = &str> {
    let mut is_of_check = false;
    code(text).filter(move |line| {
        let is_path = is_of_check && line.starts_with("#[path = ");
        is_of_check =
            line.starts_with("#[cfg(") && line.contains("hatchery_") && !line.contains("not(");
        !is_path
    })
}

/// Users can build the package, and run its tests and examples.
#[test]
fn the_package_has_all_that_its_sources_read() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("readable");
    let list = manifest.split("\ninclude = [").nth(1).expect("included");
    let list = list.split(']').next().expect("a list");
    assert!(
        list.contains("/src") && list.contains("/examples"),
        "{list}"
    );
    let left_out = ["tests", "benches", "verify", ".ci"];
    for (file, text) in sources() {
        // What has a manifest of its own is not in the package.
        let is_packed = !file.starts_with("examples/across/");
        if file.starts_with("src/") || (file.starts_with("examples/") && is_packed) {
            for folder in left_out {
                assert!(!list.contains(&format!("/{folder}")), "{list}");
                let reads = |line: &&str| {
                    line.contains(&format!("\"{folder}/"))
                        || line.contains(&format!("/{folder}/"))
                        || line.contains(&format!("\"{folder}\""))
                };
                let mut own = without_modules_of_checks(&text);
                assert_eq!(own.find(reads), None, "{file} reads {folder}");
            }
        }
    }
}

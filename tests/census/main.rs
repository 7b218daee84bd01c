//! The `census` example end to end, on directories that are well and on those that are not.

#[path = "../common/program.rs"]
mod program;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use program::{Run, example};

/// Takes a census of `dir` in every manner, each checked by a serial walk; all must say the same.
fn census(dir: &Path, arguments: &[&str]) -> Run {
    let runs = [&[][..], &["--blocking"], &["--threads", "1"]].map(|manner| {
        let run = once(dir, &[&["--check"], manner, arguments].concat());
        assert!(run.row("serial").contains("the same census"), "{run:?}");
        run
    });
    for run in &runs {
        let [found, expected] = [run, &runs[0]].map(|run| {
            let (found, _time) = run.stdout.split_once("time\n").expect("a summary");
            (run.code, found, &run.stderr)
        });
        assert_eq!(found, expected);
    }
    let [run, ..] = runs;
    run
}

fn once(dir: &Path, arguments: &[&str]) -> Run {
    let mut command = example("census");
    command.arg(dir).args(arguments);
    program::run(command)
}

/// A directory that holds what `fill` puts there.
fn directory(fill: impl FnOnce(&Path)) -> TempDir {
    let dir = TempDir::new().unwrap();
    fill(dir.path());
    dir
}

fn numbers(run: &Run) -> [usize; 6] {
    [
        "files",
        "further names",
        "directories",
        "links",
        "special",
        "problems",
    ]
    .map(|name| run.number(name))
}

// ---- what it counts -----------------------------------------------------------------------------

#[test]
fn files_bytes_the_largest_and_duplicates_are_told() {
    let dir = directory(|dir| {
        fs::create_dir_all(dir.join("below/further")).unwrap();
        fs::write(dir.join("a"), "same").unwrap();
        fs::write(dir.join("below/b"), "same").unwrap();
        fs::write(dir.join("below/further/c"), "same").unwrap();
        fs::write(dir.join("below/d"), "else").unwrap();
        fs::write(dir.join("below/large"), "larger").unwrap();
        fs::write(dir.join("empty"), "").unwrap();
        fs::write(dir.join("empty too"), "").unwrap();
    });
    let run = census(dir.path(), &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(numbers(&run), [7, 0, 3, 0, 0, 0]);
    assert_eq!(run.number("bytes"), 22);
    let largest = format!("{:?}", dir.path().join("below/large"));
    assert!(run.row("largest").ends_with(&largest), "{run:?}");
    assert_eq!(run.number("groups"), 1, "empty files waste nothing");
    assert_eq!(run.number("wasted"), 8);
    assert!(run.row("same").starts_with("3 x 4 B"), "{run:?}");
    assert_eq!(run.stderr, "");
}

#[test]
fn an_empty_directory_has_a_census_too() {
    let dir = directory(|_| {});
    let run = census(dir.path(), &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(numbers(&run), [0, 0, 1, 0, 0, 0]);
    assert_eq!(run.number("bytes"), 0);
}

#[test]
fn files_beyond_a_chunk_are_hashed_to_their_end() {
    const CHUNK: usize = 1 << 20;
    let dir = directory(|dir| {
        for length in [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
            let mut content = vec![7; length];
            fs::write(dir.join(format!("{length} a")), &content).unwrap();
            fs::write(dir.join(format!("{length} b")), &content).unwrap();
            // Differs in the last byte only.
            content[length - 1] = 8;
            fs::write(dir.join(format!("{length} c")), &content).unwrap();
        }
    });
    let run = census(dir.path(), &[]);
    assert_eq!(numbers(&run), [15, 0, 1, 0, 0, 0]);
    assert_eq!(run.number("groups"), 5);
    assert_eq!(run.number("bytes"), 3 * (9 * CHUNK + 7));
}

#[test]
fn many_files_and_a_wide_and_deep_tree_are_all_found() {
    let dir = directory(|dir| {
        for wide in 0..30 {
            let mut below = dir.join(wide.to_string());
            for deep in 0..20 {
                below.push("d");
                fs::create_dir_all(&below).unwrap();
                fs::write(below.join("file"), format!("{wide} {deep}")).unwrap();
            }
        }
        for i in 0..300 {
            fs::write(dir.join(format!("file {i}")), format!("{i}")).unwrap();
        }
    });
    let run = census(dir.path(), &[]);
    assert_eq!(numbers(&run), [900, 0, 631, 0, 0, 0]);
}

#[test]
fn the_deepest_tree_that_a_path_can_name_fits_on_the_stack() {
    const LEVELS: usize = 1900;
    let dir = directory(|dir| {
        let deepest = dir.join(["d"; LEVELS].join("/"));
        fs::create_dir_all(&deepest).unwrap();
        fs::write(deepest.join("f"), "down here").unwrap();
    });
    let run = census(dir.path(), &[]);
    assert_eq!(run.code, Some(0), "{:?}", run.stderr);
    assert_eq!(numbers(&run), [1, 0, LEVELS + 1, 0, 0, 0]);
}

#[test]
fn as_many_groups_are_listed_as_were_asked_for() {
    let dir = directory(|dir| {
        for i in 0..5 {
            for copy in ["a", "b", "c", "d", "e"] {
                fs::write(dir.join(format!("{copy}{i}")), "x".repeat(i + 1)).unwrap();
            }
        }
    });
    for (groups, listed) in [("0", 0), ("2", 2), ("9", 5)] {
        let run = once(dir.path(), &["--groups", groups]);
        assert_eq!(run.number("groups"), 5);
        let same = run.stdout.matches("\n  same").count();
        assert_eq!(same, listed, "{run:?}");
        if listed > 0 {
            assert!(run.row("same").starts_with("5 x 5 B"), "{run:?}");
            assert!(run.row("same").ends_with("and 2 more"), "{run:?}");
        }
    }
}

// ---- the command line ---------------------------------------------------------------------------

#[test]
fn a_directory_that_cannot_be_walked_is_named() {
    let dir = directory(|dir| fs::write(dir.join("file"), "").unwrap());
    for (name, cause) in [
        ("nowhere", "No such file or directory"),
        ("file", "not a directory"),
        ("file/below", "Not a directory"),
    ] {
        let path = dir.path().join(name);
        let run = once(&path, &[]);
        assert_eq!(run.code, Some(1), "{run:?}");
        let [error] = run.stderr.lines().collect::<Vec<_>>()[..] else {
            panic!("expected one error: {run:?}")
        };
        let start = format!("error: cannot take a census of {path:?}: ");
        assert!(error.starts_with(&start), "{run:?}");
        assert!(error.contains(cause), "{run:?}");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn nonsense_on_the_command_line_is_named() {
    for (arguments, complaint) in [
        (&[][..], "<DIR>"),
        (&[""], "<DIR>"),
        (&[".", "--threads", "0"], "--threads"),
        (&[".", "--threads", "many"], "--threads"),
        (&[".", "--groups", "-1"], "-1"),
        (&[".", "again"], "again"),
    ] {
        let mut command = example("census");
        command.args(arguments);
        let run = program::run(command);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(complaint), "{run:?}");
    }
}

// ---- links, and what cannot be read -------------------------------------------------------------

#[cfg(unix)]
mod unix {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// The warnings, without what is before the path below `dir`.
    fn warnings(run: &Run, dir: &Path) -> Vec<String> {
        let prefix = format!("warning: \"{}/", dir.display());
        let lines = run.stderr.lines();
        lines
            .map(|line| line.strip_prefix(&prefix).expect(line).to_owned())
            .collect()
    }

    #[test]
    fn links_that_lead_in_a_circle_are_reported_and_left_out() {
        let dir = directory(|dir| {
            fs::create_dir_all(dir.join("a/b")).unwrap();
            fs::write(dir.join("a/b/file"), "found once").unwrap();
            symlink(".", dir.join("a/self")).unwrap();
            symlink("../..", dir.join("a/b/up")).unwrap();
            symlink("second", dir.join("first")).unwrap();
            symlink("first", dir.join("second")).unwrap();
        });
        let run = census(dir.path(), &[]);
        assert_eq!(run.code, Some(3), "{run:?}");
        assert_eq!(numbers(&run), [1, 0, 3, 0, 0, 4]);
        let within = "a link to a directory that it is in";
        let warnings = warnings(&run, dir.path());
        assert_eq!(warnings[0], format!("a/b/up\": {within}"));
        assert_eq!(warnings[1], format!("a/self\": {within}"));
        for (warning, name) in warnings[2..].iter().zip(["first", "second"]) {
            assert!(warning.starts_with(&format!("{name}\": ")), "{run:?}");
            assert!(warning.contains("symbolic links"), "{run:?}");
        }
        let run = census(dir.path(), &["--no-follow"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(numbers(&run), [1, 0, 3, 4, 0, 0]);
    }

    #[test]
    fn a_circle_through_two_directories_ends_on_both_ways_round() {
        let dir = directory(|dir| {
            for (own, other) in [("a", "b"), ("b", "a")] {
                fs::create_dir(dir.join(own)).unwrap();
                fs::write(dir.join(own).join("file"), own).unwrap();
                symlink(format!("../{other}"), dir.join(own).join("over")).unwrap();
            }
        });
        let run = census(dir.path(), &[]);
        assert_eq!(run.code, Some(3), "{run:?}");
        // Each of the two is found beside and through the other.
        assert_eq!(numbers(&run), [2, 2, 5, 0, 0, 2]);
        let ends = ["a/over/over\": ", "b/over/over\": "];
        for (warning, end) in warnings(&run, dir.path()).iter().zip(ends) {
            assert!(warning.starts_with(end), "{run:?}");
        }
    }

    #[test]
    fn a_file_with_several_names_counts_once() {
        let dir = directory(|dir| {
            fs::create_dir(dir.join("below")).unwrap();
            fs::write(dir.join("file"), "content").unwrap();
            fs::hard_link(dir.join("file"), dir.join("below/hard")).unwrap();
            symlink("file", dir.join("soft")).unwrap();
            symlink("below", dir.join("way")).unwrap();
        });
        let run = census(dir.path(), &[]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(numbers(&run), [1, 3, 3, 0, 0, 0]);
        assert_eq!((run.number("bytes"), run.number("groups")), (7, 0));
        let run = census(dir.path(), &["--no-follow"]);
        assert_eq!(numbers(&run), [1, 1, 2, 2, 0, 0]);
    }

    #[test]
    fn what_is_gone_is_reported_and_left_out() {
        let dir = directory(|dir| {
            fs::write(dir.join("file"), "still here").unwrap();
            symlink("nowhere", dir.join("dangling")).unwrap();
        });
        let run = census(dir.path(), &[]);
        assert_eq!(run.code, Some(3), "{run:?}");
        assert_eq!(numbers(&run), [1, 0, 1, 0, 0, 1]);
        let warnings = warnings(&run, dir.path());
        assert!(
            warnings[0].starts_with("dangling\": No such file"),
            "{run:?}"
        );
    }

    #[test]
    fn pipes_and_sockets_are_counted_and_not_read() {
        let dir = directory(|dir| {
            fs::write(dir.join("file"), "content").unwrap();
            let pipe = std::process::Command::new("mkfifo")
                .arg(dir.join("pipe"))
                .status();
            assert!(pipe.unwrap().success());
            symlink("pipe", dir.join("link")).unwrap();
            symlink("/dev/zero", dir.join("endless")).unwrap();
        });
        let _listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let run = census(dir.path(), &[]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(numbers(&run), [1, 0, 1, 0, 4, 0]);
    }

    #[test]
    fn what_may_not_be_read_is_reported_and_left_out() {
        let dir = directory(|dir| {
            fs::create_dir(dir.join("below")).unwrap();
            fs::write(dir.join("below/file"), "content").unwrap();
            for name in ["below/file", "below"] {
                let file = dir.join(name);
                fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
            }
        });
        let below = dir.path().join("below");
        let is_root = fs::read_dir(&below).is_ok();
        let denied = (!is_root).then(|| census(dir.path(), &[]));
        fs::set_permissions(&below, fs::Permissions::from_mode(0o700)).unwrap();
        let Some(run) = denied else {
            println!("SKIPPED: nothing is forbidden to root");
            return;
        };
        assert_eq!(run.code, Some(3), "{run:?}");
        assert_eq!(numbers(&run), [0, 0, 1, 0, 0, 1]);
        let run = census(dir.path(), &[]);
        assert_eq!(numbers(&run), [0, 0, 2, 0, 0, 1]);
        let warnings = warnings(&run, dir.path());
        assert!(
            warnings[0].starts_with("below/file\": Permission"),
            "{run:?}"
        );
    }

    /// The memory of a process can be opened, and its first page cannot be read: by root neither.
    #[test]
    fn a_file_that_fails_while_it_is_read_is_reported_and_left_out() {
        if !cfg!(target_os = "linux") {
            println!("SKIPPED: needs /proc/self/mem");
            return;
        }
        let dir = directory(|dir| {
            fs::write(dir.join("file"), "content").unwrap();
            symlink("/proc/self/mem", dir.join("memory")).unwrap();
        });
        let run = census(dir.path(), &[]);
        assert_eq!(run.code, Some(3), "{run:?}");
        assert_eq!(numbers(&run), [1, 0, 1, 0, 0, 1]);
        let warnings = warnings(&run, dir.path());
        assert!(warnings[0].starts_with("memory\": Input/output"), "{run:?}");
    }

    #[test]
    fn names_that_are_not_utf_8_or_hold_line_breaks_are_told_apart() {
        let dir = directory(|dir| {
            for (name, content) in [
                (&b"bad \xff"[..], "same"),
                (b"bad \xfe", "same"),
                (b"two\nlines", "the largest"),
            ] {
                fs::write(dir.join(OsStr::from_bytes(name)), content).unwrap();
            }
            symlink("nowhere", dir.join(OsStr::from_bytes(b"gone \xfd"))).unwrap();
        });
        let run = census(dir.path(), &[]);
        assert_eq!(run.code, Some(3), "{run:?}");
        assert_eq!(numbers(&run), [3, 0, 1, 0, 0, 1]);
        for shown in [r"bad \xFE", r"bad \xFF"] {
            assert!(run.row("same").contains(shown), "{run:?}");
        }
        assert!(run.row("largest").ends_with(r#"two\nlines""#), "{run:?}");
        assert!(run.stderr.contains(r"gone \xFD"), "{run:?}");
    }

    #[test]
    fn the_root_may_be_a_link() {
        let dir = directory(|dir| {
            fs::create_dir(dir.join("real")).unwrap();
            fs::write(dir.join("real/file"), "content").unwrap();
            symlink("real", dir.join("link")).unwrap();
        });
        let run = census(&dir.path().join("link"), &[]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(numbers(&run), [1, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure() {
        let dir = directory(|_| {});
        let mut command = example("census");
        command.arg(dir.path());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = command.stdout(writer).status().unwrap();
        assert_eq!(status.code(), Some(0));
    }
}

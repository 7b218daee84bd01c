//! Running a test of the same file in a process of its own, under a watchdog.

use std::process::Command;

#[path = "program.rs"]
mod program;

pub(crate) use program::Run;

/// Each of these tests of the module `here` runs in a process of its own, with no threads but those it has
/// started.
#[allow(unused_macros, reason = "some files have a single test of that kind")]
macro_rules! alone {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let run = alone::alone(concat!("here::", stringify!($name)), |_| ());
                assert_eq!(run.code, Some(0), "{run:?}");
            }
        )*
    };
}

/// Runs the ignored test `name` of the file that has this module; what it prints comes back. `configure` may
/// change how.
pub(crate) fn alone(name: &str, configure: impl FnOnce(&mut Command)) -> Run {
    // The file is a program of its own, or a module of one.
    let path = module_path!();
    let file = path.split("::").skip(1).filter(|part| *part != "alone");
    let name = file.chain([name]).collect::<Vec<_>>().join("::");
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args([&name, "--exact", "--ignored", "--nocapture"]);
    this.arg("--test-threads=1");
    configure(&mut this);
    program::run(this)
}

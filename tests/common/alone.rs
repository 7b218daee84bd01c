//! Running an ignored test of the same program in a process of its own, under a watchdog.

use std::process::Command;

#[path = "program.rs"]
mod program;

pub(crate) use program::Run;

/// Each of these tests of the module `here` runs in a process of its own, with no threads but those it has
/// started.
#[allow(unused_macros, reason = "some programs have no test of that kind")]
macro_rules! alone {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let here = concat!(module_path!(), "::here");
                let run = crate::alone::alone(here, stringify!($name), |_| ());
                assert_eq!(run.code, Some(0), "{run:?}");
            }
        )*
    };
}

/// Runs the ignored test `name` of a module, which says `module_path!()`; what it prints comes back.
/// `configure` may change how.
pub(crate) fn alone(module: &str, name: &str, configure: impl FnOnce(&mut Command)) -> Run {
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.arg(full_name(module, name));
    this.args(["--exact", "--ignored", "--nocapture"]);
    this.arg("--test-threads=1");
    configure(&mut this);
    program::run(this)
}

/// The test `name` of a module as the test harness calls it: without the name of the program.
pub(crate) fn full_name(module: &str, name: &str) -> String {
    match module.split_once("::") {
        Some((_program, module)) => format!("{module}::{name}"),
        None => name.to_owned(),
    }
}

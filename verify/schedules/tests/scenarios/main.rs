//! The whole engine under schedules that are drawn at random: which thread goes on is decided anew at
//! every step, so that a second covers what real threads do in days, and every failure can be repeated.
//!
//! ```text
//! scenarios                    replay what is kept, then explore all
//! scenarios list               the names
//! scenarios planted            plant bugs and see them noticed
//! scenarios replay FILE NAME   one schedule, as it was when it failed
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `SCHEDULES` | how many for each scenario of average weight (2000) |
//! | `SCENARIO` | only those whose names contain it |
//! | `SEED` | where to begin (by the clock) |
//! | `HATCHERY_PLANTED` | a bug to plant, as `BUGS` in `explore.rs` has them |
//!
//! Each scenario has a process of its own, for shuttle plays all threads on one; two run at a time.

mod again;
mod cancelling;
mod common;
mod drawn;
#[path = "../../../../tests/everything/mod.rs"]
mod everything;
mod explore;
#[path = "../../../../tests/everything/failed.rs"]
mod failed;
mod failing;
mod jobs;
mod limiting;
mod plain;
mod several;
mod waiting;

use std::env;
use std::process::ExitCode;

use explore::Scenario;

/// All of them.
fn scenarios() -> Vec<Scenario> {
    let all = [
        plain::SCENARIOS,
        waiting::SCENARIOS,
        limiting::SCENARIOS,
        several::SCENARIOS,
        cancelling::SCENARIOS,
        failing::SCENARIOS,
        jobs::SCENARIOS,
        drawn::SCENARIOS,
    ];
    all.concat()
}

fn main() -> ExitCode {
    hatchery::control::plant();
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let all = scenarios();
    match *args {
        ["list"] => {
            all.iter()
                .for_each(|scenario| println!("{}", scenario.name));
            ExitCode::SUCCESS
        }
        ["planted"] => explore::planted(),
        ["replay", file, name] => explore::find(&all, name).replay(file),
        ["explore", name, number, seed] => {
            let number = number.parse().expect("a number");
            let seed = seed.parse().expect("a seed");
            explore::find(&all, name).explore(number, seed)
        }
        // Whatever else the test harness of cargo would take.
        _ => explore::all(&all),
    }
}

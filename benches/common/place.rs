//! Where and when a run took place.

use std::fs;
use std::process::Command;

use super::cpus;

/// Peers whose versions are worth knowing.
const PEERS: [&str; 2] = ["rayon", "chili"];

/// Machine, compiler, peers, date and commit, in one paragraph.
pub(crate) fn describe() -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let commit = output("git", &["-C", root, "rev-parse", "--short", "HEAD"]);
    // Where there is no repository, the program knows its commit from the command that has built it.
    let commit = commit.or(option_env!("HATCHERY_COMMIT").map(str::to_owned));
    let has_changed = output("git", &["-C", root, "status", "--porcelain", "src"])
        .is_some_and(|changes| !changes.is_empty());
    let changes = if has_changed { " with changes" } else { "" };
    let unknown = || "unknown".to_owned();
    format!(
        "{} CPUs ({}), {} {}, {}, release with thin LTO and one codegen unit; {}; {}, \
         hatchery at commit {}{changes}.",
        cpus(),
        processor().unwrap_or_else(|| "an unknown processor".to_owned()),
        std::env::consts::OS,
        kernel().unwrap_or_default(),
        output("rustc", &["--version"]).unwrap_or_else(|| "an unknown rustc".to_owned()),
        peers(),
        output("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(unknown),
        commit.unwrap_or_else(unknown),
    )
}

/// What a program prints, if it is there and succeeds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kernel() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let numbers = release.trim().split(['-', '+']).next()?;
    Some(numbers.to_owned())
}

/// The peers with the versions of Cargo.lock.
fn peers() -> String {
    let lock = include_str!("../../Cargo.lock");
    let version = |peer: &str| {
        let (_, rest) = lock.split_once(&format!("name = \"{peer}\"\nversion = \""))?;
        Some(rest.split_once('"')?.0)
    };
    let peers = PEERS.map(|peer| format!("{peer} {}", version(peer).unwrap_or("unknown")));
    peers.join(", ")
}

//! What people read.

use laboratory::{Report, TABLE};

use crate::point::{Outcome, PARTS, Point};
use crate::works::{self, Program};

/// Places that are shown.
const PLACES: usize = 16;

/// The cost model.
pub(crate) fn costs() {
    println!("| cost | figure | what | source |\n|---|---|---|---|");
    for row in TABLE {
        println!("| {} |", row.join(" | "));
    }
}

/// The programs.
pub(crate) fn works() {
    println!("| work | sizes | what |\n|---|---|---|");
    for Program {
        name, sizes, what, ..
    } in works::ALL
    {
        let sizes: Vec<_> = sizes.iter().map(u64::to_string).collect();
        println!("| {name} | {} | {what} |", sizes.join(", "));
    }
}

/// The part of core time that is lost, and to what.
pub(crate) fn outcomes(points: &[Point], outcomes: &[Outcome]) {
    println!(
        "| work | way | cores | us | efficiency | {} | wakes |",
        PARTS.join(" | ")
    );
    println!("|---|---|---|---|---|{}---|", "---|".repeat(PARTS.len()));
    for (Point { work, way, cores }, outcome) in points.iter().zip(outcomes) {
        let Outcome {
            took,
            efficiency,
            wakes,
            parts,
        } = outcome;
        let parts = parts.map(|part| format!("{:.1}", 100.0 * part)).join(" | ");
        let way = way.name;
        println!(
            "| {work} | {way} | {cores} | {took:.1} | {efficiency:.3} | {parts} | {wakes:.0} |"
        );
    }
}

/// The places in the source where cores waited longest for lines.
pub(crate) fn places(report: &Report) {
    let places = report.hottest();
    let all: u64 = places.iter().map(|(_, place)| place.waited).sum();
    println!("| waited | part | misses | accesses | place |\n|---|---|---|---|---|");
    for (name, place) in places.iter().take(PLACES) {
        println!(
            "| {:.1} us | {:.1} % | {} | {} | {name} |",
            place.waited as f64 / 1e6,
            100.0 * place.waited as f64 / all as f64,
            place.misses,
            place.times,
        );
    }
}

/// When each thread had its first task in the first run.
pub(crate) fn ramp(report: &Report) {
    let began: Vec<_> = report
        .began
        .iter()
        .map(|at| format!("{:.0}", *at as f64 / 1e6))
        .collect();
    println!("first tasks at, us: {}", began.join(" "));
}

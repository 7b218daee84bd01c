//! The efficiencies that a change must not lower.
//!
//! The figures are exact. But after any change of the engine, threads meet at other moments, and that alone moves
//! figures, as another seed or another compiler does: a single one by up to 21 %, the mean of a program by up to 2 %,
//! the mean of all programs by up to 0.2 %. So a single figure may fall by as much as shows no more than a
//! collapse, and the means may fall by little.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::contender::Way;
use crate::point::{self, Options, Point};
use crate::works;

/// The numbers of cores.
const CORES: [usize; 3] = [1, 16, 64];

/// By which part a single efficiency may fall.
const ONE: f64 = 0.25;
/// By which part the geometric mean of a program may fall, over all ways and numbers of cores.
const WORK: f64 = 0.04;
/// By which part the geometric mean of all programs may fall, for one number of cores.
const ALL: f64 = 0.01;

const HEADING: &str = "work,way,cores,efficiency\n";

/// From the root of the repository.
const FILE: &str = "verify/scaling/efficiencies.csv";

/// Whether the program has efficiencies in this way.
fn is_recorded(work: &str, way: Way) -> bool {
    // In other ways this takes minutes of real time.
    let is_quick = way.name == "join" || !work.starts_with("uts");
    is_quick && works::runs(work, way)
}

fn points(works: &[String]) -> Vec<Point> {
    let mut points = Vec::new();
    for work in works {
        for way in Way::OWN.into_iter().filter(|way| is_recorded(work, *way)) {
            points.extend(CORES.map(|cores| Point {
                work: work.clone(),
                way,
                cores,
            }));
        }
    }
    points
}

/// Writes the file.
pub(crate) fn record(options: &Options) {
    let points = points(&works::names());
    let mut text = HEADING.to_owned();
    for (point, outcome) in points.iter().zip(point::measure_all(&points, options)) {
        let _ = writeln!(text, "{point},{:.4}", outcome.efficiency);
    }
    fs::write(FILE, text).expect("a writable file");
    println!("scaling: {} efficiencies recorded", points.len());
}

/// Efficiencies by the names of their points.
fn recorded(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.strip_prefix(HEADING).expect("a heading").lines();
    let parse = |line| -> Option<(&str, f64)> {
        let (name, efficiency) = str::rsplit_once(line, ',')?;
        Some((name, efficiency.parse().ok()?))
    };
    lines
        .map(|line| parse(line).expect("a point and a number"))
        .collect()
}

/// Efficiencies relative to those that were recorded.
#[derive(Default)]
struct Ratios(Vec<f64>);

impl Ratios {
    fn mean(&self) -> f64 {
        let sum: f64 = self.0.iter().map(|ratio| ratio.ln()).sum();
        (sum / self.0.len() as f64).exp()
    }
}

/// What has fallen by too much, given each point's efficiency now and before.
fn fallen(points: &[(&Point, f64, f64)]) -> Vec<String> {
    let mut groups = BTreeMap::<String, (f64, Ratios)>::new();
    for (point, now, before) in points {
        let all = format!("all programs on {} cores", point.cores);
        for (group, tolerated) in [
            (point.to_string(), ONE),
            (point.work.clone(), WORK),
            (all, ALL),
        ] {
            let (_, ratios) = groups
                .entry(group)
                .or_insert((tolerated, Ratios::default()));
            ratios.0.push(now / before);
        }
    }
    let mut fallen = Vec::new();
    for (group, (tolerated, ratios)) in groups {
        let change = ratios.mean() - 1.0;
        if change < -tolerated {
            fallen.push(format!(
                "{group}: {:+.1} %, and {:.1} % are tolerated",
                100.0 * change,
                -100.0 * tolerated
            ));
        }
    }
    fallen
}

/// Compares these programs with the file.
///
/// # Errors
///
/// What has fallen.
pub(crate) fn check(works: &[String], options: &Options) -> Result<(), String> {
    let text = fs::read_to_string(FILE).expect("a readable file");
    let recorded = recorded(&text);
    let points = points(works);
    let outcomes = point::measure_all(&points, options);
    let mut compared = Vec::new();
    for (point, outcome) in points.iter().zip(&outcomes) {
        let name = point.to_string();
        let before = recorded
            .get(&*name)
            .ok_or_else(|| format!("{name} is not recorded: say verify/scaling/run record"))?;
        let ratio = outcome.efficiency / before;
        if (ratio - 1.0).abs() > ALL {
            println!(
                "{name}: {before:.3} -> {:.3} ({:+.1} %)",
                outcome.efficiency,
                100.0 * (ratio - 1.0)
            );
        }
        compared.push((point, outcome.efficiency, *before));
    }
    let fallen = fallen(&compared);
    if !fallen.is_empty() {
        return Err(format!("efficiencies have fallen\n{}", fallen.join("\n")));
    }
    println!(
        "scaling: {} programs, {} efficiencies on {} cores, none has fallen",
        works.len(),
        points.len(),
        CORES.map(|cores| cores.to_string()).join(", "),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(work: &str) -> Point {
        Point {
            work: work.to_owned(),
            way: Way::OWN[0],
            cores: 16,
        }
    }

    #[test]
    fn a_point_a_program_and_everything_may_fall_by_different_parts() {
        let points: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(point).into();
        let with = |efficiencies: [f64; 6]| {
            let now = points.iter().zip(efficiencies);
            fallen(
                &now.map(|(point, now)| (point, now, 0.5))
                    .collect::<Vec<_>>(),
            )
            .len()
        };
        assert_eq!(with([0.5; 6]), 0);
        assert_eq!(with([0.6; 6]), 0);
        // One by 3 %, and one by 10 %: a program and not the point.
        assert_eq!(with([0.485, 0.5, 0.5, 0.5, 0.5, 0.5]), 0);
        assert_eq!(with([0.45, 0.55, 0.5, 0.5, 0.5, 0.5]), 1);
        // A collapse that others make up for.
        assert_eq!(with([0.3, 0.6, 0.6, 0.6, 0.6, 0.6]), 2);
        // All by 2 %.
        assert_eq!(with([0.49; 6]), 1);
    }

    #[test]
    fn what_is_written_is_read() {
        let text = format!("{HEADING}flat:1000,spawn,16,0.5700\n");
        assert_eq!(recorded(&text).get("flat:1000,spawn,16"), Some(&0.57));
    }

    #[test]
    fn the_file_has_all_points_and_no_others() {
        let recorded = recorded(include_str!("../efficiencies.csv"));
        let points = points(&works::names());
        let mut names: Vec<_> = points.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        assert_eq!(recorded.into_keys().collect::<Vec<_>>(), names);
    }
}

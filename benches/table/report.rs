//! Figures as text: rows on the terminal, tables and findings in BENCHMARKS.md.

use std::fmt::Write;
use std::fs;
use std::io;

use crate::common::figures::{digits, time};
use crate::measure::{GROUPS, Measured, NOT_FREE, Outcome, Unit};

/// From this ratio on, a row counts as lost.
const LOST: f64 = 1.05;

/// A value with its unit: three digits, or all of a whole number.
pub(crate) fn quantity(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Time(_) => time(value),
        Unit::Bytes(_) => format!("{} B", digits(value)),
        Unit::Count(_) => format!("{value:.0}"),
        Unit::Percent(_) => format!("{} %", digits(value)),
    }
}

/// What a value of the row belongs to.
fn per(unit: Unit) -> String {
    match unit {
        Unit::Time("call") => String::new(),
        Unit::Time(what) | Unit::Bytes(what) => format!(", per {what}"),
        Unit::Count(_) => String::new(),
        Unit::Percent(of) => format!(", {of}"),
    }
}

/// Prints a row to the terminal.
pub(crate) fn print(outcome: &Outcome) {
    println!(
        "\n{}{} ({} rounds{})",
        outcome.title(),
        per(outcome.unit),
        outcome.rounds,
        if outcome.control > NOT_FREE {
            format!("; the CPUs were not free, {:.2} x", outcome.control)
        } else {
            String::new()
        }
    );
    for contender in &outcome.contenders {
        let [low, median, high] = contender
            .quartiles
            .map(|value| quantity(outcome.unit, value));
        let ratio = ratio(outcome, contender);
        println!(
            "  {:28} {median:>10}   {low:>10} .. {high:>10} {ratio:>8}",
            contender.name
        );
    }
    if let Some((ours, figure)) = goal(outcome) {
        let goal = outcome.goal.expect("it has a figure");
        let verdict = verdict(outcome, ours);
        println!(
            "  goal{goal}: {}, {}: {verdict}",
            goal.show(outcome.unit, figure),
            goal.bound(outcome.unit),
        );
    }
}

fn ratio(outcome: &Outcome, contender: &Measured) -> String {
    let ratio = outcome.over_best(contender.median());
    let ratio = ratio.filter(|_| !contender.is_reference);
    ratio.map_or_else(String::new, digits)
}

/// The contender that the row's goal is about, and its figure.
fn goal(outcome: &Outcome) -> Option<(&Measured, f64)> {
    let goal = outcome.goal?;
    let ours = outcome.contenders.iter().find(|c| c.name == goal.of)?;
    Some((ours, goal.figure(outcome, ours)?))
}

fn verdict(outcome: &Outcome, ours: &Measured) -> &'static str {
    let goal = outcome.goal.expect("only rows with one have a verdict");
    if goal.is_reached(outcome, ours) {
        "reached"
    } else {
        "**missed**"
    }
}

/// Puts everything between its markers in BENCHMARKS.md.
pub(crate) fn write(outcomes: &[Outcome], place: &str) -> io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/BENCHMARKS.md");
    let mut text = fs::read_to_string(path)?;
    replace(&mut text, "losses", &losses(outcomes))?;
    replace(&mut text, "goals", &goals(outcomes))?;
    replace(&mut text, "place", &format!("{place}\n"))?;
    for group in GROUPS {
        let of_group = outcomes.iter().filter(|outcome| outcome.group == group);
        let mut table = "| what | T | contender | median | middle half | over the best |\n\
            |---|---|---|---|---|---|\n"
            .to_owned();
        of_group.for_each(|outcome| add_row(&mut table, outcome));
        replace(&mut text, group.key(), &table)?;
    }
    fs::write(path, text)
}

fn replace(text: &mut String, key: &str, with: &str) -> io::Result<()> {
    let missing = || io::Error::other(format!("BENCHMARKS.md has no markers for {key:?}"));
    let marker = format!("<!-- written: {key} -->\n");
    let start = text.find(&marker).ok_or_else(missing)? + marker.len();
    let length = text[start..].find("<!-- end -->").ok_or_else(missing)?;
    text.replace_range(start..start + length, with);
    Ok(())
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("memory");
}

fn add_row(table: &mut String, outcome: &Outcome) {
    let name = format!("{}{}", outcome.name, per(outcome.unit));
    let threads = outcome.threads.to_string();
    for (i, contender) in outcome.contenders.iter().enumerate() {
        let (name, threads) = if i == 0 {
            (&*name, &*threads)
        } else {
            ("", "")
        };
        let [low, median, high] = contender
            .quartiles
            .map(|value| quantity(outcome.unit, value));
        let ratio = ratio(outcome, contender);
        // A reference is there for comparison and does not compete.
        let contender = match contender.is_reference {
            true => format!("*{}*", contender.name),
            false => contender.name.to_owned(),
        };
        line(
            table,
            format_args!(
                "| {name} | {threads} | {contender} | {median} | {low} .. {high} | {ratio} |"
            ),
        );
    }
}

/// The rows in which a peer is first, the widest distance first.
fn losses(outcomes: &[Outcome]) -> String {
    let mut lost: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| {
            let ours = outcome.best(Measured::is_ours)?;
            let peer = outcome.best(|contender| !contender.is_ours())?;
            let ratio = ours.median() / peer.median();
            (ratio > LOST).then_some((ratio, outcome, ours, peer))
        })
        .collect();
    lost.sort_by(|a, b| b.0.total_cmp(&a.0));
    let has_peer = |outcome: &&Outcome| outcome.best(|c| !c.is_ours()).is_some();
    let compared = outcomes.iter().filter(has_peer).count();
    let mut text = format!(
        "Of {compared} rows, hatchery is first or within 5 % of the first in {}. A peer is ahead in:\n\n",
        compared - lost.len()
    );
    for (ratio, outcome, ours, peer) in lost {
        let [mine, others] = [ours, peer].map(|c| quantity(outcome.unit, c.median()));
        let factor = match ratio.is_finite() {
            true => format!("{} times", digits(ratio)),
            false => "where nothing is the best".to_owned(),
        };
        line(
            &mut text,
            format_args!(
                "- **{}{}**: {mine} by {}, {others} by {}: {factor}.",
                outcome.title(),
                per(outcome.unit),
                ours.name,
                peer.name,
            ),
        );
    }
    text
}

/// The rows that have a goal, what was missed first.
fn goals(outcomes: &[Outcome]) -> String {
    let mut rows: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| goal(outcome).map(|(ours, figure)| (outcome, ours, figure)))
        .collect();
    let is_reached =
        |outcome: &Outcome, ours| outcome.goal.is_some_and(|g| g.is_reached(outcome, ours));
    rows.sort_by_key(|(outcome, ours, _)| is_reached(outcome, ours));
    let mut table = "| what | best peer | hatchery | over the peer | goal | |\n\
        |---|---|---|---|---|---|\n"
        .to_owned();
    for (outcome, ours, figure) in rows {
        let goal = outcome.goal.expect("only rows with one");
        let peer = outcome.best(|contender| !contender.is_ours());
        let peer_figure = peer.and_then(|peer| Some((peer, goal.figure(outcome, peer)?)));
        let peer_text = peer_figure.map_or_else(String::new, |(peer, figure)| {
            format!("{}: {}", peer.name, goal.show(outcome.unit, figure))
        });
        let ratio = peer.map(|peer| ours.median() / peer.median());
        let ratio = ratio.filter(|ratio| ratio.is_finite());
        line(
            &mut table,
            format_args!(
                "| {}{}{goal} | {peer_text} | {}: {} | {} | {} | {} |",
                outcome.title(),
                per(outcome.unit),
                ours.name,
                goal.show(outcome.unit, figure),
                ratio.map_or_else(String::new, digits),
                goal.bound(outcome.unit),
                verdict(outcome, ours),
            ),
        );
    }
    table
}

//! The table: a line for each contender of a program, a column for each size of the pools.

use std::fmt::Write;

use crate::common::figures::{digits, time};
use crate::common::turns::Measured;
use crate::forecast;
use crate::measure::Outcome;

/// What the cells are.
pub(crate) const LEGEND: &str = "\
Each cell has the median time of a call and the efficiency: the least time in which T cores could do what the serial
program does, divided by the time that the contender took. The efficiency in brackets is the forecast: T cores in
virtual time (verify/scaling), for UTS with a smaller tree. Where nurseries are opened periodically, the period is
added to both times. The first line says how much longer T threads of std that compute side by side take than one
thread alone: no efficiency can be better than the inverse.";

/// All outcomes as a table, each program on pools of the same sizes.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let of = |name: &str| -> Vec<&Outcome> {
        let of = outcomes.iter().filter(|outcome| outcome.name == name);
        of.collect()
    };
    let mut names: Vec<&str> = Vec::new();
    let mut sizes: Vec<usize> = Vec::new();
    for outcome in outcomes {
        if !names.contains(&&*outcome.name) {
            names.push(&outcome.name);
        }
        if !sizes.contains(&outcome.threads) {
            sizes.push(outcome.threads);
        }
    }
    let mut table = String::new();
    let heading = sizes.iter().map(|threads| format!("T={threads}"));
    line(&mut table, "program", "contender", heading);
    line(
        &mut table,
        "---",
        "---",
        sizes.iter().map(|_| "---".to_owned()),
    );
    let controls = sizes.iter().map(|threads| control(outcomes, *threads));
    line(&mut table, "computing side by side", "*std*", controls);
    for name in names {
        add_lines(&mut table, name, &of(name), |outcome| &outcome.times, cell);
        let burnt = format!("{name}: the pool's CPU time");
        let percent =
            |_: &Outcome, contender: &Measured| format!("{} %", digits(contender.median()));
        add_lines(
            &mut table,
            &burnt,
            &of(name),
            |outcome| &outcome.burnt,
            percent,
        );
    }
    table
}

fn line(table: &mut String, program: &str, contender: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<_> = cells.collect();
    writeln!(table, "| {program} | {contender} | {} |", cells.join(" | ")).expect("memory");
}

/// A line for each contender of a program, from its outcomes by size.
fn add_lines(
    table: &mut String,
    name: &str,
    outcomes: &[&Outcome],
    values: impl Fn(&Outcome) -> &[Measured],
    cell: impl Fn(&Outcome, &Measured) -> String,
) {
    for (i, contender) in values(outcomes[0]).iter().enumerate() {
        let program = if i == 0 { name } else { "" };
        let contender = match contender.is_reference {
            true => format!("*{}*", contender.name),
            false => contender.name.to_owned(),
        };
        let cells = outcomes.iter().map(|o| cell(o, &values(o)[i]));
        line(table, program, &contender, cells);
    }
}

fn cell(outcome: &Outcome, contender: &Measured) -> String {
    let mut cell = time(contender.median());
    if !contender.is_reference {
        let efficiency = outcome.efficiency(contender);
        write!(cell, ", {efficiency:.2}").expect("memory");
        let forecast = |point| forecast::efficiency(point, contender.name, outcome.threads);
        if let Some(forecast) = outcome.point.and_then(forecast) {
            write!(cell, " ({forecast:.2})").expect("memory");
        }
    }
    cell
}

/// The median of the controls before the rows of this size.
fn control(outcomes: &[Outcome], threads: usize) -> String {
    let of_size = outcomes.iter().filter(|outcome| outcome.threads == threads);
    let mut controls: Vec<_> = of_size.map(|outcome| outcome.control).collect();
    controls.sort_by(f64::total_cmp);
    format!("{} x", digits(controls[controls.len() / 2]))
}

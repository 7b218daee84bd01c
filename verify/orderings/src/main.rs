//! Weakens every memory ordering of the crate in turn, and looks which model test fails.
//!
//! The source is copied once, with each ordering replaced by a call that knows its number; the
//! models are built once from the copy, and an environment variable says which ordering is weak
//! in a run. A first pass notes which models reach which ordering, so that a mutant is tried
//! only against models that could tell.
//!
//! `hatchery-orderings run` writes the table anew, with the program of `build` if it is named;
//! `hatchery-orderings check` asks whether the table knows every ordering that stands in the source,
//! whether each one that no model kills is argued for where it stands, and whether each of the others
//! is still killed by the model that the table names.

mod crew;
mod models;
mod sites;
mod table;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use models::Models;
use sites::Site;
use table::{Row, Verdict};

const USAGE: &str =
    "usage, in the root of the repository: hatchery-orderings build | run [PROGRAM] | check";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = Path::new(".");
    let outcome = match arguments[..] {
        ["run"] => models::built(root).and_then(|program| run(root, &program)),
        ["build"] => models::built(root).map(|program| program.display().to_string()),
        ["run", program] => run(root, Path::new(program)),
        ["check"] => check(root),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn table_of(root: &Path) -> PathBuf {
    root.join("verify/orderings/table.md")
}

/// Tries every mutant and writes the table.
fn run(root: &Path, program: &Path) -> Result<String, String> {
    let sites = sites::all(root)?;
    let models = Models::measured(program, &sites)?;
    println!("{} models, {} orderings", models.len(), sites.len());
    let mutants: Vec<(&Site, &str)> = sites
        .iter()
        .flat_map(|site| site.weaker().iter().map(move |weaker| (site, *weaker)))
        .collect();
    let rows = crew::each(&mutants, |(site, weaker)| {
        let begun = Instant::now();
        let verdict = models.verdict(site, weaker)?;
        let seconds = begun.elapsed().as_secs();
        let Site { name, ordering, .. } = site;
        println!("{name}: {ordering} -> {weaker}: {verdict} ({seconds} s)");
        Ok(Row::new(site, weaker, verdict))
    })?;
    table::write(&table_of(root), &rows)?;
    summary(root, &rows)
}

/// Compares the table that is kept with the orderings in the source, and with the models there are; then
/// sees each mutant killed that is said to be, by a model that passes otherwise.
fn check(root: &Path) -> Result<String, String> {
    let rows = table::read(&table_of(root))?;
    let sites = sites::all(root)?;
    compare(root, &rows, &sites)?;
    let said = summary(root, &rows)?;
    let program = models::built(root)?;
    let killed = rows.iter().filter_map(|row| match &row.verdict {
        Verdict::Killed(by) => Some((row, by.as_str())),
        _ => None,
    });
    let killed: Vec<(&Row, &str)> = killed.collect();
    let killers: BTreeSet<&str> = killed.iter().map(|(_, by)| *by).collect();
    let killers: Vec<&str> = killers.into_iter().collect();
    crew::each(&killers, |by| models::passes(&program, by))?;
    crew::each(&killed, |(row, by)| {
        let site = sites.iter().find(|site| site.name == row.site);
        let number = site.expect("compared").number;
        models::kills(&program, by, number, &row.weaker).map_err(|why| {
            let Row {
                site,
                right,
                weaker,
                ..
            } = row;
            format!("{site}: {right} -> {weaker}: {why}: run `verify/orderings/run deep`")
        })
    })?;
    Ok(said)
}

fn compare(root: &Path, rows: &[Row], sites: &[Site]) -> Result<(), String> {
    let recorded = root.join("verify/models/executions.txt");
    let recorded = fs::read_to_string(&recorded).map_err(|why| why.to_string())?;
    for row in rows {
        if !sites.iter().any(|site| site.name == row.site) {
            return Err(format!(
                "{} is in the table only: run `verify/orderings/run deep`",
                row.site
            ));
        }
        let Verdict::Killed(by) = &row.verdict else {
            continue;
        };
        let name = models::name(by).rsplit("::").next();
        if !recorded.lines().any(|line| line.split(' ').next() == name) {
            return Err(format!(
                "{by} is no model any more: run `verify/orderings/run deep`"
            ));
        }
    }
    for site in sites {
        for weaker in site.weaker() {
            let is_known = |row: &&Row| {
                row.site == site.name && row.right == site.ordering && row.weaker == *weaker
            };
            if rows.iter().find(is_known).is_none() {
                return Err(format!(
                    "{}: {} -> {weaker} is not in the table: run `verify/orderings/run deep`",
                    site.name, site.ordering
                ));
            }
        }
    }
    Ok(())
}

/// The counts of a table; an error if a mutant that nothing kills is not argued for.
fn summary(root: &Path, rows: &[Row]) -> Result<String, String> {
    let sites = sites::all(root)?;
    let lives = |row: &&Row| !matches!(row.verdict, Verdict::Killed(_));
    let argued = |row: &Row| {
        let is_its = |site: &&Site| site.name == row.site;
        sites.iter().find(is_its).is_some_and(|site| site.is_argued)
    };
    let unargued: Vec<&str> = rows
        .iter()
        .filter(lives)
        .filter(|row| !argued(row))
        .map(|row| row.site.as_str())
        .collect();
    if !unargued.is_empty() {
        return Err(format!(
            "no model kills these, and no `ORDERING:` comment says `No model` and why: {}",
            unargued.join(", ")
        ));
    }
    let alive = rows.iter().filter(lives).count();
    Ok(format!(
        "orderings: {} orderings, {} mutants, {} killed by models, {alive} argued for in `ORDERING:`",
        sites.len(),
        rows.len(),
        rows.len() - alive
    ))
}

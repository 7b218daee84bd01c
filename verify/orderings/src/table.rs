//! The table that is kept.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::sites::Site;

/// What became of a mutant.
pub(crate) enum Verdict {
    /// The named model failed.
    Killed(String),
    /// Every model that reaches it passed.
    Lives,
    /// No model reaches it.
    Unreached,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(model) => write!(f, "killed by {model}"),
            Self::Lives => f.write_str("lives"),
            Self::Unreached => f.write_str("in no model"),
        }
    }
}

/// One mutant.
pub(crate) struct Row {
    pub(crate) site: String,
    pub(crate) right: String,
    pub(crate) weaker: String,
    pub(crate) verdict: Verdict,
}

impl Row {
    pub(crate) fn new(site: &Site, weaker: &str, verdict: Verdict) -> Self {
        let right = site.ordering.to_owned();
        Self {
            site: site.name.clone(),
            right,
            weaker: weaker.to_owned(),
            verdict,
        }
    }
}

const HEAD: &str = "\
# Orderings, weakened one at a time

Written by `verify/orderings/run deep`. A site is a file, a function, and which ordering of the function it
is. What lives, or is in no model, is argued for in the `ORDERING:` comment that stands there.

| site | ordering | weakened to | outcome |
|---|---|---|---|
";

/// Writes the table.
pub(crate) fn write(path: &Path, rows: &[Row]) -> Result<(), String> {
    let mut text = HEAD.to_owned();
    for Row {
        site,
        right,
        weaker,
        verdict,
    } in rows
    {
        text += &format!("| `{site}` | {right} | {weaker} | {verdict} |\n");
    }
    fs::write(path, text).map_err(|why| format!("{}: {why}", path.display()))
}

/// Reads it back.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>, String> {
    let text = fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [site, right, weaker, verdict] = cells[..] else {
            return Err(format!("not a row of the table: {line}"));
        };
        let verdict = match verdict.strip_prefix("killed by ") {
            Some(model) => Verdict::Killed(model.to_owned()),
            None if verdict == "lives" => Verdict::Lives,
            None => Verdict::Unreached,
        };
        let site = site.trim_matches('`').to_owned();
        Ok(Row {
            site,
            right: right.to_owned(),
            weaker: weaker.to_owned(),
            verdict,
        })
    };
    text.lines()
        .filter(|line| line.starts_with("| `"))
        .map(row)
        .collect()
}

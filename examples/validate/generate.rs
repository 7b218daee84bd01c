//! Files to try it on.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use fastrand::Rng;

use crate::record::{COLUMNS, days};

/// What a file is made of.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) records: u64,
    /// How many of them are bad.
    pub(crate) bad: u64,
    pub(crate) seed: u64,
}

/// Writes the file, over what was there.
pub(crate) fn write(path: &Path, recipe: &Recipe) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut random = Rng::with_seed(recipe.seed);
    let mut bad = recipe.bad;
    writeln!(file, "{}", COLUMNS.join(","))?;
    for id in 1..=recipe.records {
        // Each of the records left is equally likely to be bad, and in the end exactly `bad` of all are
        // (selection sampling; Knuth, The Art of Computer Programming 2, algorithm S).
        let left = recipe.records - id + 1;
        let is_bad = random.u64(0..left) < bad;
        bad -= u64::from(is_bad);
        let spoilt = is_bad.then(|| random.usize(0..=COLUMNS.len()));
        record(&mut file, id, spoilt, &mut random)?;
    }
    file.flush()
}

/// Writes one record; `spoilt` is the place of a bad field, or past the last one for a field too many.
fn record(
    file: &mut impl Write,
    id: u64,
    spoilt: Option<usize>,
    random: &mut Rng,
) -> io::Result<()> {
    const NAMES: [&str; 4] = ["Ada", "Grace Hopper", "\"Turing, Alan\"", "Zoë"];
    let (year, month) = (random.u32(1970..2030), random.u32(1..=12));
    let day = random.u32(1..=days(year, month));
    let mut fields = vec![
        id.to_string(),
        NAMES[random.usize(0..NAMES.len())].to_owned(),
        format!("{}.{:02}", random.i32(-9999..=9999), random.u8(0..100)),
        format!("{year}-{month:02}-{day:02}"),
    ];
    const WRONG: [&str; 4] = ["12a", " ", "1.2.3", "2023-02-29"];
    match spoilt {
        Some(place) if place < fields.len() => fields[place] = WRONG[place].to_owned(),
        Some(_) => fields.push("extra".to_owned()),
        None => {}
    }
    writeln!(file, "{}", fields.join(","))
}

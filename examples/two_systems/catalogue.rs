//! What the systems keep: records in pages, and a seeded pair of catalogues to serve.

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One record of a system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Unique within a system; the same thing has the same id in both.
    pub(crate) id: u64,
    /// Grows with every change; 0 for a system that does not count them.
    #[serde(default)]
    pub(crate) revision: u64,
    /// Everything else that the system says about it.
    #[serde(flatten)]
    pub(crate) fields: Map<String, Value>,
}

/// One page on the wire: `R` is a slice where it is written, a vector where it is read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Page<R> {
    pub(crate) items: R,
    pub(crate) more: bool,
}

/// Two catalogues of `records` records each, in no particular order, the same for the same seed.
///
/// About four fifths of the ids are in both; of these a few differ.
pub(crate) fn pair(seed: u64, records: usize) -> (Vec<Record>, Vec<Record>) {
    let mut rng = Rng::with_seed(seed);
    let mut first = Vec::with_capacity(records);
    let mut second = Vec::with_capacity(records);
    let mut id = 0;
    while first.len() < records || second.len() < records {
        id += rng.u64(1..10);
        let record = random_record(id, &mut rng);
        let (here, there) = match rng.u32(0..100) {
            0..10 => (Some(record), None),
            10..20 => (None, Some(record)),
            20..23 => (Some(changed(&record, &mut rng)), Some(record)),
            23..26 => (Some(record.clone()), Some(changed(&record, &mut rng))),
            _ => (Some(record.clone()), Some(record)),
        };
        // The catalogue that is full first leaves its share of the rest to the other one.
        first.extend(here.filter(|_| first.len() < records));
        second.extend(there.filter(|_| second.len() < records));
    }
    rng.shuffle(&mut first);
    rng.shuffle(&mut second);
    (first, second)
}

fn random_record(id: u64, rng: &mut Rng) -> Record {
    const KINDS: [&str; 8] = [
        "brass", "copper", "glass", "linen", "oak", "paper", "slate", "wool",
    ];
    const THINGS: [&str; 8] = [
        "bell", "bowl", "clock", "drum", "ladder", "lamp", "spoon", "trunk",
    ];
    let title = format!("{} {}", KINDS[rng.usize(0..8)], THINGS[rng.usize(0..8)]);
    let fields = [
        ("title".to_owned(), Value::from(title)),
        ("price_cents".to_owned(), Value::from(rng.u32(100..100_000))),
    ];
    Record {
        id,
        revision: rng.u64(1..20),
        fields: fields.into_iter().collect(),
    }
}

/// The same record with another price; now and then nobody counted the revision up.
fn changed(record: &Record, rng: &mut Rng) -> Record {
    let mut changed = record.clone();
    changed.revision += rng.u64(0..3);
    changed.fields.insert(
        "price_cents".to_owned(),
        Value::from(rng.u32(100_000..200_000)),
    );
    changed
}

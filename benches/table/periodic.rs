//! A small nursery again and again, in a pool that sleeps or searches in between.

use std::time::Duration;

use crate::common::others::Others;
use crate::common::{Pools, periodic};
use crate::measure::{Group, Row, Table, Unit};

pub(crate) fn all(table: &mut Table<'_>, pools: &Pools) {
    for (name, period) in [
        ("10 us", Duration::from_micros(10)),
        ("100 us", Duration::from_micros(100)),
        ("1 ms", Duration::from_millis(1)),
        ("10 ms", Duration::from_millis(10)),
    ] {
        let what = format!("a nursery of two children of 1 us every {name}");
        let mut row = Row::new(Group::Adversarial, &what, pools.threads)
            .per("nursery", 1)
            .rounds(7);
        if Others::are_known() {
            let burnt = format!("{what}: the pool's CPU time");
            row = row.second(burnt, Unit::Percent("of a CPU"), None);
        }
        table.row(row, || (0, periodic::contenders(pools, period)));
    }
}

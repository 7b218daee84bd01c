//! Several threads call it at once.

use std::cell::Cell;

fn main() {
    let count = Cell::new(0);
    hatchery::nursery(|n| {
        n.spawn_buffered(2, 0..3, move |i| count.set(i)).for_each(drop);
    });
}

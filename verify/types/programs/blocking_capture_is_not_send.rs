use std::cell::Cell;

fn main() {
    let shared = Cell::new(1);
    hatchery::nursery(|n| {
        n.spawn_blocking(|| shared.set(2));
    });
}

use std::cell::Cell;

fn main() {
    let late = Cell::new(0);
    let _ = hatchery::try_nursery::<(), _, _>(|n| {
        n.on_late(|_| late.set(1));
        Ok(())
    });
}

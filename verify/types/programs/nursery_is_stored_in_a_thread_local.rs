use std::cell::Cell;

use hatchery::Nursery;

thread_local! {
    static STORED: Cell<Option<&'static Nursery<'static, 'static>>> = const { Cell::new(None) };
}

fn main() {
    hatchery::nursery(|n| STORED.set(Some(n)));
}

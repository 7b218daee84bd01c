//! A body must take a nursery of any life, so it cannot choose a longer one.

use hatchery::Nursery;

fn open<'scope, 'env: 'scope>(body: impl FnOnce(&'scope Nursery<'scope, 'env>)) {
    hatchery::nursery(body);
}

fn main() {
    open(|_| ());
}

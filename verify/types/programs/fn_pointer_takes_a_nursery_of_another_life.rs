//! Arguments vary the other way round, which helps as little.

use hatchery::Nursery;

fn shorter<'short, 'long: 'short, 'env: 'long>(
    f: fn(&'long Nursery<'long, 'env>),
) -> fn(&'short Nursery<'short, 'env>) {
    f
}

fn longer<'short, 'long: 'short, 'env: 'long>(
    f: fn(&'short Nursery<'short, 'env>),
) -> fn(&'long Nursery<'long, 'env>) {
    f
}

fn main() {}

use hatchery::Nursery;

fn shorter<'short, 'long: 'short, 'env>(
    n: &'short Nursery<'long, 'env>,
) -> &'short Nursery<'short, 'env> {
    n
}

fn main() {}

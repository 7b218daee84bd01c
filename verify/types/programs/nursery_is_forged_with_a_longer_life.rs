use hatchery::Nursery;

fn longer<'short, 'long, 'env>(n: &'short Nursery<'short, 'env>) -> &'long Nursery<'long, 'env> {
    n
}

fn main() {}

use hatchery::Nursery;

fn longer<'short, 'long: 'short, 'env: 'long>(
    n: Option<&'short Nursery<'short, 'env>>,
) -> Option<&'long Nursery<'long, 'env>> {
    n
}

fn main() {}

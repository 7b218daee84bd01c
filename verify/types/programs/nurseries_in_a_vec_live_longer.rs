use hatchery::Nursery;

fn longer<'short, 'long: 'short, 'env: 'long>(
    all: Vec<&'short Nursery<'short, 'env>>,
) -> Vec<&'long Nursery<'long, 'env>> {
    all
}

fn main() {}

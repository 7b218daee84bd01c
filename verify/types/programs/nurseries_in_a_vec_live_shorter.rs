use hatchery::Nursery;

fn shorter<'short, 'long: 'short, 'env>(
    all: Vec<&'short Nursery<'long, 'env>>,
) -> Vec<&'short Nursery<'short, 'env>> {
    all
}

fn main() {}

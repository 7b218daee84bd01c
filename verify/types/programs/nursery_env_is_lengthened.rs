use hatchery::Nursery;

fn longer<'scope, 'short, 'long>(
    n: &'scope Nursery<'scope, 'short>,
) -> &'scope Nursery<'scope, 'long> {
    n
}

fn main() {}

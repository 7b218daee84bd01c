use hatchery::Nursery;

fn shorter<'scope, 'short: 'scope, 'long: 'short>(
    n: &'scope Nursery<'scope, 'long>,
) -> &'scope Nursery<'scope, 'short> {
    n
}

fn main() {}

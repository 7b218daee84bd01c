use hatchery::TryNursery;

fn longer<'scope, 'env, 'short>(
    n: &'scope TryNursery<'scope, 'env, &'short str>,
) -> &'scope TryNursery<'scope, 'env, &'static str> {
    n
}

fn main() {}

use hatchery::Gather;

fn shorter<'a, 'scope, 'env, 'short: 'env>(
    g: &'a Gather<'scope, 'env, &'static str>,
) -> &'a Gather<'scope, 'env, &'short str> {
    g
}

fn main() {}

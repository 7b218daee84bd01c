use hatchery::Race;

fn shorter<'a, 'scope, 'env, 'short: 'env>(
    r: &'a Race<'scope, 'env, &'static str, ()>,
) -> &'a Race<'scope, 'env, &'short str, ()> {
    r
}

fn main() {}

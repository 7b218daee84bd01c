//! Its children could fail with what lives shorter, and its owner be told it lives longer.

use hatchery::TryNursery;

fn shorter<'scope, 'env, 'short: 'env>(
    n: &'scope TryNursery<'scope, 'env, &'static str>,
) -> &'scope TryNursery<'scope, 'env, &'short str> {
    n
}

fn main() {}

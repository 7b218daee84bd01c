use hatchery::{Failure, TryNursery};

fn open<'scope, 'env: 'scope, F>(body: F)
where
    F: FnOnce(&'scope TryNursery<'scope, 'env, ()>) -> Result<(), Failure<()>>,
{
    let _ = hatchery::try_nursery(body);
}

fn main() {
    open(|_| Ok(()));
}

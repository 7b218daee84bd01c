//! A partial nursery ends with its body.

fn main() {
    let _ = hatchery::try_nursery::<(), _, _>(|n| Ok(n));
}

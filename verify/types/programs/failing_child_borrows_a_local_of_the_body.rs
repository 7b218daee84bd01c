//! A child outlives the body's locals.

fn main() {
    let _ = hatchery::try_nursery::<(), _, _>(|n| {
        let local = 1;
        n.spawn(|| Ok(local + 1)).join()
    });
}

//! Whoever joins it would wait for a child of its child.

fn main() {
    hatchery::nursery(|n| {
        n.spawn(|| n.spawn(|| 1)).join().join();
    });
}

//! Nobody else may look at a child, which may be its spawner's alone.

fn main() {
    hatchery::nursery(|n| {
        let child = n.spawn(|| 1);
        std::thread::scope(|scope| {
            scope.spawn(|| child.is_finished());
        });
    });
}

fn main() {
    hatchery::nursery(|n| {
        let children = n.spawn_each(0..3, |i| i).by_completion();
        std::thread::scope(|scope| {
            scope.spawn(move || children.count());
        });
    });
}

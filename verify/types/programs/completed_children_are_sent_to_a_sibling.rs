fn main() {
    hatchery::nursery(|n| {
        let children = n.spawn_each(0..3, |i| i).by_completion();
        n.spawn(move || children.count());
    });
}

fn main() {
    hatchery::nursery(|n| {
        let items = vec![1, 2, 3];
        n.spawn_each(&items, |i| i + 1);
    });
}

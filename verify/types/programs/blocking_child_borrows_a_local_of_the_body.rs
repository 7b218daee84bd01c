fn main() {
    hatchery::nursery(|n| {
        let local = 1;
        n.spawn_blocking(|| local + 1);
    });
}

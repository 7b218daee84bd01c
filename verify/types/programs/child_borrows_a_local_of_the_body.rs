fn main() {
    hatchery::nursery(|n| {
        let local = 1;
        n.spawn(|| local + 1);
    });
}

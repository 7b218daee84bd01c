fn main() {
    hatchery::nursery(|n| {
        n.spawn(|| {
            let local = 1;
            n.spawn(|| local + 1);
        });
    });
}

fn main() {
    let mut count = 0;
    hatchery::nursery(|n| {
        n.spawn(|| count += 1);
        n.spawn(|| count += 1);
    });
}

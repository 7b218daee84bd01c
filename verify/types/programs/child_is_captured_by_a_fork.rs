fn main() {
    hatchery::nursery(|n| {
        let child = n.spawn(|| 1);
        hatchery::join(|| child.join(), || 2);
    });
}

fn main() {
    hatchery::nursery(|n| {
        let child = n.spawn(|| 1);
        n.spawn(move || child.join());
    });
}

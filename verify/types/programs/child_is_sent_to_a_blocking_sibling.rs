fn main() {
    hatchery::nursery(|n| {
        let child = n.spawn(|| 1);
        n.spawn_blocking(move || child.join());
    });
}

fn main() {
    hatchery::nursery(|n| {
        let more = 1;
        n.spawn_each(0..3, |i| i + more);
    });
}

fn main() {
    hatchery::nursery(|n| {
        let items = vec![1, 2, 3];
        n.spawn_buffered(2, &items, |i| i + 1).for_each(drop);
    });
}

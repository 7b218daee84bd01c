fn main() {
    hatchery::nursery(|n| {
        let children = n.spawn_each(0..3, |i| i);
        n.spawn(move || children.sum::<i32>());
    });
}

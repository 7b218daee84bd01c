fn main() {
    hatchery::nursery(|n| {
        let values = n.spawn_buffered(2, 0..3, |i| i);
        n.spawn(move || values.sum::<i32>());
    });
}

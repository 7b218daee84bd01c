fn main() {
    let mut count = 0;
    hatchery::nursery(|n| {
        n.spawn_each(0..3, |i| count += i);
    });
}

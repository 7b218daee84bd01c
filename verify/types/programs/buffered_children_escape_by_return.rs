fn main() {
    let _escaped = hatchery::nursery(|n| n.spawn_buffered(2, 0..3, |i| i));
}

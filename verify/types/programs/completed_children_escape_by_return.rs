fn main() {
    let _escaped = hatchery::nursery(|n| n.spawn_each(0..3, |i| i).by_completion());
}

fn main() {
    hatchery::nursery(|n| {
        let children = n.spawn_each(0..3, |i| i);
        children.by_completion().for_each(drop);
        children.for_each(drop);
    });
}

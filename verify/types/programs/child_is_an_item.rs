fn main() {
    hatchery::nursery(|n| {
        let children = [n.spawn(|| 1), n.spawn(|| 2)];
        n.spawn_each(children, |child| child.join());
    });
}

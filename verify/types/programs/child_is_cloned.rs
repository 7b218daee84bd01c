fn main() {
    hatchery::nursery(|n| {
        let child = n.spawn(|| 1);
        child.clone().join();
        n.spawn_each(0..3, |i| i).clone().count();
    });
}

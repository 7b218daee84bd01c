fn main() {
    hatchery::nursery(|n| {
        let child = n.spawn(|| 1);
        child.join();
        child.is_finished()
    });
}

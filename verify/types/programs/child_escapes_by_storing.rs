fn main() {
    let mut stored = Vec::new();
    hatchery::nursery(|n| stored.push(n.spawn(|| 1)));
}

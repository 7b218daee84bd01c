fn main() {
    hatchery::nursery(|n| {
        let local = String::from("gone before the child is");
        let borrowed = &local;
        n.spawn(move || borrowed.len());
    });
}

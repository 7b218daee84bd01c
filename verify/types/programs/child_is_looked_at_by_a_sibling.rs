fn main() {
    hatchery::nursery(|n| {
        let child = &*Box::leak(Box::new(n.spawn(|| 1)));
        n.spawn(move || child.is_finished());
    });
}

fn main() {
    hatchery::nursery(|outer| {
        hatchery::nursery(|inner| {
            outer.spawn(|| inner.spawn(|| 1).join());
        });
    });
}

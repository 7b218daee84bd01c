fn main() {
    hatchery::nursery(|mut outer| {
        hatchery::nursery(|mut inner| std::mem::swap(&mut outer, &mut inner));
    });
}

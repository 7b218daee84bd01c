fn main() {
    hatchery::nursery(|outer| {
        hatchery::nursery(|inner| {
            let local = inner.spawn(|| 1).join();
            outer.spawn(move || *&local); // by value: fine
            outer.spawn(|| local + 1);
        });
    });
}

fn main() {
    hatchery::nursery(|n| {
        std::thread::spawn(move || n.spawn(|| 1).join());
    });
}

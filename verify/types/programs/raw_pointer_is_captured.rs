fn main() {
    let mut value = 1;
    let pointer = &raw mut value;
    hatchery::nursery(|n| {
        n.spawn(move || {
            let pointer = pointer;
            pointer.is_null()
        });
    });
}

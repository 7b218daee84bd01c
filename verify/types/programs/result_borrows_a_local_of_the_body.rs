fn main() {
    let _escaped: &i32 = hatchery::nursery(|n| {
        let value = n.spawn(|| 1).join();
        &value
    });
}

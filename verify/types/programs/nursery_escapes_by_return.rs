fn main() {
    let _escaped = hatchery::nursery(|n| n);
}

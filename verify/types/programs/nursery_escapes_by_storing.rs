fn main() {
    let mut stored = None;
    hatchery::nursery(|n| stored = Some(n));
}

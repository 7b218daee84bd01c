//! All children of a nursery fail with the same type.

fn main() {
    let _ = hatchery::try_nursery::<String, _, _>(|n| n.spawn(|| "1".parse::<i32>()).join());
}

fn main() {
    let _ = hatchery::try_nursery::<std::fmt::Error, _, _>(|n| {
        n.spawn_nested(|| Ok("1".parse::<i32>()?)).join()
    });
}

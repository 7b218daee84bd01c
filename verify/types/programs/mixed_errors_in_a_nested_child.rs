fn main() {
    let _ = hatchery::try_nursery::<std::fmt::Error, _, _>(|n| {
        n.spawn_body(|| Ok("1".parse::<i32>()?)).join()
    });
}

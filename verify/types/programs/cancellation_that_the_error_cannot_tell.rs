fn main() {
    let _ = hatchery::try_nursery::<std::fmt::Error, _, _>(|n| {
        n.spawn(|| Ok(hatchery::checkpoint()?)).join()
    });
}

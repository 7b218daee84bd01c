fn main() {
    let _ = hatchery::try_nursery::<(), _, _>(|n| {
        let children = n.spawn_each(0..3, Ok);
        n.spawn(move || Ok(children.count())).join()
    });
}

fn main() {
    let _ = hatchery::try_nursery::<(), _, _>(|n| {
        let mut late = 0;
        n.on_late(|_| late += 1);
        Ok(late)
    });
}

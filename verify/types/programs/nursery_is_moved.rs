fn main() {
    hatchery::nursery(|n| {
        let _moved = *n;
    });
    let _ = hatchery::try_nursery::<(), (), _>(|n| {
        let _moved = *n;
        Ok(())
    });
}

fn main() {
    let mut stored = None;
    let _ = hatchery::try_nursery::<(), _, _>(|n| {
        stored = Some(n);
        Ok(())
    });
    let _ = stored.unwrap().cancel();
}

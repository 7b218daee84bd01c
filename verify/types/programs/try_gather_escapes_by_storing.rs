fn main() {
    let mut stored = None;
    hatchery::try_gather::<(), (), _>(|g| {
        stored = Some(g);
        Ok(())
    });
}

fn main() {
    hatchery::try_gather::<(), _, _>(|g| {
        g.spawn(|| Ok(g.spawn(|| Ok(()))));
        Ok(())
    });
}

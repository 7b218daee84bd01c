fn main() {
    let _ = hatchery::race::<(), (), _>(|r| {
        r.spawn(|| {
            r.spawn(|| Ok(()));
            Ok(())
        });
    });
}

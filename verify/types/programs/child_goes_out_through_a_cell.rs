fn main() {
    let stored = std::cell::RefCell::new(None);
    let _ = hatchery::try_nursery::<(), _, _>(|n| {
        *stored.borrow_mut() = Some(n.spawn(|| Ok(1)));
        Ok(())
    });
    let _ = stored.into_inner().unwrap().join();
}

fn main() {
    let _ = hatchery::race(|r| {
        r.spawn(|| Err::<(), _>("text"));
        r.spawn(|| Err(7));
    });
}

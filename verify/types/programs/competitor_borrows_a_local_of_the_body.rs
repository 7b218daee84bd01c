fn main() {
    let _ = hatchery::race(|r| {
        let local = 1;
        r.spawn(|| Ok::<_, ()>(local + 1));
    });
}

fn main() {
    let _gathered: Vec<&i32> = hatchery::gather(|g| {
        let local = 1;
        g.spawn(|| &local);
    });
}

fn main() {
    hatchery::gather(|g| {
        g.spawn(|| 1);
        g.spawn(|| "text");
    });
}

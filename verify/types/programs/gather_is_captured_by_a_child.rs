fn main() {
    hatchery::gather(|g| g.spawn(|| g.spawn(|| ())));
}

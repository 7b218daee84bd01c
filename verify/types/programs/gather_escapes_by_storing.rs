fn main() {
    let mut stored = None;
    hatchery::gather::<_, ()>(|g| stored = Some(g));
}

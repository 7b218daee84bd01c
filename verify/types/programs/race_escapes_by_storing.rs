fn main() {
    let mut stored = None;
    let _ = hatchery::race::<(), (), _>(|r| stored = Some(r));
}

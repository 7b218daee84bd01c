fn main() {
    let _ = hatchery::try_nursery::<&str, (), _>(|n| {
        let why = String::from("gone before it is read");
        let why = why.as_str();
        n.spawn(move || Err(why)).join()
    });
}

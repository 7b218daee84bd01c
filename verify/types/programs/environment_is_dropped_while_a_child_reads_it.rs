fn main() {
    let words = vec![1, 2, 3];
    hatchery::nursery(|n| {
        let borrowed = &words;
        n.spawn(move || borrowed.len());
        drop(words);
    });
}

//! The eight lines of the README.

fn main() {
    let words = ["structured", "concurrency", "on", "a", "shared", "pool"];
    let (letters, longest) = hatchery::nursery(|n| {
        let letters = n.spawn(|| words.iter().map(|word| word.len()).sum::<usize>());
        let longest = n.spawn(|| words.iter().max_by_key(|word| word.len()));
        (letters.join(), longest.join())
    });
    println!("{letters} letters, the longest word is {longest:?}");
}

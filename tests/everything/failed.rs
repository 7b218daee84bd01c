//! Programs that have failed once.

/// Their bytes; `failed.txt` says what each has found.
pub(crate) fn programs() -> impl Iterator<Item = Vec<u8>> {
    let lines = include_str!("failed.txt").lines();
    lines.filter(|line| !line.starts_with('#')).map(bytes)
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len() / 2).map(|at| &hex[2 * at..2 * at + 2]);
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("hex"))
        .collect()
}

//! The work: which file is most like another one. It knows neither processes nor threads.

use crate::files::Texts;

/// A file, and the one before it that is most like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The row of the table: the later one of the two files.
    pub(crate) row: u64,
    pub(crate) other: u64,
    /// How many lines both have, in the same order.
    pub(crate) common: u64,
}

impl Pair {
    /// What part of both files the common lines are, from 0 to 1.
    pub(crate) fn likeness(&self, texts: &Texts) -> f64 {
        2.0 * self.common as f64 / self.lines(texts) as f64
    }

    /// The lines of both files.
    fn lines(&self, texts: &Texts) -> u64 {
        let of = |file: u64| texts.of(file as usize).len() as u64;
        of(self.row) + of(self.other)
    }

    /// Whether the two are more alike than those of the other pair. It compares fractions without rounding.
    fn is_closer(&self, than: &Self, texts: &Texts) -> bool {
        self.common * than.lines(texts) > than.common * self.lines(texts)
    }
}

/// Compares a file with all files before it; `row` is not 0. Of two that are equally like it, it is the first.
pub(crate) fn nearest(texts: &Texts, row: usize) -> Pair {
    let pairs = (0..row).map(|other| Pair {
        row: row as u64,
        other: other as u64,
        common: common(texts.of(row), texts.of(other)),
    });
    pairs
        .reduce(|best, pair| match pair.is_closer(&best, texts) {
            true => pair,
            false => best,
        })
        .expect("a file before it")
}

/// The length of the longest common subsequence: what `diff` leaves alone.
fn common(a: &[u32], b: &[u32]) -> u64 {
    // Row by row through the table of all beginnings of both; of the row before, only what is still needed.
    let mut lengths = vec![0_u32; b.len() + 1];
    for line in a {
        let mut diagonal = 0;
        for (at, other) in b.iter().enumerate() {
            let above = lengths[at + 1];
            lengths[at + 1] = match line == other {
                true => diagonal + 1,
                false => above.max(lengths[at]),
            };
            diagonal = above;
        }
    }
    lengths[b.len()].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(files: &[&[u32]]) -> Texts {
        let mut texts = Texts::default();
        for file in files {
            texts.lines.extend_from_slice(file);
            texts.ends.push(texts.lines.len() as u64);
        }
        texts
    }

    #[test]
    fn common_lines_are_in_the_same_order_in_both_files() {
        assert_eq!(common(&[1, 2, 3, 4], &[2, 9, 4, 1]), 2);
        assert_eq!(common(&[1, 2, 3], &[3, 2, 1]), 1);
        assert_eq!(common(&[1, 1, 1], &[1, 1]), 2);
        assert_eq!(common(&[1, 2], &[3]), 0);
        assert_eq!(common(&[1], &[]), 0);
    }

    #[test]
    fn the_nearest_file_has_most_in_common_for_its_length() {
        let texts = texts(&[&[1, 2, 3, 7, 8, 9, 10, 11], &[1, 2], &[2, 1], &[1, 2, 3]]);
        let pair = nearest(&texts, 3);
        assert_eq!((pair.other, pair.common), (1, 2));
        assert_eq!(pair.likeness(&texts), 0.8);
        assert_eq!(nearest(&texts, 2).other, 1);
    }
}

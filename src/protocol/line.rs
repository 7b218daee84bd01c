//! Those that wait in the order in which they came, any of whom may leave at any time.
//!
//! Whoever leaves from the middle leaves a gap. Gaps at the front go at once, and the others once they are more than
//! half. So every step takes a time that grows at most with the logarithm of the length, on average, and nothing is kept
//! for those that have left for long. A sorted map would do the same, and is ten times as much code for the compiler.

use std::collections::VecDeque;

/// Gaps that are too few to look at, and entries that an empty line keeps room for.
const FEW: usize = 64;

/// A line of values with numbers.
pub(crate) struct Line<T> {
    /// INVARIANT: the numbers ascend, and the first entry is no gap.
    entries: VecDeque<(u64, Option<T>)>,
    /// How many entries are no gaps.
    len: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T> Line<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a value at the end of the line; its number is larger than all before.
    pub(crate) fn push(&mut self, number: u64, value: T) {
        debug_assert!(self.entries.back().is_none_or(|last| last.0 < number));
        self.entries.push_back((number, Some(value)));
        self.len += 1;
    }

    /// The value with this number, if it is in the line.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.find(number)?;
        self.entries[at].1.as_mut()
    }

    /// Takes the first value, with its number.
    pub(crate) fn pop(&mut self) -> Option<(u64, T)> {
        let (number, value) = self.entries.pop_front()?;
        self.len -= 1;
        self.tidy();
        Some((number, value.expect("the first is no gap")))
    }

    /// Takes the value with this number, if it is in the line.
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let at = self.find(number)?;
        let value = self.entries[at].1.take()?;
        self.len -= 1;
        self.tidy();
        Some(value)
    }

    /// All values, in their order.
    pub(crate) fn into_values(self) -> Vec<T> {
        let mut values = Vec::with_capacity(self.len);
        values.extend(self.entries.into_iter().filter_map(|(_, value)| value));
        values
    }

    fn find(&self, number: u64) -> Option<usize> {
        self.entries
            .binary_search_by_key(&number, |entry| entry.0)
            .ok()
    }

    /// Takes out gaps, and gives memory back.
    fn tidy(&mut self) {
        while self.entries.front().is_some_and(|first| first.1.is_none()) {
            self.entries.pop_front();
        }
        if self.entries.len() > FEW + 2 * self.len {
            self.entries.retain(|entry| entry.1.is_some());
        }
        if self.entries.is_empty() && self.entries.capacity() > FEW {
            self.entries = VecDeque::new();
        }
    }
}

#[cfg(all(test, not(hatchery_loom)))]
mod tests {
    use super::*;

    fn of(numbers: impl IntoIterator<Item = u64>) -> Line<u64> {
        let mut line = Line::default();
        for number in numbers {
            line.push(number, 10 * number);
        }
        line
    }

    #[test]
    fn whoever_is_left_comes_in_the_order_of_the_numbers() {
        let mut line = of([1, 3, 4, 7, 9]);
        assert_eq!(line.remove(4), Some(40));
        assert_eq!(line.remove(4), None);
        assert_eq!(line.remove(2), None);
        assert_eq!(line.get_mut(4), None);
        *line.get_mut(7).unwrap() += 1;
        assert_eq!(line.remove(1), Some(10));
        assert_eq!(line.len(), 3);
        assert_eq!(line.pop(), Some((3, 30)));
        assert_eq!(line.pop(), Some((7, 71)));
        assert_eq!(line.pop(), Some((9, 90)));
        assert_eq!(line.pop(), None);
        assert!(line.is_empty());
        assert_eq!(of([2, 5]).into_values(), [20, 50]);
    }

    #[test]
    fn gaps_behind_one_that_stays_are_not_kept() {
        let mut line = of([0]);
        let mut most = 0;
        for number in 1..100_000 {
            line.push(number, number);
            assert_eq!(line.remove(number), Some(number));
            most = most.max(line.entries.len());
        }
        assert_eq!(line.len(), 1);
        assert!(most <= FEW + 4, "{most}");
        assert_eq!(line.pop(), Some((0, 0)));
    }

    #[test]
    fn an_empty_line_keeps_next_to_no_memory() {
        let mut line = of(0..100_000);
        for number in (0..100_000).rev() {
            assert_eq!(line.remove(number), Some(10 * number));
        }
        assert!(line.entries.capacity() <= FEW);
        let mut line = of(0..100_000);
        while line.pop().is_some() {}
        assert!(line.entries.capacity() <= FEW);
    }
}

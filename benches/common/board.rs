//! Boards with some rows filled by queens that do not attack each other.

/// The queens so far, as what they attack in the next row, a bit per column.
#[derive(Clone, Copy)]
pub(crate) struct Board {
    /// Every column of the board.
    all: u32,
    columns: u32,
    left: u32,
    right: u32,
    pub(crate) rows: u32,
}

impl Board {
    /// An empty board of `size` by `size`.
    pub(crate) fn new(size: u32) -> Self {
        Self {
            all: (1 << size) - 1,
            columns: 0,
            left: 0,
            right: 0,
            rows: 0,
        }
    }

    /// The boards with one more queen.
    pub(crate) fn next(self) -> impl Iterator<Item = Self> {
        let mut free = self.all & !(self.columns | self.left | self.right);
        std::iter::from_fn(move || {
            let queen = free & free.wrapping_neg();
            free ^= queen;
            (queen != 0).then_some(Self {
                columns: self.columns | queen,
                left: (self.left | queen) << 1,
                right: (self.right | queen) >> 1,
                rows: self.rows + 1,
                ..self
            })
        })
    }

    /// How many full boards come of this one.
    pub(crate) fn serial(self) -> u64 {
        if self.columns == self.all {
            return 1;
        }
        self.next().map(Self::serial).sum()
    }
}

//! The position of a child among the children of its nursery.

/// The position of a child in the spawn order of its nursery: the chunk, the offset in it, and the
/// item if the record holds several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(u64, u32, u32);

impl Rank {
    #[inline]
    pub(super) fn new(sequence: u64, offset: u32) -> Self {
        Self(sequence, offset, 0)
    }

    /// The position of one of several items of a record.
    pub(crate) fn of_item(self, item: u32) -> Self {
        Self(self.0, self.1, item)
    }
}

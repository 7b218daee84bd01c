//! Places that children write to, each through a plain borrow.

use std::slice::IterMut;
use std::sync::Mutex;

/// What a cell holds from the start of its task, and from its end.
pub(crate) const STARTED: u64 = 1 << 32;
pub(crate) const ENDED: u64 = 1 << 33;

/// Cells that nobody writes to yet.
pub(crate) struct Cells<'a>(Mutex<IterMut<'a, u64>>);

impl<'a> Cells<'a> {
    pub(crate) fn new(cells: &'a mut [u64]) -> Self {
        Self(Mutex::new(cells.iter_mut()))
    }

    /// The next one, for one task alone.
    pub(crate) fn next(&self) -> Option<&'a mut u64> {
        self.0.lock().unwrap().next()
    }
}

/// The tasks whose cells were written to, and whether to the end.
pub(crate) fn read(cells: &[u64]) -> impl Iterator<Item = (usize, bool)> {
    let written = cells.iter().filter(|cell| **cell != 0);
    written.map(|cell| {
        let task = usize::try_from(cell & (STARTED - 1)).expect("a small number");
        (task, cell & ENDED != 0)
    })
}

//! A board with a queen in every row.

use std::fmt;

/// The column of the queen in each row.
#[derive(Debug)]
pub(crate) struct Board(pub(crate) Vec<u32>);

impl Board {
    /// How many rows there are, and columns.
    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }

    /// Two rows whose queens attack each other, if there are any. It compares every two of them, which
    /// has nothing in common with how they were found.
    pub(crate) fn attack(&self) -> Option<(usize, usize)> {
        let queens = || self.0.iter().copied().enumerate();
        queens().find_map(|(row, column)| {
            let (other, _) = queens().take(row).find(|(other, over)| {
                let across = column.abs_diff(*over) as usize;
                across == 0 || across == row - other
            })?;
            Some((other, row))
        })
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for queen in &self.0 {
            let squares = (0..self.size() as u32).map(|column| match column == *queen {
                true => "Q",
                false => ".",
            });
            writeln!(f, "{}", squares.collect::<Vec<_>>().join(" "))?;
        }
        Ok(())
    }
}

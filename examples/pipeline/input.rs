//! Text to try it on.

use std::io::{self, Read};

const WORDS: [&str; 12] = [
    "to", "be", "or", "not", "that", "is", "the", "question", "whether", "nobler", "mind", "suffer",
];

/// Lines of words that are drawn at random. It is made as it is read.
#[derive(Debug)]
pub(crate) struct Generated {
    random: fastrand::Rng,
    /// Bytes that are still to be read.
    left: u64,
    line: Vec<u8>,
    /// How much of the line was read.
    at: usize,
}

impl Generated {
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(1),
            left: bytes,
            line: Vec::new(),
            at: 0,
        }
    }

    fn next_line(&mut self) {
        self.line.clear();
        self.at = 0;
        for _ in 0..8 {
            let word = self.random.choice(WORDS).expect("there are words");
            self.line.extend_from_slice(word.as_bytes());
            self.line.push(b' ');
        }
        let number = self.random.u32(..);
        self.line
            .extend_from_slice(format!("{number:08x}\n").as_bytes());
    }
}

impl Read for Generated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            self.next_line();
        }
        let rest = &self.line[self.at..];
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        let length = rest.len().min(buffer.len()).min(wanted);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        self.left -= length as u64;
        Ok(length)
    }
}

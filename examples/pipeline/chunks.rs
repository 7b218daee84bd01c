//! Chunks of what a reader gives, and how many of them there are at a time.

use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many chunks are in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Memory {
    fn hold(&self) -> Held<'_> {
        let now = 1 + self.now.fetch_add(1, Ordering::Relaxed);
        self.peak.fetch_max(now, Ordering::Relaxed);
        Held(self)
    }

    /// The most there ever were.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}

/// The place of one chunk in memory.
#[derive(Debug)]
pub(crate) struct Held<'a>(&'a Memory);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A piece of the input, or what became of it.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) held: Held<'a>,
}

/// The chunks of a reader, which is read as they are asked for.
#[derive(Debug)]
pub(crate) struct Chunks<'a, R> {
    /// Until its end, or its first error.
    input: Option<R>,
    size: u64,
    memory: &'a Memory,
}

impl<'a, R: Read> Chunks<'a, R> {
    /// Chunks of `size` bytes, and a last one that may be smaller.
    pub(crate) fn new(input: R, size: u64, memory: &'a Memory) -> Self {
        Self {
            input: Some(input),
            size,
            memory,
        }
    }
}

impl<'a, R: Read> Iterator for Chunks<'a, R> {
    type Item = io::Result<Chunk<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let input = self.input.as_mut()?;
        let mut bytes = Vec::new();
        match input.take(self.size).read_to_end(&mut bytes) {
            Ok(1..) => Some(Ok(Chunk {
                bytes,
                held: self.memory.hold(),
            })),
            Ok(0) => {
                self.input = None;
                None
            }
            Err(error) => {
                self.input = None;
                Some(Err(error))
            }
        }
    }
}

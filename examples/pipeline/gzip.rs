//! The pipeline: this thread reads and writes, children compress.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use hatchery::Pool;

use crate::chunks::{Chunk, Chunks, Memory};

/// What a pipeline has done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Bytes.
    pub(crate) read: u64,
    /// Bytes.
    pub(crate) written: u64,
    pub(crate) chunks: u64,
    /// The most chunks that were in memory at a time.
    pub(crate) peak: usize,
}

/// Compresses the input in chunks of `size` bytes, of which no more than `most` are in memory, and writes them in order.
///
/// A chunk is in memory from the moment when it is read until what became of it is written.
///
/// # Errors
///
/// The first of the reader, or of the writer. What was read before is written, and no more is read.
pub(crate) fn compress(
    pool: &Pool,
    input: impl Read,
    output: &mut impl Write,
    size: u64,
    most: usize,
) -> io::Result<Done> {
    let memory = Memory::default();
    let chunks = Chunks::new(input, size, &memory);
    let mut done = Done::default();
    pool.nursery(|n| {
        for member in n.spawn_buffered(most, chunks, |chunk| gzip(chunk?)) {
            let (read, member) = member?;
            output.write_all(&member.bytes)?;
            done.read += read;
            done.written += member.bytes.len() as u64;
            done.chunks += 1;
        }
        io::Result::Ok(())
    })?;
    if done.chunks == 0 {
        // A gzip file has a member.
        let nothing = encode(&[])?;
        output.write_all(&nothing)?;
        done.written = nothing.len() as u64;
    }
    done.peak = memory.peak();
    Ok(done)
}

/// Makes a chunk a member of a gzip file; members one after the other are such a file, too. Says how long the chunk was.
fn gzip(chunk: Chunk<'_>) -> io::Result<(u64, Chunk<'_>)> {
    let Chunk { bytes, held } = chunk;
    let member = encode(&bytes)?;
    Ok((
        bytes.len() as u64,
        Chunk {
            bytes: member,
            held,
        },
    ))
}

fn encode(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

//! What processes say to each other: collective calls at the beginning, then messages of numbers.

use std::thread;
use std::time::Duration;

use hatchery::Cancelled;
use mpi::collective::CommunicatorCollectives;
use mpi::topology::{Process, Rank, SimpleCommunicator};
use mpi::traits::{Communicator, Destination, MatchedReceiveVec, Root, Source};

use crate::files::Texts;

/// The process that reads the files and prints the answer.
const FIRST: Rank = 0;

/// To the first process: a row that is done.
pub(crate) const DONE: i32 = 1;

/// From the first process: the next row.
pub(crate) const NEXT: i32 = 2;

/// How long a thread sleeps between two looks for a message.
const FIRST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

// A communicator is not `Send`, so each thread asks for its own.
fn world() -> SimpleCommunicator {
    SimpleCommunicator::world()
}

/// Whether this is the first process.
pub(crate) fn is_first() -> bool {
    world().rank() == FIRST
}

/// This process's number.
pub(crate) fn rank() -> usize {
    world().rank() as usize
}

/// The texts, which only the first process has, for all.
pub(crate) fn to_all(texts: Option<&Texts>) -> Texts {
    let world = world();
    let first = world.process_at_rank(FIRST);
    let mut sizes = texts.map_or([0; 2], |texts| {
        [texts.lines.len() as u64, texts.ends.len() as u64]
    });
    first.broadcast_into(&mut sizes);
    let [lines, ends] = sizes.map(|size| size as usize);
    let mut all = match texts {
        Some(texts) => Texts {
            lines: texts.lines.clone(),
            ends: texts.ends.clone(),
        },
        None => Texts {
            lines: vec![0; lines],
            ends: vec![0; ends],
        },
    };
    broadcast_all(&first, &mut all.lines);
    broadcast_all(&first, &mut all.ends);
    all
}

/// In pieces, because MPI counts in 32 bits.
fn broadcast_all<T: mpi::traits::Equivalence>(first: &Process<'_>, all: &mut [T]) {
    for piece in all.chunks_mut(1 << 24) {
        first.broadcast_into(piece);
    }
}

/// The number of every process, in the order of the processes.
pub(crate) fn from_all(number: u64) -> Vec<u64> {
    let world = world();
    let mut all = vec![0; world.size() as usize];
    world.all_gather_into(&number, &mut all);
    all
}

/// Sends a few numbers to the first process.
pub(crate) fn send_to_first(numbers: &[u64], tag: i32) {
    send(FIRST, numbers, tag);
}

/// Sends a few numbers. So few of them are on their way before anybody receives them.
pub(crate) fn send(to: Rank, numbers: &[u64], tag: i32) {
    world().process_at_rank(to).send_with_tag(numbers, tag);
}

/// Waits for numbers with that tag, and says from whom they are.
///
/// MPI's own calls that wait spin, so a thread in one of them takes a processor from the children that compute, and
/// nothing tells it of a cancellation. This one looks, and sleeps between two looks.
///
/// # Errors
///
/// If the nursery around it is cancelled.
pub(crate) fn receive(tag: i32) -> Result<(Vec<u64>, Rank), Cancelled> {
    let world = world();
    let mut pause = FIRST_PAUSE;
    loop {
        let seen = world.any_process().immediate_matched_probe_with_tag(tag);
        if let Some(message) = seen {
            let (numbers, status) = message.matched_receive_vec();
            return Ok((numbers, status.source_rank()));
        }
        hatchery::checkpoint()?;
        thread::sleep(pause);
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}

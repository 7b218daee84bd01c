//! The walk: a nursery per directory, nested as the directories are.
//!
//! # What may block
//!
//! Listing a directory and reading a file are system calls, and any of them may wait for a disk. A
//! child of `spawn` that waits keeps a thread of the pool from computing; a child of
//! `spawn_blocking` waits on a side thread, and handing it over and back costs some 20 to 50
//! microseconds, which is what listing a small directory or hashing a small file takes.
//!
//! - Usually the page cache or a fast disk answers at once. Then everything is a `spawn`: reading is
//!   mostly copying, and it goes on where the bytes are hashed, while they are in the cache.
//! - With `--blocking` whatever touches the file system is a `spawn_blocking`, so that as many
//!   requests wait for the disk as there are side threads, 64; hashing is a `spawn`, so that no more
//!   threads compute than there are CPUs. Files beyond 1 MiB are the exception: they are hashed
//!   chunk by chunk where they are read, for they must not fill the memory, and a disk that needs
//!   this option is slower than the hash.

use hatchery::{Child, Nursery, Pool};

use crate::census::Census;
use crate::entry::{self, Found, Listing, Place};

/// Files of a directory that are in memory at once with `--blocking`.
const WINDOW: usize = 64;

/// How to walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Whether symbolic links are followed.
    pub(crate) follow: bool,
    /// Whether side threads read.
    pub(crate) blocking: bool,
}

/// Everything below `root`.
pub(crate) fn census(pool: &Pool, root: &Place<'_>, manner: Manner) -> Census {
    pool.nursery(|_| directory(root, manner)).complete()
}

/// Everything below `place`: its directories are children, and so are its files.
fn directory(place: &Place<'_>, manner: Manner) -> Census {
    hatchery::nursery(|n| {
        let Listing {
            directories,
            files,
            census: mut found,
        } = match manner.blocking {
            true => n
                .spawn_blocking(|| entry::list(place, manner.follow))
                .join(),
            false => entry::list(place, manner.follow),
        };
        let below: Vec<_> = directories
            .into_iter()
            .map(|below| n.spawn(move || directory(&Place::below(below, place), manner)))
            .collect();
        match manner.blocking {
            true => read_then_hash(n, files, &mut found),
            false => n
                .spawn_each(files, Found::hash)
                .for_each(|file| found.add_file(file)),
        }
        below
            .into_iter()
            .map(Child::join)
            .for_each(|below| found.add(below));
        found
    })
}

/// Reads on side threads and hashes on the pool; while it waits for a file, earlier ones are hashed.
fn read_then_hash<'scope>(n: &'scope Nursery<'scope, '_>, files: Vec<Found>, found: &mut Census) {
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() {
        let window = files.by_ref().take(WINDOW);
        let reads: Vec<_> = window
            .map(|file| n.spawn_blocking(|| file.read()))
            .collect();
        let hashes: Vec<_> = reads
            .into_iter()
            .map(|read| {
                let content = read.join();
                n.spawn(|| content?.hash())
            })
            .collect();
        hashes
            .into_iter()
            .map(Child::join)
            .for_each(|file| found.add_file(file));
    }
}

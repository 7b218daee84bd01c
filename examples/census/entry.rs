//! Directories, their entries, and files: everything that asks the file system.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::census::{Census, File, Problem};

/// What is the same for all names of a file or directory.
#[cfg(unix)]
pub(crate) type Identity = (u64, u64);
#[cfg(not(unix))]
pub(crate) type Identity = PathBuf;

/// Bytes that are read at once. A file up to here is read whole before it is hashed.
pub(crate) const CHUNK: usize = 1 << 20;

/// A directory on the way down; those above it are borrowed from the frames that walk them.
#[derive(Debug)]
pub(crate) struct Place<'above> {
    pub(crate) path: PathBuf,
    identity: Identity,
    above: Option<&'above Place<'above>>,
}

impl<'above> Place<'above> {
    /// Where a walk begins.
    pub(crate) fn root(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        // Nothing below it can be told without it.
        fs::read_dir(path)?;
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path, &metadata)?,
            above: None,
        })
    }

    /// A directory that was found in `above`.
    pub(crate) fn below(found: Found, above: &'above Place<'above>) -> Self {
        Self {
            path: found.path,
            identity: found.identity,
            above: Some(above),
        }
    }

    fn is_within(&self, identity: &Identity) -> bool {
        let mut places = std::iter::successors(Some(self), |place| place.above);
        places.any(|place| place.identity == *identity)
    }
}

#[cfg(unix)]
fn identity(_: &Path, metadata: &fs::Metadata) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    Ok((metadata.dev(), metadata.ino()))
}

/// Where files have no number their real path has to do, which hard links do not share.
#[cfg(not(unix))]
fn identity(path: &Path, _: &fs::Metadata) -> io::Result<Identity> {
    fs::canonicalize(path)
}

/// A file or directory before it was read.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    identity: Identity,
}

impl Found {
    /// Reads and hashes a file of any size.
    pub(crate) fn hash(self) -> Result<File, Problem> {
        self.read()?.hash()
    }

    /// Reads a file: small ones into memory, large ones, which would fill it, to their hash.
    pub(crate) fn read(self) -> Result<Content, Problem> {
        match read(&self.path) {
            Ok(read) => Ok(Content { found: self, read }),
            Err(error) => Err(problem(&self.path, &error)),
        }
    }
}

/// A file that was read and perhaps not hashed.
#[derive(Debug)]
pub(crate) struct Content {
    found: Found,
    read: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Whole(Vec<u8>),
    Hashed { bytes: u64, hash: blake3::Hash },
}

impl Content {
    /// Hashes what was read; this never blocks.
    pub(crate) fn hash(self) -> Result<File, Problem> {
        let (bytes, hash) = match self.read {
            Bytes::Whole(content) => (content.len() as u64, blake3::hash(&content)),
            Bytes::Hashed { bytes, hash } => (bytes, hash),
        };
        Ok(File {
            path: self.found.path,
            identity: self.found.identity,
            bytes,
            hash,
        })
    }
}

fn read(path: &Path) -> io::Result<Bytes> {
    let mut file = fs::File::open(path)?;
    let expected = file.metadata()?.len().min(CHUNK as u64) as usize;
    let mut chunk = Vec::with_capacity(expected + 1);
    let mut whole = blake3::Hasher::new();
    loop {
        let length = file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        let is_last = length < CHUNK;
        if is_last && whole.count() == 0 {
            return Ok(Bytes::Whole(chunk));
        }
        whole.update(&chunk);
        chunk.clear();
        if is_last {
            return Ok(Bytes::Hashed {
                bytes: whole.count(),
                hash: whole.finalize(),
            });
        }
    }
}

/// What a directory holds, sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) directories: Vec<Found>,
    pub(crate) files: Vec<Found>,
    /// The directory itself, and what is neither file nor directory.
    pub(crate) census: Census,
}

/// Lists a directory, and looks at where its links lead if they are followed.
pub(crate) fn list(place: &Place<'_>, follow: bool) -> Listing {
    let mut listing = Listing::default();
    let entries = match fs::read_dir(&place.path) {
        Ok(entries) => entries,
        Err(error) => {
            listing.census.problems.push(problem(&place.path, &error));
            return listing;
        }
    };
    listing.census.directories = 1;
    for entry in entries {
        let found = entry.map_err(|error| problem(&place.path, &error));
        let sorted = found.and_then(|entry| listing.sort(place, &entry.path(), follow));
        listing.census.problems.extend(sorted.err());
    }
    for found in [&mut listing.directories, &mut listing.files] {
        found.sort_by(|a, b| a.path.cmp(&b.path));
    }
    listing
}

impl Listing {
    /// Puts an entry of `place` where it belongs.
    fn sort(&mut self, place: &Place<'_>, path: &Path, follow: bool) -> Result<(), Problem> {
        let or_problem = |error| problem(path, &error);
        let mut metadata = fs::symlink_metadata(path).map_err(or_problem)?;
        let is_link = metadata.is_symlink();
        if is_link {
            if !follow {
                self.census.links += 1;
                return Ok(());
            }
            metadata = fs::metadata(path).map_err(or_problem)?;
        }
        let found = Found {
            path: path.to_owned(),
            identity: identity(path, &metadata).map_err(or_problem)?,
        };
        if metadata.is_dir() {
            // Only a link can lead back up.
            if is_link && place.is_within(&found.identity) {
                let cause = "a link to a directory that it is in".to_owned();
                return Err(Problem {
                    path: found.path,
                    cause,
                });
            }
            self.directories.push(found);
        } else if metadata.is_file() {
            self.files.push(found);
        } else {
            self.census.special += 1;
        }
        Ok(())
    }
}

fn problem(path: &Path, error: &io::Error) -> Problem {
    Problem {
        path: path.to_owned(),
        cause: error.to_string(),
    }
}

//! What a walk finds.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use crate::entry::Identity;

/// Everything below a directory.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Sorted by path once the census is [complete](Self::complete).
    pub(crate) files: Vec<File>,
    /// Further names of files that are among them.
    pub(crate) names: usize,
    pub(crate) directories: usize,
    /// Symbolic links that were not followed.
    pub(crate) links: usize,
    /// Pipes, sockets, devices.
    pub(crate) special: usize,
    pub(crate) problems: Vec<Problem>,
}

/// A file that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) bytes: u64,
    pub(crate) hash: blake3::Hash,
}

/// What was left out, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) path: PathBuf,
    pub(crate) cause: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.path, self.cause)
    }
}

impl Census {
    /// Adds what a child found.
    pub(crate) fn add(&mut self, other: Self) {
        self.files.extend(other.files);
        self.names += other.names;
        self.directories += other.directories;
        self.links += other.links;
        self.special += other.special;
        self.problems.extend(other.problems);
    }

    /// Adds a file, or why there is none.
    pub(crate) fn add_file(&mut self, file: Result<File, Problem>) {
        match file {
            Ok(file) => self.files.push(file),
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Sorts, and keeps of each file the name that comes first.
    pub(crate) fn complete(mut self) -> Self {
        self.files
            .sort_by(|a, b| (&a.identity, &a.path).cmp(&(&b.identity, &b.path)));
        let all = self.files.len();
        self.files
            .dedup_by(|name, first| name.identity == first.identity);
        self.names += all - self.files.len();
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.problems.sort_by(|a, b| a.path.cmp(&b.path));
        self
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The largest file; among equally large files, the first by path.
    pub(crate) fn largest(&self) -> Option<&File> {
        self.files.iter().rev().max_by_key(|file| file.bytes)
    }

    /// Files with the same content, the groups that waste most first; empty files waste nothing.
    pub(crate) fn duplicates(&self) -> Vec<Vec<&File>> {
        let mut groups: HashMap<_, Vec<&File>> = HashMap::new();
        for file in self.files.iter().filter(|file| file.bytes > 0) {
            groups.entry(file.hash).or_default().push(file);
        }
        let mut groups: Vec<_> = groups.into_values().filter(|g| g.len() > 1).collect();
        groups.sort_by(|a, b| {
            let waste = wasted(b).cmp(&wasted(a));
            waste.then_with(|| a[0].path.cmp(&b[0].path))
        });
        groups
    }
}

/// The bytes that a group of duplicates would not need.
pub(crate) fn wasted(group: &[&File]) -> u64 {
    group.iter().skip(1).map(|file| file.bytes).sum()
}

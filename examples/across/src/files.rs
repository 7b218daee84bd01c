//! What is compared: the lines of the files in a folder.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder.
pub(crate) struct Files {
    /// Below that folder.
    pub(crate) names: Vec<PathBuf>,
    pub(crate) texts: Texts,
}

/// The lines of all files, as numbers: lines that are the same have the same one.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Texts {
    /// Of one file after the other.
    pub(crate) lines: Vec<u32>,
    /// Where each file ends in there.
    pub(crate) ends: Vec<u64>,
}

impl Texts {
    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The lines of one file.
    pub(crate) fn of(&self, file: usize) -> &[u32] {
        let end = |file: usize| self.ends[file] as usize;
        let start = file.checked_sub(1).map_or(0, end);
        &self.lines[start..end(file)]
    }
}

impl Files {
    /// Reads all text below a folder, in the order of the names. Empty lines do not count, nor does indentation.
    ///
    /// # Errors
    ///
    /// If a file or folder cannot be read, or if fewer than two files have any text.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let mut paths = Vec::new();
        collect(folder, &mut paths)?;
        paths.sort();
        let mut files = Self {
            names: Vec::new(),
            texts: Texts::default(),
        };
        let mut numbers = HashMap::new();
        for path in paths {
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let before = files.texts.lines.len();
            for line in lines {
                let next = u32::try_from(numbers.len()).map_err(|_| "too many lines")?;
                let number = match numbers.get(line) {
                    Some(number) => *number,
                    None => *numbers.entry(line.to_owned()).or_insert(next),
                };
                files.texts.lines.push(number);
            }
            if files.texts.lines.len() > before {
                files.texts.ends.push(files.texts.lines.len() as u64);
                let name = path.strip_prefix(folder).unwrap_or(&path);
                files.names.push(name.to_owned());
            }
        }
        match files.texts.len() {
            0 | 1 => Err(format!("{}: nothing to compare", folder.display())),
            _ => Ok(files),
        }
    }
}

/// The files below a folder. Links are not followed.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let cannot = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() {
            collect(&entry.path(), paths)?;
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}

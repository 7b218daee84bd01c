//! The merged set as JSON Lines, written whole or not at all.

use std::fmt;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::merge::Entry;

/// Finds out early that `path` cannot be written, before anything was queried.
///
/// The file is replaced by renaming, which would also replace a device or a link: they are refused.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    let fail = |error| Error {
        path: path.to_owned(),
        error,
    };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => {
            return Err(fail(io::Error::other(
                "it exists and is not a regular file",
            )));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail(error)),
    }
    // A missing directory is reported by its own name, not by the name of the file tried in it.
    fs::metadata(directory(path)).map_err(fail)?;
    // Made and removed at once: it proves that the directory is there and takes files.
    temporary(path).map(drop).map_err(fail)
}

/// Writes `entries` to a temporary file next to `path`, then gives it that name.
pub(crate) fn write(path: &Path, entries: &[Entry]) -> Result<(), Error> {
    let fail = |error| Error {
        path: path.to_owned(),
        error,
    };
    let file = temporary(path).map_err(fail)?;
    write_lines(&file, entries).map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

fn write_lines(file: &NamedTempFile, entries: &[Entry]) -> io::Result<()> {
    let mut lines = BufWriter::new(file.as_file());
    for entry in entries {
        serde_json::to_writer(&mut lines, entry)?;
        lines.write_all(b"\n")?;
    }
    lines.flush()?;
    // The name must not survive a crash that the content does not.
    file.as_file().sync_all()
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".two_systems-");
    // Temporary files are private by default; this one becomes an ordinary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(directory(path))
}

/// A file that could not be written.
#[derive(Debug)]
pub(crate) struct Error {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}: {}", self.path.display(), self.error)
    }
}

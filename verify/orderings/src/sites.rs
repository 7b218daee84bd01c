//! The places where the crate names a memory ordering that could be weaker.

use std::fs;
use std::path::{Path, PathBuf};

/// The orderings that have a weaker one.
const STRONG: [&str; 4] = ["SeqCst", "AcqRel", "Acquire", "Release"];

/// One ordering in the source.
pub(crate) struct Site {
    /// What it is called in the copy.
    pub(crate) number: usize,
    /// File, function, and which ordering of the function it is: lives through moved lines.
    pub(crate) name: String,
    /// What stands there.
    pub(crate) ordering: &'static str,
    /// Whether an `ORDERING:` comment above it in its function says why no model kills it.
    pub(crate) is_argued: bool,
    is_fence: bool,
}

impl Site {
    /// What it can be weakened to, least first.
    pub(crate) fn weaker(&self) -> &'static [&'static str] {
        match (self.ordering, self.is_fence) {
            ("SeqCst", true) => &["AcqRel", "none"],
            ("SeqCst", false) => &["AcqRel", "Relaxed"],
            (_, true) => &["none"],
            ("AcqRel", _) => &["Acquire", "Release"],
            _ => &["Relaxed"],
        }
    }
}

/// Every source file.
fn files(root: &Path) -> Result<Vec<PathBuf>, String> {
    fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                collect(&path, files)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
        Ok(())
    }
    let src = root.join("src");
    let mut found = Vec::new();
    collect(&src, &mut found).map_err(|why| format!("{}: {why}", src.display()))?;
    found.sort();
    Ok(found)
}

/// Every site of the crate.
pub(crate) fn all(root: &Path) -> Result<Vec<Site>, String> {
    let mut sites = Vec::new();
    for file in files(root)? {
        let (_, found) = rewritten(root, &file, sites.len())?;
        sites.extend(found);
    }
    Ok(sites)
}

/// Copies the source to a folder, with every site asking for its ordering at run time.
pub(crate) fn copy(root: &Path, to: &Path) -> Result<(), String> {
    let mut number = 0;
    for file in files(root)? {
        let (text, sites) = rewritten(root, &file, number)?;
        number += sites.len();
        let inside = file.strip_prefix(root).map_err(|why| why.to_string())?;
        let target = to.join(inside);
        fs::write(&target, text).map_err(|why| format!("{}: {why}", target.display()))?;
    }
    Ok(())
}

/// A file's text in the copy, and its sites.
fn rewritten(root: &Path, file: &Path, first: usize) -> Result<(String, Vec<Site>), String> {
    let text = fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))?;
    let src = root.join("src");
    let inside = file
        .strip_prefix(&src)
        .map_err(|why| why.to_string())?
        .display()
        .to_string();
    let mut copy = String::new();
    let mut sites: Vec<Site> = Vec::new();
    let (mut function, mut nth) = (String::new(), 0);
    let (mut in_ordering, mut is_argued, mut in_tests) = (false, false, false);
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(any(test") {
            in_tests = lines.get(at + 1).is_some_and(|next| next.ends_with('{'));
        } else if *line == "}" {
            in_tests = false;
        }
        if let Some(name) = function_name(code) {
            (function, is_argued, nth) = (name.to_owned(), false, 0);
        }
        in_ordering &= code.starts_with("//");
        in_ordering |= code.starts_with("// ORDERING:");
        is_argued |= in_ordering && code.contains("No model");
        let mut rest = *line;
        if !in_tests && !code.starts_with("//") {
            while let Some((before, ordering, after)) = next_ordering(rest) {
                nth += 1;
                let number = first + sites.len();
                let is_fence = before.ends_with("fence(");
                let before = if is_fence {
                    before.trim_end_matches("fence(")
                } else {
                    before
                };
                copy.push_str(before);
                copy.push_str(&if is_fence {
                    format!("crate::weaken::fence({number}, Ordering::{ordering}")
                } else {
                    format!("crate::weaken::order({number}, Ordering::{ordering})")
                });
                sites.push(Site {
                    number,
                    name: format!("{inside} {function} {nth}"),
                    ordering,
                    is_argued,
                    is_fence,
                });
                rest = after;
            }
        }
        copy.push_str(rest);
        copy.push('\n');
    }
    Ok((copy, sites))
}

/// The name of the function that a line begins.
fn function_name(code: &str) -> Option<&str> {
    let before = code.find("fn ")?;
    let is_start = code[..before].split_whitespace().all(|word| {
        ["pub", "unsafe", "const", "extern", "\"C\""].contains(&word) || word.starts_with("pub(")
    });
    let name = code[before + 3..].split(['(', '<']).next()?;
    is_start.then_some(name)
}

/// What stands before the first strong ordering of a line, it, and what stands behind it.
fn next_ordering(line: &str) -> Option<(&str, &'static str, &str)> {
    let found = |ordering: &&'static str| {
        let at = line.find(&format!("Ordering::{ordering}"))?;
        Some((at, *ordering))
    };
    let (at, ordering) = STRONG.iter().filter_map(found).min()?;
    let end = at + "Ordering::".len() + ordering.len();
    Some((&line[..at], ordering, &line[end..]))
}

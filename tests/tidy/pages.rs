//! Pages: what may lie at the top of the repository, that links lead somewhere, and that all name the same oldest Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::root;

/// What lies at the top of the repository. What a page there is for stands in the README, under "More".
const TOP: [&str; 21] = [
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LAWS.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "TESTING.md",
    "benches",
    "compat",
    "clippy.toml",
    "examples",
    "src",
    "tests",
    "verify",
];

/// What git and cargo keep beside it.
const BESIDE: [&str; 2] = [".git", "target"];

#[test]
fn nothing_else_lies_at_the_top_of_the_repository() {
    let entries = fs::read_dir(root()).expect("a readable folder");
    let names = entries.map(|entry| entry.expect("a readable entry").file_name());
    let found: BTreeSet<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    for name in &found {
        let may = TOP.contains(&name.as_str()) || BESIDE.contains(&name.as_str());
        assert!(may, "{name} should lie in a folder, or stand in TOP");
    }
    for name in TOP {
        assert!(found.contains(name), "{name} is gone");
    }
}

/// The pages at the top, with their texts.
fn pages() -> BTreeMap<&'static str, String> {
    let pages = TOP.into_iter().filter(|name| name.ends_with(".md"));
    let read = |name| fs::read_to_string(root().join(name)).expect("a page");
    pages.map(|name| (name, read(name))).collect()
}

/// The text without its blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// Where the links of a page lead, within the repository.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let after = text.split("](").skip(1);
    let targets = after.filter_map(|rest| rest.split(')').next());
    let inside = targets.filter(|target| !target.contains("://"));
    inside.map(str::to_owned).collect()
}

/// The anchors of a page's headings, as they are made where repositories are shown.
fn anchors(text: &str) -> BTreeSet<String> {
    let text = prose(text);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let titles = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let anchor = |title: String| {
        title
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    titles.map(anchor).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = pages();
    let mut count = 0;
    for (page, text) in &pages {
        for link in links(text) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let file = if file.is_empty() { page } else { file };
            assert!(root().join(file).exists(), "{page} links to {link}");
            let leads = anchor.is_empty()
                || pages
                    .get(file)
                    .is_some_and(|text| anchors(text).contains(anchor));
            assert!(leads, "{page} links to {link}: no such heading");
            count += 1;
        }
    }
    assert!(count > 20, "{count} links were found");
}

#[test]
fn links_and_headings_are_read() {
    let text = "# `a`, in b\n[x](y.md#z) [web](https://w)\n```\n# no\n[n](o)\n```\n";
    assert_eq!(links(text), ["y.md#z"]);
    assert_eq!(anchors(text), BTreeSet::from(["a-in-b".to_owned()]));
}

/// The numbers that follow "Rust" in a text, such as 1.85.
fn rusts(text: &str) -> BTreeSet<&str> {
    let text = text.split("Rust 1.").skip(1);
    let end = |rest: &str| {
        rest.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len())
    };
    text.map(|rest| &rest[..end(rest)]).collect()
}

#[test]
fn the_oldest_rust_is_the_same_on_every_page() {
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    let number = oldest.strip_prefix("1.").expect("a version of Rust");
    let read = |file| fs::read_to_string(root().join(file)).expect("readable");
    for file in ["README.md", "src/lib.rs"] {
        let text = read(file);
        assert_eq!(rusts(&text), BTreeSet::from([number]), "{file}");
    }
    for (file, line) in [
        ("clippy.toml", format!("msrv = \"{oldest}\"")),
        ("CHANGELOG.md", format!("minimum Rust is {oldest}")),
        ("TESTING.md", format!("oldest Rust is {oldest}")),
    ] {
        assert!(read(file).contains(&line), "{file} should say: {line}");
    }
}

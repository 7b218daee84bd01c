//! The repository tests itself: layers, unsafe code, sizes, laws, changelog.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Files that may contain unsafe code.
const UNSAFE: [&str; 26] = [
    "src/engine/frame/forget.rs",
    "src/engine/frame/fork.rs",
    "src/engine/frame/mod.rs",
    "src/engine/frame/report.rs",
    "src/engine/frame/stage.rs",
    "src/engine/limit.rs",
    "src/engine/scope_frame.rs",
    "src/engine/shared.rs",
    "src/models.rs",
    "src/models/deque.rs",
    "src/models/nursery.rs",
    "src/platform/cpus.rs",
    "src/platform/lazy.rs",
    "src/platform/process.rs",
    "src/scope/cancel.rs",
    "src/scope/fork.rs",
    "src/scope/lineage.rs",
    "src/scope/nest.rs",
    "src/scope/partial.rs",
    "src/task/arena.rs",
    "src/task/chunk.rs",
    "src/task/consume.rs",
    "src/task/list.rs",
    "src/task/record.rs",
    "src/task/room.rs",
    "src/task/slab.rs",
];

/// Layers from the top down; a file may name its own layer and those after it. Each is a folder, but for
/// the files in the root of `src`: those are the facade, or [`GENERIC`].
const LAYERS: [&str; 6] = ["facade", "scope", "engine", "task", "generic", "platform"];

/// Files in the root of `src` that know nothing of nurseries, and name the platform at most.
const GENERIC: [&str; 3] = ["json", "remains", "serial"];

/// Lines of code a file may have.
const LONGEST: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the repository, with its path from the root and its text.
fn sources() -> Vec<(String, String)> {
    fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches", "examples"] {
        collect(&root().join(dir), &mut files);
    }
    let name = |file: &PathBuf| {
        let inside = file.strip_prefix(root()).expect("below the root");
        inside.to_string_lossy().replace('\\', "/")
    };
    let mut sources: Vec<_> = files
        .iter()
        .map(|file| (name(file), fs::read_to_string(file).expect("UTF-8")))
        .collect();
    sources.sort();
    assert!(sources.len() > 20, "the sources were found");
    sources
}

/// The lines that are neither empty nor comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//"))
}

/// The layer of a module in the crate's root.
fn layer_of(module: &str) -> usize {
    let name = if GENERIC.contains(&module) {
        "generic"
    } else {
        module
    };
    LAYERS.iter().position(|layer| *layer == name).unwrap_or(0)
}

/// The path of the module that a file of `src` is, from the crate's root.
fn module_of(file: &str) -> Option<Vec<&str>> {
    let inside = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut path: Vec<_> = inside.split('/').collect();
    if matches!(path.last(), Some(&("mod" | "lib"))) {
        path.pop();
    }
    Some(path)
}

/// The modules of the crate's root that this code names by paths from `crate` or `super`, each with its line.
/// It relies on the form that rustfmt gives to modules within a file.
fn modules_named<'a>(file: &'a str, text: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut path = module_of(file).expect("a file of the crate");
    let mut ends = Vec::new();
    let mut named = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start();
        let indent = &line[..line.len() - bare.len()];
        if bare.starts_with("//") {
            continue;
        }
        if ends.last() == Some(&indent) && bare == "}" {
            ends.pop();
            path.pop();
        }
        let after_mod = bare.split_once("mod ").and_then(|(visibility, rest)| {
            let is_item = visibility.is_empty() || visibility.starts_with("pub");
            rest.strip_suffix(" {").filter(|_| is_item)
        });
        for (at, _) in line.match_indices("crate::") {
            named.push((first_of(&line[at + 7..]), line));
        }
        for (at, _) in line.match_indices("super::") {
            if line[..at].ends_with("super::") {
                continue;
            }
            let rest = line[at..].trim_start_matches("super::");
            let up = (line.len() - at - rest.len()) / "super::".len();
            let above = path.len().saturating_sub(up);
            let root = path[..above].first();
            named.push((root.copied().unwrap_or_else(|| first_of(rest)), line));
        }
        if let Some(name) = after_mod {
            path.push(name);
            ends.push(indent);
        }
    }
    named
}

/// The name that a path begins with; none if it is a list, which may hold all there are.
fn first_of(path: &str) -> &str {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    &path[..end.unwrap_or(path.len())]
}

#[test]
fn data_flows_one_way() {
    let checks = |file: &str| is_test_module(file) || file == "src/lib.rs";
    for (file, text) in sources() {
        let path = module_of(&file).filter(|_| !checks(&file));
        let Some(first) = path.and_then(|path| path.first().copied()) else {
            continue;
        };
        let own = layer_of(first);
        let named = modules_named(&file, &text);
        for (module, line) in &named {
            assert!(layer_of(module) >= own, "{file} reaches up: {line}");
        }
        let is_generic = named
            .iter()
            .all(|(module, _)| LAYERS[layer_of(module)] == "platform");
        assert!(
            own > 0 || !is_generic,
            "{file} names the platform at most: it belongs to GENERIC"
        );
    }
}

#[test]
fn paths_are_followed_wherever_they_lead() {
    let named = |file, text| {
        let named = modules_named(file, text);
        named.into_iter().map(|(m, _)| m).collect::<Vec<_>>()
    };
    let inner = "src/engine/frame/fork.rs";
    assert_eq!(named(inner, "use super::{Frame, Part};"), ["engine"]);
    assert_eq!(named(inner, "use super::super::seat::Seat;"), ["engine"]);
    assert_eq!(
        named(inner, "use super::super::super::scope::Nest;"),
        ["scope"]
    );
    assert_eq!(
        named("src/engine/mod.rs", "super::scope::check()"),
        ["scope"]
    );
    assert_eq!(
        named("src/race.rs", "use super::serial::Serial;"),
        ["serial"]
    );
    assert_eq!(named("src/race.rs", "use super::{task, scope};"), [""]);
    assert_eq!(
        named("src/race.rs", "crate::scope::A, crate::task::B"),
        ["scope", "task"]
    );
    let within = "mod tests {\n    use super::Idle;\n}\nuse super::super::scope;";
    assert_eq!(named("src/engine/idle.rs", within), ["engine", "scope"]);
    assert_eq!(named("src/engine/idle.rs", "// crate::scope"), [""; 0]);
}

/// What only `src/platform/` may name: what threads do to each other, what is a thread's own, what time
/// it is, and what takes the place of all that in checks. `std::{` is how to write it in other ways.
const BEHIND_THE_DOOR: [&str; 14] = [
    "std::sync",
    "std::thread",
    "std::hint",
    "std::{",
    "core::sync",
    "core::hint",
    "alloc::sync",
    "spin_loop",
    "Instant::now",
    "SystemTime",
    ".elapsed()",
    "crossbeam_deque",
    "loom::",
    "shuttle::",
];

/// Modules that are compiled for tests only.
fn is_test_module(file: &str) -> bool {
    ["src/refused", "src/faults", "src/models"]
        .iter()
        .any(|start| file.starts_with(start))
}

/// The name behind the door that this line of code has, if there is one.
fn past_the_door(line: &str) -> Option<&'static str> {
    let bare = line.strip_prefix("thread_local!").map(|_| "thread_local!");
    let mut names = BEHIND_THE_DOOR.into_iter();
    bare.or_else(|| names.find(|name| line.contains(name)))
}

#[test]
fn only_the_platform_opens_the_door_to_std_sync_std_thread_and_clocks() {
    for (file, text) in sources() {
        let is_outside = file.starts_with("src/") && !file.starts_with("src/platform/");
        if !is_outside || is_test_module(&file) {
            continue;
        }
        // A file's own tests stand at its end.
        let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(&text);
        for line in code(text) {
            let named = past_the_door(line);
            assert_eq!(named, None, "{file} goes past platform/: {line}");
        }
    }
}

#[test]
fn the_door_is_seen_in_whatever_way_it_is_passed_by() {
    for line in [
        "use std::sync::atomic::AtomicBool;",
        "use std::{mem, sync::Mutex};",
        "let now = std::time::Instant::now();",
        "thread_local!(static A: u8 = const { 0 });",
        "use crossbeam_deque::Worker;",
    ] {
        assert!(past_the_door(line).is_some(), "{line}");
    }
    for line in [
        "use std::time::{Duration, Instant};",
        "crate::platform::thread::thread_local! {",
        "use crate::platform::sync::{Arc, Mutex};",
    ] {
        assert_eq!(past_the_door(line), None, "{line}");
    }
}

#[test]
fn unsafe_code_is_in_the_named_files() {
    for (file, text) in sources() {
        if file.starts_with("src/") {
            let is_named = UNSAFE.contains(&file.as_str());
            let has_unsafe = code(&text).any(|line| {
                line.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| word == "unsafe")
            });
            assert_eq!(is_named, has_unsafe, "{file}");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (file, text) in sources() {
        let lines = code(&text).count();
        assert!(lines <= LONGEST, "{file} has {lines} lines of code");
    }
}

#[test]
fn the_changelog_has_an_entry_for_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("a changelog");
    let heading = format!("\n## {}", env!("CARGO_PKG_VERSION"));
    assert!(changelog.contains(&heading), "no entry {heading:?}");
}

#[test]
fn the_readme_shows_the_hello_example() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a readme");
    let hello = fs::read_to_string(root().join("examples/hello.rs")).expect("an example");
    let shown = readme.split("```").nth(1).expect("a code block");
    let program = |text: &str| {
        let lines = code(text).map(|line| line.split("//").next().unwrap_or(line).trim());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(program(shown.trim_start_matches("rust")), program(&hello));
}

/// Whoever builds the package runs its tests, too.
#[test]
fn tests_that_read_what_is_not_in_the_package_are_not_in_it_either() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("readable");
    let list = manifest.split("\nexclude = [").nth(1).expect("excluded");
    let list = list.split(']').next().expect("a list");
    // cargo writes it in lines of its own when it packages it.
    let names = list.split(',');
    let excluded: Vec<_> = names.map(|name| name.trim().trim_matches('"')).collect();
    let folders = ["fuzz", "verify", ".ci"];
    assert!(folders.iter().all(|folder| excluded.contains(folder)));
    for (file, text) in sources() {
        if file.starts_with("tests/") && file != "tests/tidy.rs" && !excluded.contains(&&*file) {
            for folder in folders {
                let reads = |line: &&str| {
                    line.contains(&format!("\"{folder}/"))
                        || line.contains(&format!("\"{folder}\""))
                };
                assert_eq!(code(&text).find(reads), None, "{file} reads {folder}");
            }
        }
    }
}

/// What LAWS.md lists for one law: the files whose tests check it.
type Files = BTreeSet<String>;

/// The laws in LAWS.md, each with its files.
fn laws() -> BTreeMap<String, Files> {
    let text = fs::read_to_string(root().join("LAWS.md")).expect("a page of laws");
    let sections = text.split("\n### ").skip(1);
    let law = |section: &str| {
        let (name, rest) = section.split_once(". ").expect("a name and a title");
        let (_, files) = rest.split_once("\n\nTests: ").expect("a list of files");
        let files = files.split("\n\n").next().unwrap_or(files);
        let files = files.split('`').skip(1).step_by(2).map(str::to_owned);
        (name.to_owned(), files.collect())
    };
    let laws: Vec<_> = sections.map(law).collect();
    let names: BTreeMap<_, _> = laws.iter().cloned().collect();
    assert_eq!(names.len(), laws.len(), "a law stands there twice");
    names
}

/// Whether this is the name of a law: a letter and one or two digits.
fn is_law(word: &str) -> bool {
    let mut letters = word.chars();
    let is_letter = letters.next().is_some_and(|c| c.is_ascii_uppercase());
    is_letter && matches!(word.len(), 2 | 3) && letters.all(|c| c.is_ascii_digit())
}

/// The laws that a text cites by their names. A word is no citation if no law has its letter.
fn laws_cited(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let cited = words.filter(|word| is_law(word) && word.starts_with(['L', 'R', 'E', 'X', 'S']));
    cited.map(str::to_owned).collect()
}

/// The laws that the names of a file's tests begin with.
fn laws_in_test_names(text: &str) -> BTreeSet<String> {
    let mut laws = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("fn ").filter(|_| is_test) {
            let words = name.split('_').map(str::to_ascii_uppercase);
            laws.extend(words.take_while(|word| is_law(word)));
        }
        is_test = line == "#[test]" || (is_test && line.starts_with("#["));
    }
    laws
}

/// The laws that a program's run is held against: the text of what is wrong begins with the name of the law.
fn laws_in_messages(text: &str) -> BTreeSet<String> {
    let literals = text.split('"').skip(1);
    let first = literals.filter_map(|literal| literal.split(':').next());
    first
        .filter(|word| is_law(word))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_law_that_is_cited_stands_in_the_page_of_laws() {
    let laws = laws();
    let mut texts = sources();
    for page in ["ARCHITECTURE.md", "LAWS.md", "README.md", "TESTING.md"] {
        let text = fs::read_to_string(root().join(page)).expect("a page");
        texts.push((page.to_owned(), text));
    }
    for (file, text) in texts.iter().filter(|(file, _)| file != "tests/tidy.rs") {
        for law in laws_cited(text).union(&laws_in_test_names(text)) {
            assert!(laws.contains_key(law), "{file} cites {law}: not in LAWS.md");
        }
    }
}

#[test]
fn every_law_has_tests_and_the_page_of_laws_says_where() {
    let sources = sources();
    let mut tests = BTreeMap::<String, Files>::new();
    let mut named = BTreeSet::new();
    for (file, text) in sources.iter().filter(|(file, _)| file != "tests/tidy.rs") {
        let by_name = laws_in_test_names(text);
        named.extend(by_name.iter().cloned());
        let by_message = if file.starts_with("tests/") {
            laws_in_messages(text)
        } else {
            BTreeSet::new()
        };
        for law in by_name.union(&by_message) {
            tests.entry(law.clone()).or_default().insert(file.clone());
        }
    }
    for (law, files) in laws() {
        assert!(named.contains(&law), "no test's name begins with {law}");
        let found: Vec<_> = tests[&law].iter().map(|file| format!("`{file}`")).collect();
        let line = format!("Tests: {}", found.join(", "));
        assert_eq!(
            files, tests[&law],
            "in LAWS.md, {law} should have\n{line}\n"
        );
    }
}

#[test]
fn laws_are_found_where_they_are_cited() {
    let set = |laws: &[&str]| laws.iter().map(|law| (*law).to_owned()).collect::<Files>();
    let text = "/// Laws E1 to E3 (law\n/// L4), SIGUSR1, E0373, x1.";
    assert_eq!(laws_cited(text), set(&["E1", "E3", "L4"]));
    let text = "#[test]\n#[ignore]\nfn x1_x5_who_asks() {}\nfn s1_helper() {}\n#[test]\nfn a() {}";
    assert_eq!(laws_in_test_names(text), set(&["X1", "X5"]));
    let text = r#"ensure!("R1", is_right); format!("S2: {open}"); "S3 is none""#;
    assert_eq!(laws_in_messages(text), set(&["R1", "S2"]));
}

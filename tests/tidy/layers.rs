//! Layers: what each file of the crate may name, and that the code map lists every file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{root, sources};

/// Layers from the top down; a file may name its own layer and those after it. Each is a folder, but for
/// the facade: its files are those in the root of `src`.
const LAYERS: [&str; 6] = ["facade", "scope", "engine", "task", "protocol", "platform"];

/// The layer of a module in the crate's root.
fn layer_of(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| *layer == module)
        .unwrap_or(0)
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
    for (file, text) in sources() {
        let path = module_of(&file).filter(|_| file != "src/lib.rs");
        let Some(first) = path.and_then(|path| path.first().copied()) else {
            continue;
        };
        let own = layer_of(first);
        let named = modules_named(&file, &text);
        for (module, line) in &named {
            assert!(layer_of(module) >= own, "{file} reaches up: {line}");
        }
    }
}

/// The modules of the engine that this code imports.
fn imports(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| line.starts_with("use crate::"));
    let paths = lines.filter_map(|line| line.strip_prefix("use crate::engine::"));
    paths.map(first_of).collect()
}

/// Takes away what imports nothing that is left, until nothing is left, or a circle.
fn circle<'a>(mut graph: BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<&'a str> {
    loop {
        let left: Vec<_> = graph.keys().copied().collect();
        graph.retain(|_, imports| left.iter().any(|name| imports.contains(name)));
        if graph.len() == left.len() {
            return left;
        }
    }
}

#[test]
fn imports_of_the_engine_go_round_in_no_circle() {
    let all = sources();
    let mut graph: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (file, text) in &all {
        if let Some(["engine", module, ..]) = module_of(file).as_deref() {
            let mut imports = imports(text);
            imports.remove(module);
            graph.entry(*module).or_default().extend(imports);
        }
    }
    assert!(graph["seat"].contains("core"), "they were read: {graph:?}");
    assert_eq!(circle(graph.clone()), [""; 0]);
    graph.get_mut("tally").expect("a file").insert("seat");
    assert!(circle(graph).contains(&"seat"), "a planted circle is found");
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
    assert_eq!(named("src/race.rs", "use super::pool::Pool;"), ["pool"]);
    assert_eq!(named("src/race.rs", "use super::{task, scope};"), [""]);
    assert_eq!(
        named("src/race.rs", "crate::scope::A, crate::task::B"),
        ["scope", "task"]
    );
    let within = "mod tests {\n    use super::Idle;\n}\nuse super::super::scope;";
    assert_eq!(named("src/engine/idle.rs", within), ["engine", "scope"]);
    assert_eq!(named("src/engine/idle.rs", "// crate::scope"), [""; 0]);
}

/// The files that the code map lists, from the rows of its table.
fn mapped() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a page");
    let map = text.split("\n## Code map").nth(1).expect("a code map");
    let map = map.split("\n## ").next().expect("a section");
    let mut folder = "";
    let mut files = BTreeSet::new();
    for row in map.lines().filter(|line| line.starts_with("| ")) {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let (layer, names) = (cells.next(), cells.next());
        match layer.map(|layer| layer.trim_matches('`')) {
            None | Some("") => {}
            Some(layer) => folder = layer.strip_suffix('/').map_or("", |_| layer),
        }
        for name in names.unwrap_or("").split('`').skip(1).step_by(2) {
            let is_new = files.insert(format!("src/{folder}{name}"));
            assert!(is_new, "{folder}{name} stands there twice");
        }
    }
    files
}

#[test]
fn the_code_map_lists_every_file() {
    let is_mapped = |file: &str| {
        let is_root = file.ends_with("/mod.rs") || file == "src/lib.rs";
        file.starts_with("src/") && !is_root
    };
    let names = sources().into_iter().map(|(file, _)| file);
    let files: BTreeSet<_> = names.filter(|file| is_mapped(file)).collect();
    let mapped = mapped();
    let missing: Vec<_> = files.difference(&mapped).collect();
    let gone: Vec<_> = mapped.difference(&files).collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md does not list {missing:?}"
    );
    assert!(gone.is_empty(), "ARCHITECTURE.md lists {gone:?}");
}

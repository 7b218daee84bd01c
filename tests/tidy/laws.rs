//! The page of laws and the tests: a law that is cited stands there, and has the tests that stand there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{root, sources};

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
    let cited =
        words.filter(|word| is_law(word) && word.starts_with(['L', 'R', 'E', 'X', 'S', 'J']));
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
    for (file, text) in texts
        .iter()
        .filter(|(file, _)| !file.starts_with("tests/tidy"))
    {
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
    for (file, text) in sources
        .iter()
        .filter(|(file, _)| !file.starts_with("tests/tidy"))
    {
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

//! The documents say what the code says: each of these tests reads both.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies in its workspace").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The variants of an enum, in the text of its file: the words at its first level.
fn variants(path: &str, name: &str) -> BTreeSet<String> {
    let text = read(path);
    let (_, body) = text
        .split_once(&format!("pub enum {name}"))
        .unwrap_or_else(|| panic!("{path} has no enum {name}"));
    let (_, body) = body.split_once("{\n").expect("an enum has a body");
    let (body, _) = body.split_once("\n}").expect("an enum has an end");
    let first_level = body.lines().filter_map(|it| it.strip_prefix("    "));
    let words = first_level.filter(|it| it.starts_with(char::is_uppercase));
    let word = |it: &str| it.chars().take_while(|it| it.is_alphanumeric()).collect();
    let found: BTreeSet<String> = words.map(word).collect();
    assert!(found.len() > 2, "{path}: this test no longer knows what a variant looks like");
    found
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// Every word in backticks, and in quotes, of a document.
fn words(path: &str) -> BTreeSet<String> {
    read(path).split(['`', '"']).map(str::to_owned).collect()
}

#[track_caller]
fn assert_named<'a>(document: &str, names: impl IntoIterator<Item = &'a String>) {
    let words = words(document);
    let missing: Vec<_> = names.into_iter().filter(|it| !words.contains(*it)).collect();
    assert!(missing.is_empty(), "{document} says nothing of {missing:?}");
}

#[test]
fn the_drawing_of_the_transaction_has_every_record_and_every_phase() {
    let drawing = read("docs/transaction.dot");
    let edges = drawing.lines().filter(|it| it.contains(" -> "));
    let (mut labels, mut nodes) = (BTreeSet::new(), BTreeSet::new());
    for edge in edges {
        let label = edge.split('"').nth(1).expect("an edge has a label");
        let _new = labels.insert(label.to_owned());
        let (from, rest) = edge.trim().split_once(" -> ").expect("an edge has two ends");
        let to = rest.split(' ').next().expect("an edge has an end");
        nodes.extend([from.to_owned(), to.to_owned()]);
    }
    assert!(nodes.remove("Start"));
    assert_eq!(labels, variants("crates/switchback-core/src/record.rs", "Record"));
    assert_eq!(nodes, variants("crates/switchback-core/src/state.rs", "Phase"));
}

#[test]
fn the_record_format_names_every_record_change_and_cause() {
    for (path, name) in [
        ("crates/switchback-core/src/record.rs", "Record"),
        ("crates/switchback-core/src/record.rs", "Outcome"),
        ("crates/switchback-core/src/record.rs", "Cause"),
        ("crates/switchback-core/src/release.rs", "Evidence"),
        ("crates/switchback-targets/src/container/change.rs", "Change"),
    ] {
        let names: Vec<String> = variants(path, name).iter().map(|it| snake(it)).collect();
        assert_named("docs/record-format.md", &names);
    }
}

#[test]
fn every_key_of_the_configuration_is_described() {
    for path in ["crates/switchback/src/config/keys.rs", "crates/switchback/src/config/keys_run.rs"]
    {
        let text = read(path);
        let rows = text.split("Row::new(").skip(1);
        let keys: Vec<String> =
            rows.filter_map(|it| it.split('"').nth(1).map(str::to_owned)).collect();
        assert!(keys.len() > 50, "{path}: this test no longer knows what a row looks like");
        let text = read("docs/configuration.md");
        let is_named = |key: &String| {
            [format!("`{key}`"), format!("`{key}."), format!(".{key}`")]
                .iter()
                .any(|it| text.contains(it.as_str()))
        };
        let missing: Vec<_> = keys.iter().filter(|it| !is_named(it)).collect();
        assert!(missing.is_empty(), "docs/configuration.md says nothing of {missing:?}");
    }
}

#[test]
fn every_error_code_of_the_sources_is_explained() {
    let mut codes = BTreeSet::new();
    let mut folders =
        vec![root().join("crates/switchback"), root().join("crates/switchback-targets")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the tree can be read") {
            let path = entry.expect("an entry can be read").path();
            let is_test = path.ends_with("tests") || path.ends_with("tests.rs");
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !is_test {
                codes.extend(codes_in(&fs::read_to_string(&path).expect("a source can be read")));
            }
        }
    }
    assert!(codes.contains("locked") && codes.len() > 15, "found only {codes:?}");
    // Words that only tests make up.
    let known = ["evaporated"];
    assert_named("docs/exit-codes.md", codes.iter().filter(|it| !known.contains(&it.as_str())));
}

/// The codes that errors are made with: the first word in quotes after each of these.
fn codes_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["CommandError::new(", "TargetError::failed(", "into_target("] {
        for rest in text.split(start).skip(1) {
            let code = rest.trim_start().strip_prefix('"').and_then(|it| it.split('"').next());
            found.extend(code.map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut documents: Vec<PathBuf> = Vec::new();
    for folder in [".", "docs", "docs/decisions"] {
        let entries = fs::read_dir(root().join(folder)).expect("the folder can be read");
        let paths = entries.map(|it| it.expect("an entry can be read").path());
        documents.extend(paths.filter(|it| it.extension().is_some_and(|it| it == "md")));
    }
    assert!(documents.len() > 15, "only {} documents were found", documents.len());
    for document in documents {
        let text = fs::read_to_string(&document).expect("a document can be read");
        for link in text.split("](").skip(1).filter_map(|it| it.split([')', '#']).next()) {
            let is_file = !link.is_empty() && !link.contains("://");
            let target = document.parent().expect("it lies in a folder").join(link);
            assert!(!is_file || target.exists(), "{}: {link} is not there", document.display());
        }
    }
}

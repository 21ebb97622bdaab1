//! The words that scripts meet are explained: every outcome, phase, rung and error code that the code
//! uses stands in the glossary, and every outcome and error code on the page of exit codes too.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Files that are compiled into tests only.
const TESTS: [&str; 2] = ["tests.rs", "script.rs"];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the root").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sources of all crates as the program is made from them: without the tests at their ends.
fn sources() -> Vec<String> {
    let mut sources = Vec::new();
    let crates = ["switchback", "switchback-core", "switchback-targets"];
    let mut folders: Vec<PathBuf> =
        crates.iter().map(|it| root().join("crates").join(it).join("src")).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the tree can be read") {
            let path = entry.expect("an entry of the tree can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs")
                && !TESTS.contains(&name.as_str())
            {
                let text = fs::read_to_string(&path).expect("a source can be read");
                let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
                sources.push(text[..end].to_owned());
            }
        }
    }
    sources
}

/// The text of a function, to the brace that closes it, for each function with that head.
fn bodies<'a>(source: &'a str, head: &'a str) -> impl Iterator<Item = &'a str> {
    source.match_indices(head).map(|(at, _)| {
        let line = source[..at].rfind('\n').map_or(0, |it| it + 1);
        let indent = source[line..].len() - source[line..].trim_start().len();
        let end = format!("\n{}}}", " ".repeat(indent));
        source[at..].find(&end).map_or(&source[at..], |it| &source[at..at + it])
    })
}

/// Every text in quotes that is a word: small letters and underscores.
fn words(text: &str) -> BTreeSet<String> {
    let is_word = |it: &&str| {
        it.len() > 2 && it.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    text.split('"').skip(1).step_by(2).filter(is_word).map(str::to_owned).collect()
}

/// The words that a match leads to, behind its arrows.
fn results(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|it| it.split_once("=>")).flat_map(|it| words(it.1)).collect()
}

/// The literal that is the argument of that number in each call.
fn arguments(source: &str, call: &str, number: usize) -> BTreeSet<String> {
    let literal = |(at, _): (usize, &str)| {
        let argument = source[at + call.len()..].split(',').nth(number)?.trim();
        let inner = argument.strip_prefix('"')?.split('"').next()?;
        Some(inner.to_owned())
    };
    source.match_indices(call).filter_map(literal).collect()
}

fn outcomes() -> BTreeSet<String> {
    let table = read("crates/switchback/src/exit_code.rs");
    let result = read("crates/switchback/src/operate/result.rs");
    let worth = bodies(&table, "fn of_outcome").flat_map(words);
    worth.chain(bodies(&result, "fn outcome(").flat_map(results)).collect()
}

fn error_codes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources() {
        for head in ["fn code(&self)", "fn code(self)"] {
            found.extend(bodies(&source, head).flat_map(results));
        }
        let calls = ["CommandError::new(", "TargetError::failed(", ".into_target("];
        found.extend(calls.iter().flat_map(|it| arguments(&source, it, 0)));
        found.extend(arguments(&source, "Check::failed(", 1));
        found.extend(arguments(&source, "code: ", 0));
        let chosen = source.lines().filter(|it| it.trim_start().starts_with("let code = "));
        found.extend(chosen.flat_map(words));
    }
    found.remove("");
    found
}

#[track_caller]
fn assert_explained(words: &BTreeSet<String>, page: &str, at_least: usize) {
    assert!(words.len() >= at_least, "this test no longer finds the words: {words:?}");
    let text = read(page);
    let missing: Vec<&String> =
        words.iter().filter(|it| !text.contains(&format!("`{it}`"))).collect();
    assert!(missing.is_empty(), "\n{page} does not explain {missing:?}\n");
}

#[test]
fn every_outcome_is_explained() {
    for page in ["docs/glossary.md", "docs/exit-codes.md"] {
        assert_explained(&outcomes(), page, 7);
    }
}

#[test]
fn every_phase_is_explained() {
    let source = read("crates/switchback/src/display/mod.rs");
    let phases = bodies(&source, "fn phase_word").flat_map(results).collect();
    assert_explained(&phases, "docs/glossary.md", 9);
}

#[test]
fn every_rung_is_explained() {
    let source = read("crates/switchback/src/operate/look/way_back.rs");
    let rungs = bodies(&source, "fn word").flat_map(results).collect();
    assert_explained(&rungs, "docs/glossary.md", 5);
}

#[test]
fn every_error_code_is_explained() {
    let codes = error_codes();
    for known in ["undo_failed", "hook_failed", "registry_denied", "data_at_risk", "declined"] {
        assert!(codes.contains(known), "this test no longer finds {known}: {codes:?}");
    }
    for page in ["docs/glossary.md", "docs/exit-codes.md"] {
        assert_explained(&codes, page, 30);
    }
}

//! The invariants of the code base, held by reading the tree. Each test says what to do instead.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// A file of the tree: its path from the root, with `/`, and its text.
struct File {
    path: String,
    text: String,
}

impl File {
    /// Whether it is compiled into tests only. The test kit is, whole.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.starts_with("crates/switchback-testkit/")
    }

    fn is_in(&self, krate: &str) -> bool {
        self.path.starts_with(&format!("crates/{krate}/"))
    }

    /// Its lines with their numbers, as the compiler sees them: without comments, and without the
    /// tests at the end of a file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines = self.text[..end].lines().zip(1..);
        let code = lines.filter(|(it, _)| !it.trim_start().starts_with("//"));
        code.map(|(it, line)| (line, without_comment(it)))
    }
}

/// A comment at the end of a line begins with two slashes after a space; an address has a colon.
fn without_comment(line: &str) -> &str {
    line.split_once(" // ").map_or(line, |it| it.0)
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_root = |it: &&Path| {
        fs::read_to_string(it.join("Cargo.toml")).is_ok_and(|it| it.contains("[workspace]"))
    };
    here.ancestors().find(is_root).expect("the crate lies in its workspace").to_owned()
}

/// Every text file of the tree, less what the build makes and what git keeps.
fn files() -> Vec<File> {
    let root = root();
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the tree can be read") {
            let entry = entry.expect("an entry of the tree can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().expect("the kind of an entry is known");
            if kind.is_dir() && !["target", ".git", "node_modules"].contains(&name.as_str()) {
                folders.push(entry.path());
            } else if kind.is_file() && ![".git", "Cargo.lock"].contains(&name.as_str()) {
                // What is not text is an asset, and holds no code.
                let Ok(text) = fs::read_to_string(entry.path()) else { continue };
                let path = entry.path();
                let path = path.strip_prefix(&root).expect("it lies below the root");
                files.push(File { path: path.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn sources() -> Vec<File> {
    files().into_iter().filter(|it| is_of_kind(&it.path, "rs")).collect()
}

fn documents() -> Vec<File> {
    files().into_iter().filter(|it| is_of_kind(&it.path, "md")).collect()
}

fn is_of_kind(path: &str, kind: &str) -> bool {
    Path::new(path).extension().is_some_and(|it| it == kind)
}

/// Fails with every place at once, and with what to do about them.
#[track_caller]
fn assert_none(found: &[String], remedy: &str) {
    let mut list = String::new();
    for place in found {
        writeln!(list, "  {place}").expect("a string takes everything");
    }
    assert!(found.is_empty(), "\n{list}{remedy}\n");
}

/// Every place in the code of these files where one of the words stands.
fn places<'a>(files: impl IntoIterator<Item = &'a File>, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (line, code) in file.code() {
            for word in words.iter().filter(|it| holds(code, it)) {
                found.push(format!("{}:{line}: {word}", file.path));
            }
        }
    }
    found
}

/// Whether `word` stands in the line by itself, and not as the end of a longer name.
fn holds(line: &str, word: &str) -> bool {
    let is_name = |it: char| it.is_alphanumeric() || it == '_';
    let begins_a_name = word.starts_with(is_name);
    line.match_indices(word)
        .any(|(at, _)| !begins_a_name || !line[..at].chars().next_back().is_some_and(is_name))
}

#[test]
fn the_walk_sees_the_whole_tree() {
    let sources = sources();
    assert!(sources.len() > 40, "the walk has seen only {} sources", sources.len());
    for path in [
        "crates/switchback/src/main.rs",
        "crates/switchback/tests/tidy.rs",
        "crates/switchback-core/src/engine.rs",
        "crates/switchback-keeper/src/main.rs",
        "crates/switchback-targets/src/lib.rs",
        "crates/switchback-testkit/src/lib.rs",
    ] {
        assert!(sources.iter().any(|it| it.path == path), "the walk has not seen {path}");
    }
    let dirty = File {
        path: "crates/x/src/lib.rs".to_owned(),
        text: "//! println!\nfn f() {\n    println!(); // eprintln!\n}\n".to_owned(),
    };
    assert_eq!(places([&dirty], &["println!"]), ["crates/x/src/lib.rs:3: println!"]);
}

#[test]
fn a_file_fits_in_a_head_and_says_what_it_is() {
    let mut found = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > 400 {
            found.push(format!("{}: {lines} lines", file.path));
        }
        if !file.text.starts_with("//! ") {
            found.push(format!("{}: no //! line", file.path));
        }
    }
    assert_none(&found, "Split it by ideas, at most 400 lines each; the first line says which.");
}

#[test]
fn the_core_knows_nothing_of_the_outside_world() {
    let sources = sources();
    let core = sources.iter().filter(|it| it.is_in("switchback-core") && !it.is_test());
    let words = [
        "bollard",
        "reqwest",
        "rusqlite",
        "indicatif",
        "russh",
        "aws_",
        "console::",
        "println!",
        "print!",
        "eprintln!",
        "std::fs",
        "fs_err",
        "std::net",
        "std::process",
        "std::env",
        "tokio::fs",
        "tokio::net",
        "tokio::process",
        "tokio::time",
        "SystemTime",
        "Instant::now",
    ];
    let remedy =
        "The core decides. Hand it a value, or do this behind Driver, Journal, Clock or Lease.";
    assert_none(&places(core, &words), remedy);
}

#[test]
fn the_core_depends_on_next_to_nothing() {
    let files = files();
    let manifest = files.iter().find(|it| it.path == "crates/switchback-core/Cargo.toml");
    let text = &manifest.expect("the core has a manifest").text;
    let (_, dependencies) = text.split_once("[dependencies]").expect("it has dependencies");
    let lines = dependencies.lines().skip(1).take_while(|it| !it.starts_with('['));
    let names = lines.filter_map(|it| it.split(['.', ' ', '=']).next()).filter(|it| !it.is_empty());
    let known = ["serde", "serde_json", "thiserror", "tokio"];
    let found: Vec<_> = names.filter(|it| !known.contains(it)).map(str::to_owned).collect();
    assert_none(&found, "The core needs no more than these four. Put the rest into another crate.");
}

#[test]
fn only_the_targets_speak_with_an_engine() {
    let sources = sources();
    let others = sources.iter().filter(|it| !it.is_in("switchback-targets") && !it.is_test());
    assert_none(&places(others, &["bollard"]), "Ask switchback-targets for it.");
}

#[test]
fn only_the_command_prints() {
    let sources = sources();
    let others = sources.iter().filter(|it| {
        !it.is_in("switchback")
            && !it.is_in("switchback-keeper")
            && !it.is_test()
            && !it.path.ends_with("/build.rs")
    });
    let words = [
        "println!",
        "print!",
        "eprintln!",
        "eprint!",
        "io::stdout",
        "io::stderr",
        "stdout()",
        "stderr()",
    ];
    assert_none(&places(others, &words), "Send an event, or return a value. Displays print.");
}

#[test]
fn only_main_chooses_exit_codes() {
    let sources = sources();
    let mains = ["crates/switchback/src/main.rs", "crates/switchback-keeper/src/main.rs"];
    let others = || sources.iter().filter(|it| !mains.contains(&it.path.as_str()) && !it.is_test());
    let remedy = "Return an outcome or an error; main.rs maps it.";
    assert_none(&places(others(), &["process::exit(", "process::abort("]), remedy);
    // The table of the codes turns them into what the system takes, and ends nothing.
    let table = "crates/switchback/src/exit_code.rs";
    let others = others().filter(|it| it.path != table);
    assert_none(&places(others, &["process::ExitCode"]), remedy);
}

#[test]
fn only_the_engine_loop_acts() {
    let sources = sources();
    let calls = [
        ".apply(&",
        ".undo(&",
        "driver.apply(",
        "driver.undo(",
        "driver().apply(",
        "driver().undo(",
        "Driver::apply(",
        "Driver::undo(",
        "Driver>::apply(",
        "Driver>::undo(",
    ];
    let engine = "crates/switchback-core/src/engine.rs";
    let others = sources.iter().filter(|it| it.path != engine && !it.is_test());
    let remedy = "A driver acts only after a durable record: make it a step of a plan.";
    assert_none(&places(others, &calls), remedy);
    let engine = sources.iter().filter(|it| it.path == engine);
    assert!(places(engine, &calls).len() >= 3, "this test no longer knows what a call looks like");
}

#[test]
fn nothing_is_left_for_later() {
    let sources = sources();
    let words = ["#[ignore", "todo!", "unimplemented!", "dbg!"];
    let others = sources.iter().filter(|it| it.path != "crates/switchback/tests/tidy.rs");
    assert_none(&places(others, &words), "Finish it, or leave it out and say so in the documents.");
}

#[test]
fn every_exception_has_its_reason() {
    let mut found = Vec::new();
    for file in sources() {
        let lines: Vec<_> = file.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let attribute = line.trim_start();
            if !["#[allow(", "#![allow(", "#[expect(", "#![expect("]
                .iter()
                .any(|it| attribute.starts_with(it))
            {
                continue;
            }
            let until = lines[at..].iter().position(|it| it.contains(")]")).unwrap_or(0);
            let whole = lines[at..=at + until].join(" ");
            if !whole.contains("reason =") && !whole.contains(")] // ") {
                found.push(format!("{}:{}: {attribute}", file.path, at + 1));
            }
        }
    }
    assert_none(&found, "Say why with `reason = \"…\"`.");
}

#[test]
fn no_path_of_somebodys_machine_is_in_the_tree() {
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/")];
    // Where the programs in a container keep what nobody would miss.
    let known = concat!("\"/ro", "ot/.cache\"");
    let mut found = Vec::new();
    for file in files() {
        for (at, line) in file.text.lines().enumerate() {
            let line = line.replace(known, "");
            // The same letters inside a longer path are somebody else's words.
            let is_path = |path: &&&str| {
                line.match_indices(**path).any(|(at, _)| {
                    !line[..at].ends_with(|it: char| it.is_alphanumeric() || "._-}".contains(it))
                })
            };
            if let Some(path) = paths.iter().find(is_path) {
                found.push(format!("{}:{}: {path}", file.path, at + 1));
            }
        }
    }
    assert_none(&found, "Take the path from the environment, or make a temporary folder.");
}

#[test]
fn nothing_tells_how_the_work_was_organised() {
    let own = "crates/switchback/tests/tidy.rs";
    let words = [
        "helper session",
        "subagent",
        "sub-agent",
        "worktree of",
        "seed a",
        "seed b",
        "seed c",
        "the seeds",
        "brief.md",
        "style.md",
        "requirements.md",
        "traps-docker",
        "traps-updates",
        "rollout-vocabulary",
        "shared/design",
        "shared/sketch",
        "as an ai",
        "language model",
    ];
    let mut found = Vec::new();
    let sources = sources();
    for file in documents().iter().chain(&sources).filter(|it| it.path != own) {
        for (at, line) in file.text.lines().enumerate() {
            let line = line.to_lowercase();
            let word = words.iter().find(|it| holds_word(&line, it)).copied();
            if let Some(word) = word.or_else(|| numbers_an_issue(&line).then_some("issue N")) {
                found.push(format!("{}:{}: {word}", file.path, at + 1));
            }
        }
    }
    assert_none(&found, "Say the reason itself; nobody who reads this has seen that.");
}

/// Whether `word` stands in the line as whole words.
fn holds_word(line: &str, word: &str) -> bool {
    let is_name = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !is_name(before.chars().next_back()) && !is_name(after.chars().next())
    })
}

/// `issue 3`, `issue #3`: a number that only one workplace knows. A link tells its own place.
fn numbers_an_issue(line: &str) -> bool {
    let mut rests = line.match_indices("issue ").map(|(at, it)| &line[at + it.len()..]);
    rests.any(|it| it.trim_start_matches('#').starts_with(|it: char| it.is_ascii_digit()))
}

#[test]
fn the_words_are_told_apart() {
    assert!(holds_word("as seed a asks", "seed a") && !holds_word("the seed and", "seed a"));
    assert!(numbers_an_issue("see issue 3") && !numbers_an_issue("open an issue with"));
    assert!(holds("x.apply(y)", ".apply(") && !holds("eprintln!()", "println!"));
}

//! Every command of ours that a message tells people to type is one that the command line takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{CommandFactory as _, Parser as _};
use switchback::cli::Cli;

/// The sources that speak with people, without their tests.
fn sources() -> Vec<(PathBuf, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates").to_owned();
    let mut folders = ["switchback", "switchback-targets", "switchback-core"]
        .map(|it| crates.join(it).join("src"))
        .to_vec();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !name.contains("tests") {
                let text = fs::read_to_string(&path).expect("a source");
                let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                found.push((path, spoken(text)));
            }
        }
    }
    found
}

/// The text without its comments, and with the lines of a literal joined.
fn spoken(text: &str) -> String {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let lines: Vec<&str> = text.lines().filter(|it| !is_comment(it)).collect();
    let mut joined = String::new();
    for line in lines {
        match joined.strip_suffix("\\\n") {
            Some(before) => joined = before.to_owned() + line.trim_start(),
            None => joined.push_str(line),
        }
        joined.push('\n');
    }
    // A quotation mark within a literal does not end it.
    joined.replace("\\\"", "~")
}

/// What ends a command within a sentence.
const ENDS: [&str; 9] = ["\"", "\\n", "  ", ";", "`", ")", ", ", " (", "\n"];

/// The commands of ours in a text, with a word in place of each value.
fn commands(text: &str) -> Vec<String> {
    let command = Cli::command();
    let verbs: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let mut found = Vec::new();
    for (at, _) in text.match_indices("switchback ") {
        let rest = &text[at..];
        let verb = rest["switchback ".len()..].split(|it: char| !it.is_alphabetic()).next();
        if !verb.is_some_and(|it| verbs.contains(&it)) {
            continue;
        }
        let end = ENDS.iter().filter_map(|it| rest.find(it)).min().unwrap_or(rest.len());
        found.push(with_values(&rest[..end]));
    }
    found
}

/// `{name}` is any word.
fn with_values(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}').unwrap_or_default();
        whole = whole + before + "r1";
        rest = after;
    }
    whole + rest
}

#[test]
fn every_command_in_a_message_is_taken_by_the_command_line() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, text) in sources() {
        for command in commands(&text) {
            count += 1;
            let words = shell_words::split(&command);
            let taken = words.map_err(|it| it.to_string()).and_then(|words| {
                let parsed = Cli::try_parse_from(words);
                // Help is what was asked for.
                let is_help = |it: &clap::Error| !it.use_stderr();
                parsed
                    .map(drop)
                    .or_else(|it| if is_help(&it) { Ok(()) } else { Err(it.to_string()) })
            });
            if let Err(problem) = taken {
                wrong.push(format!("{}: {command}\n{problem}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 60, "this test no longer finds the commands: {count}");
}

/// What stands behind a command is a comment of the shell, so that the whole line can be pasted.
#[test]
fn what_is_said_of_a_command_does_not_keep_it_from_being_pasted() {
    for (path, text) in sources() {
        for (at, _) in text.match_indices("   (") {
            let line = text[..at].rsplit('\n').next().unwrap_or_default();
            let is_command = ["switchback ", "docker ", "systemctl "].iter().any(|it| {
                line.trim_start().trim_start_matches(".hint(").contains(&format!("\"{it}"))
            });
            assert!(!is_command, "{}: {line}   (…) cannot be pasted", path.display());
        }
    }
}

#[test]
fn a_command_that_is_not_taken_is_found() {
    let found = commands("hint(\"switchback shwo web\") or `switchback update {name} --too`;");
    assert_eq!(found, ["switchback update r1 --too"]);
    assert!(Cli::try_parse_from(shell_words::split(&found[0]).unwrap()).is_err());
}

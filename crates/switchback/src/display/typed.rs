//! Commands to type next, with the flags that say which configuration and which store were meant: without
//! them the same words would be about others.

use std::{borrow::Cow, sync::OnceLock};

use clap::CommandFactory as _;
use serde_json::Value;

use crate::cli::{Cli, Global};

/// The flags of this process.
static FLAGS: OnceLock<String> = OnceLock::new();

/// Remembers the flags. What a variable of the environment says holds for the next command too.
pub(crate) fn remember(global: &Global) {
    let mut words = Vec::new();
    for (flag, value, variable) in [
        ("--config", &global.config, "SWITCHBACK_CONFIG"),
        ("--state", &global.state, "SWITCHBACK_STATE"),
    ] {
        let is_inherited =
            value.as_ref().map(|it| it.as_os_str()) == std::env::var_os(variable).as_deref();
        if let Some(value) = value.as_ref().filter(|_| !is_inherited) {
            words.extend([flag.to_owned(), value.to_string_lossy().into_owned()]);
        }
    }
    let _earlier = FLAGS.set(shell_words::join(words));
}

/// A text with the flags of this process in each command of ours.
pub(crate) fn as_typed(text: &str) -> String {
    match FLAGS.get().filter(|it| !it.is_empty()) {
        Some(flags) => with_flags(text, flags),
        None => text.to_owned(),
    }
}

/// A document with the flags of this process in each hint.
pub(crate) fn in_document(document: &Value) -> Cow<'_, Value> {
    match FLAGS.get().filter(|it| !it.is_empty()) {
        Some(_) => Cow::Owned(in_facts(document)),
        None => Cow::Borrowed(document),
    }
}

fn in_facts(document: &Value) -> Value {
    match document {
        Value::Object(facts) => {
            let fact = |(key, fact): (&String, &Value)| match fact.as_str() {
                Some(text) if key == "hint" => (key.clone(), Value::from(as_typed(text))),
                _ => (key.clone(), in_facts(fact)),
            };
            Value::Object(facts.iter().map(fact).collect())
        }
        Value::Array(items) => items.iter().map(in_facts).collect(),
        other => other.clone(),
    }
}

fn with_flags(text: &str, flags: &str) -> String {
    const PROGRAM: &str = "switchback ";
    let command = Cli::command();
    let is_verb = |word: &str| command.get_subcommands().any(|it| it.get_name() == word);
    let mut whole = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(PROGRAM) {
        let (before, after) = rest.split_at(at + PROGRAM.len());
        whole.push_str(before);
        // One that names its file already is not followed by a verb.
        if is_verb(after.split(|it: char| !it.is_ascii_lowercase()).next().unwrap_or_default()) {
            whole.push_str(flags);
            whole.push(' ');
        }
        rest = after;
    }
    whole + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_about_the_same_files_again() {
        let flags = "--config '/my files/x.toml'";
        assert_eq!(
            with_flags("switchback recover web   # or keep it: switchback recover web -y", flags),
            "switchback --config '/my files/x.toml' recover web   \
             # or keep it: switchback --config '/my files/x.toml' recover web -y"
        );
        for same in ["switchback --config a config set b c", "docker ps", "switchback is not here"]
        {
            assert_eq!(with_flags(same, flags), same);
        }
    }
}

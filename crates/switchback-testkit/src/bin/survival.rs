//! Makes the table of what survives what from the lines that sweeps have written.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, Write as _},
    process::ExitCode,
};

use serde_json::Value;

/// The order in which an operation goes through its phases.
const PHASES: [&str; 7] =
    ["planning", "staging", "switching", "verifying", "sealing", "retiring", "rolling_back"];

/// How often something was seen, by its word.
type Counts = BTreeMap<String, usize>;

/// What was seen in one phase.
#[derive(Default)]
struct Seen {
    cases: usize,
    meanwhile: Counts,
    after: Counts,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "survival: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn run() -> std::io::Result<()> {
    let mut table: BTreeMap<(String, String, usize), Seen> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let word = |key: &str| case[key].as_str().unwrap_or("unknown").to_owned();
        let phase = PHASES.iter().position(|it| *it == word("phase")).unwrap_or(PHASES.len());
        let seen = table.entry((word("event"), word("by"), phase)).or_default();
        seen.cases += 1;
        *seen.meanwhile.entry(word("meanwhile")).or_default() += 1;
        *seen.after.entry(word("after")).or_default() += 1;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "| event | in phase | cases | serves at once | recovered by | serves then |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
    for ((event, by, phase), seen) in table {
        let phase = PHASES.get(phase).unwrap_or(&"unknown");
        let (meanwhile, after) = (text(&seen.meanwhile), text(&seen.after));
        writeln!(out, "| {event} | {phase} | {} | {meanwhile} | {by} | {after} |", seen.cases)?;
    }
    Ok(())
}

/// `old 12, nobody 3`, the most frequent first.
fn text(counts: &Counts) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let words: Vec<String> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    words.join(", ")
}

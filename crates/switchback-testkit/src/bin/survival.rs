//! Makes the table of what survives what from the lines that sweeps have written.
//!
//! `survival PAGE` reads those lines from its input, and prints the table. An event that was swept
//! again has only what was seen now; one that was not keeps the rows that it has in PAGE.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, Write as _},
    process::ExitCode,
};

use serde_json::Value;

/// The order in which an operation goes through its phases.
const PHASES: [&str; 7] =
    ["planning", "staging", "switching", "verifying", "sealing", "retiring", "rolling_back"];

/// How often something was seen, by its word.
type Counts = BTreeMap<String, usize>;

/// What a row is about: the event, who recovered, and the place of its phase in [`PHASES`]. Rows
/// stand in this order.
type About = (String, String, usize);

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
    let page = std::env::args().nth(1).map(std::fs::read_to_string).transpose()?;
    let rows = table(std::io::stdin().lock(), page.as_deref().unwrap_or_default())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "| event | in phase | cases | serves at once | recovered by | serves then |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
    rows.into_values().try_for_each(|row| writeln!(out, "{row}"))
}

/// All rows: of the events in `lines` what was seen, of the others what `page` says.
fn table(lines: impl BufRead, page: &str) -> std::io::Result<BTreeMap<About, String>> {
    let seen = seen(lines)?;
    let again: BTreeSet<&str> = seen.keys().map(|(event, ..)| event.as_str()).collect();
    let kept = page.lines().filter_map(|row| Some((about(row)?, row.to_owned())));
    let mut rows: BTreeMap<_, _> =
        kept.filter(|((event, ..), _)| !again.contains(event.as_str())).collect();
    rows.extend(seen.iter().map(|(about, seen)| (about.clone(), row(about, seen))));
    Ok(rows)
}

fn seen(lines: impl BufRead) -> std::io::Result<BTreeMap<About, Seen>> {
    let mut table: BTreeMap<About, Seen> = BTreeMap::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let word = |key: &str| case[key].as_str().unwrap_or("unknown").to_owned();
        let seen = table.entry((word("event"), word("by"), place(&word("phase")))).or_default();
        seen.cases += 1;
        *seen.meanwhile.entry(word("meanwhile")).or_default() += 1;
        *seen.after.entry(word("after")).or_default() += 1;
    }
    Ok(table)
}

fn place(phase: &str) -> usize {
    PHASES.iter().position(|it| *it == phase).unwrap_or(PHASES.len())
}

/// What a row of a page is about; nothing of a row of another table.
fn about(row: &str) -> Option<About> {
    let cells: Vec<&str> = row.strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
    let [event, phase, cases, _, by, _] = cells[..] else { return None };
    cases.trim().parse::<usize>().ok()?;
    Some((event.trim().to_owned(), by.trim().to_owned(), place(phase.trim())))
}

fn row((event, by, phase): &About, seen: &Seen) -> String {
    let phase = PHASES.get(*phase).unwrap_or(&"unknown");
    let (meanwhile, after) = (text(&seen.meanwhile), text(&seen.after));
    format!("| {event} | {phase} | {} | {meanwhile} | {by} | {after} |", seen.cases)
}

/// `old 12, nobody 3`, the most frequent first.
fn text(counts: &Counts) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let words: Vec<String> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn an_event_that_was_swept_again_has_only_what_was_seen_now_and_the_others_keep_their_rows() {
        let page = "\
| event | how | again by |
| SIGKILL | by a proxy | `scripts/sweep requests` |
| event | in phase | cases | serves at once | recovered by | serves then |
| --- | --- | --- | --- | --- | --- |
| SIGKILL | staging | 9 | old 9 | the same store | old 9 |
| SIGKILL | switching | 9 | nobody 9 | the same store | old 9 |
| a prune | staging | 4 | old 4 | itself | old 4 |
";
        let lines = "\
{\"event\":\"SIGKILL\",\"phase\":\"switching\",\"by\":\"the same store\",\"meanwhile\":\"nobody\",\"after\":\"old\"}
{\"event\":\"SIGKILL\",\"phase\":\"switching\",\"by\":\"the same store\",\"meanwhile\":\"new\",\"after\":\"old\"}
{\"event\":\"SIGKILL\",\"phase\":\"switching\",\"by\":\"the same store\",\"meanwhile\":\"nobody\",\"after\":\"old\"}
";
        let rows: Vec<String> = table(lines.as_bytes(), page).unwrap().into_values().collect();
        assert_eq!(
            rows,
            [
                "| SIGKILL | switching | 3 | nobody 2, new 1 | the same store | old 3 |",
                "| a prune | staging | 4 | old 4 | itself | old 4 |",
            ]
        );
    }
}

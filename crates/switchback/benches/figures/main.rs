//! What is promised of speed, measured beside the floor and beside other tools in one run.
//!
//! Run by `scripts/bench`. How fast it was fails nothing: a table says what was measured and whether
//! the goal was reached. What did not do what it was measured for ends the run.

#![allow(clippy::unwrap_used, reason = "a measurement ends where it cannot go on")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for people")]

#[path = "../../tests/common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "measurements use a part of the tests' harness")]
mod common;

mod copies;
mod downtime;
mod questions;
mod status;
mod table;
mod tree;

use table::Table;

/// Enough for a median that one bad second does not move.
const RUNS: usize = 10;

const PARTS: [(&str, fn(&mut Table, usize)); 4] = [
    ("downtime", downtime::measure),
    ("questions", questions::measure),
    ("status", status::measure),
    ("copies", copies::measure),
];

fn main() {
    let mut runs = RUNS;
    let mut wanted = Vec::new();
    // cargo adds words of its own.
    let mut arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    while let Some(argument) = arguments.next() {
        if argument == "--runs" {
            runs = arguments.next().and_then(|it| it.parse().ok()).expect("--runs N");
        } else {
            wanted.push(argument);
        }
    }
    for name in &wanted {
        assert!(PARTS.iter().any(|(part, _)| part == name), "there is no part {name}");
    }
    let mut table = Table::default();
    for (name, measure) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|it| it == name) {
            eprintln!("measuring {name}, {runs} times");
            measure(&mut table, runs);
        }
    }
    table.print();
}

//! How much of a sweep is tried.

use std::io::Write as _;

/// Whether every place is tried, and not only some of them: `SWITCHBACK_SWEEP=full` in the environment.
pub(crate) fn is_full() -> bool {
    std::env::var("SWITCHBACK_SWEEP").is_ok_and(|it| it == "full")
}

/// Fails unless three of four places were reached. How many there are depends on how often a command
/// has to look, so that the last ones may not come in each run.
#[track_caller]
pub(crate) fn assert_most_were_reached(wanted: &[usize], reached: &[usize]) {
    let missed: Vec<usize> = wanted.iter().filter(|it| !reached.contains(it)).copied().collect();
    let (count, all) = (missed.len(), wanted.len());
    assert!(count * 4 <= all, "{count} of {all} places were missed: {missed:?}");
    tell_missed(&missed);
}

/// A full sweep that has passed says which places it has not come to. Not by `eprintln`, which is kept
/// from who runs a test that passes.
pub(crate) fn tell_missed(missed: &[usize]) {
    if is_full() && !missed.is_empty() {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("a sweep");
        writeln!(std::io::stderr(), "{name}: places that were missed: {missed:?}").ok();
    }
}

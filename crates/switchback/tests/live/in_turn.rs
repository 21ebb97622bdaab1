//! One kill after another at places that are counted, on as many worlds as there are workers; whatever
//! each has left is brought to an end.
//!
//! Some of the places are tried; with `SWITCHBACK_SWEEP=full` in the environment, each one, and then
//! another store recovers a third of them.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::{
    consistent::{Judge, Standing},
    rule::Must,
    scenario::Scenario,
};
use crate::common::{
    World,
    process::Output,
    survival::Case,
    sweep::{is_full, tell_missed},
};

/// So many failures are enough to read.
const ENOUGH: usize = 10;

/// Of two cores; these tests wait more than they work.
const WORKERS: usize = 3;

/// How a command ended that was to be killed.
pub(super) enum Ended {
    /// It was killed, and what it did was committed nevertheless, or not; and whether it had to be.
    Killed { committed: bool, had_to: bool },
    /// It had ended before it came to the place.
    ByItself,
}

/// What was killed in a sweep that has found nothing wrong.
pub(super) struct Swept {
    pub(super) killed: usize,
    /// The places before the last kill to which a command did not come, in their order.
    pub(super) missed: Vec<usize>,
    /// Whether any of them had to be committed.
    pub(super) had_to_commit: bool,
}

/// Whether another store recovers what is left at the n-th of the places. It waits half a minute for
/// the lease to expire, so that it is one or two of a short sweep, every `seldom`-th.
fn is_recovered_by_another(place: usize, seldom: usize) -> bool {
    if is_full() { place % 3 == 2 } else { place % seldom == seldom / 2 }
}

fn fails<T>(why: String) -> T {
    panic!("{why}")
}

/// What was killed, before anybody takes it up, and how it has to end.
pub(super) struct Left<'a> {
    pub(super) world: &'a World,
    pub(super) scenario: Scenario,
    pub(super) before: &'a Standing,
    pub(super) output: &'a Output,
    /// As the table of what survives what names it.
    pub(super) event: &'static str,
}

impl Left<'_> {
    /// Has it recovered, and judges what became of it.
    pub(super) fn is_brought_to_an_end(&self, by_another: bool, said: &mut String) -> Ended {
        let Self { world, scenario, before, output, event } = *self;
        let mut judge = Judge::called(world, scenario, before, output.code).unwrap_or_else(fails);
        writeln!(said, "left: {:?}", judge.left).ok();
        let was_killed = output.code.is_none();
        let mut case = None;
        if was_killed {
            case = Some(Case::seen(world, event, scenario.from(), scenario.to));
            judge.has_it_recovered(by_another, said);
        } else {
            assert_eq!(output.code, Some(scenario.code), "{output}");
        }
        let committed = judge.judges().unwrap_or_else(fails);
        let Some(case) = case else { return Ended::ByItself };
        let by = if by_another { "another store" } else { "the same store" };
        case.ended(&world.serving(), scenario.from(), scenario.to, by);
        Ended::Killed { committed, had_to: judge.left.must == Must::Commit }
    }
}

/// Tries every `step`-th place from the first on, until a command ends before it comes to one. Fails
/// if anything was wrong. `one` gets the place, and whether another store is to recover it.
pub(super) fn sweep<P>(
    (first, step, seldom): (usize, usize, usize),
    prepare: impl Fn() -> P + Sync,
    one: impl Fn(&P, usize, bool, &mut String) -> Ended + Sync,
) -> Swept {
    let (next, over) = (AtomicUsize::new(first), AtomicBool::new(false));
    let (failures, tried) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let note = |at: usize, was_killed: bool| {
        tried.lock().expect("no panic here").push((at, was_killed));
    };
    let had_to_commit = AtomicBool::new(false);
    let work = || {
        let mut prepared = None;
        while !over.load(Ordering::SeqCst) {
            let at = next.fetch_add(step, Ordering::SeqCst);
            let by_another = is_recovered_by_another((at - first) / step, seldom);
            let mut said = String::new();
            let ended = catch_unwind(AssertUnwindSafe(|| {
                let prepared = prepared.get_or_insert_with(&prepare);
                one(prepared, at, by_another, &mut said)
            }));
            match ended {
                Ok(Ended::Killed { committed, had_to }) => {
                    note(at, true);
                    had_to_commit.fetch_or(had_to, Ordering::SeqCst);
                    prepared = prepared.filter(|_| !committed && !by_another);
                }
                Ok(Ended::ByItself) => {
                    note(at, false);
                    over.store(true, Ordering::SeqCst);
                }
                Err(panic) => {
                    let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                    let mut failures = failures.lock().expect("no panic here");
                    failures.push(format!("{said}{why}"));
                    // Where everything fails no run ends by itself.
                    over.fetch_or(failures.len() >= ENOUGH, Ordering::SeqCst);
                    prepared = None;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().expect("no panic here");
    let (count, failures) = (failures.len(), failures.join("\n\n=====\n\n"));
    assert!(failures.is_empty(), "{count} failed:\n\n{failures}");
    let (killed, missed) = told_apart(tried.into_inner().expect("no panic here"));
    tell_missed(&missed);
    Swept { killed, missed, had_to_commit: had_to_commit.into_inner() }
}

/// How many of the places were those of a kill, and which of the others lie before the last of these.
fn told_apart(mut tried: Vec<(usize, bool)>) -> (usize, Vec<usize>) {
    tried.sort_unstable();
    let killed = tried.iter().filter(|(_, was_killed)| *was_killed).count();
    let last = tried.iter().rposition(|(_, was_killed)| *was_killed).unwrap_or_default();
    let missed = tried[..last].iter().filter(|(_, was_killed)| !was_killed);
    (killed, missed.map(|(at, _)| *at).collect())
}

#[test]
fn a_place_is_missed_where_a_later_one_was_reached() {
    let tried = vec![(9, false), (5, true), (3, false), (1, true), (7, false)];
    assert_eq!(told_apart(tried), (2, vec![3]));
    assert_eq!(told_apart(vec![(1, false)]), (0, vec![]));
    assert_eq!(told_apart(Vec::new()), (0, vec![]));
}

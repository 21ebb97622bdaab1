//! The program is killed at random moments, and whatever it left is brought to an end: in a third of
//! the cases by another store.
//!
//! 50 kills; `SWITCHBACK_KILLS` says how many, `SWITCHBACK_SEED` repeats the moments of another run.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    consistent::{Judge, Standing},
    scenario::{FAILING, ROLLBACK, Scenario, UPDATE},
};
use crate::common::{World, process::Running, survival::Case};

/// Of each command. Whoever waits for the lease of a killed program to expire does nothing else for
/// half a minute, so that there are more of them than processors.
const WORKERS: usize = 3;

/// The part of a command that is taken for its planning: less than the half of the kills that fell
/// into it when they were drawn over the whole time. It is not measured in each run.
const PLANNING: f64 = 0.3;

/// By how much the measured time is corrected once a command has ended before it was to be killed, or has
/// not: machines are busier at one time than at another. With these one in twelve ends too early.
const SHORTER: f64 = 0.9;
const LONGER: f64 = 1.01;

pub(super) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|it| it.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// A number between 0 and 1 for each run of a seed: one step of `SplitMix64` (Steele et al., 2014).
pub(super) fn fraction(seed: u64, run: usize) -> f64 {
    let mut mixed = seed.wrapping_add((run as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).expect("32 bits")) / f64::from(u32::MAX)
}

/// How long the command takes when nobody kills it.
fn calibrated(scenario: Scenario) -> Duration {
    let world = scenario.world();
    let begun = Instant::now();
    let output = world.run(scenario.arguments);
    assert_eq!(output.code, Some(scenario.code), "{output}");
    begun.elapsed()
}

/// What became of one run.
struct Tried {
    /// Whether the command was killed, and had not ended by itself.
    was_killed: bool,
    committed: bool,
}

/// One kill and its recovery.
fn one(world: &World, scenario: Scenario, after: Duration, by: &str, said: &mut String) -> Tried {
    let (was, to) = (scenario.from(), scenario.to);
    let before = Standing::of(world);
    let command = world.command("state", world.lab.engine_url(), scenario.arguments);
    let running = Running::spawn(command);
    std::thread::sleep(after);
    running.signal(Signal::KILL);
    let output = running.wait();
    write!(said, "after {after:?}, recovered by {by}\n{output}\n").ok();
    let judge = Judge::called(world, scenario, &before, output.code);
    let mut judge = judge.unwrap_or_else(|it| panic!("{it}"));
    writeln!(said, "left: {:?}", judge.left).ok();
    let case = Case::seen(world, "SIGKILL at a random moment", was, to);
    judge.has_it_recovered(by == "other", said);
    let committed = judge.judges().unwrap_or_else(|it| panic!("{it}"));
    let by = if by == "other" { "another store" } else { "the same store" };
    // A command that had ended by then was not killed.
    let was_killed = output.code.is_none();
    if was_killed {
        case.ended(&world.serving(), was, to, by);
    }
    Tried { was_killed, committed }
}

fn kill(scenario: Scenario, runs: usize, seed: u64) {
    let cycle = Mutex::new(calibrated(scenario));
    let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Some end before they are killed, and are tried again at another moment; a bound, so that it ends.
    let runs_max = runs * 2 + 5;
    let failures = Mutex::new(Vec::new());
    let work = || {
        let mut world: Option<World> = None;
        loop {
            let run = next.fetch_add(1, Ordering::SeqCst);
            if killed.load(Ordering::SeqCst) >= runs || run >= runs_max {
                return;
            }
            // A little longer than the cycle, so that its last instants are tried too. A tenth of the
            // moments are anywhere; the others are after the planning.
            let drawn = fraction(seed, run) * 1.05;
            let share =
                if run % 10 == 9 { drawn } else { PLANNING + (1.05 - PLANNING) * drawn / 1.05 };
            let after = cycle.lock().expect("no panic here").mul_f64(share);
            let by = if run % 3 == 2 { "other" } else { "state" };
            let mut said = format!("run {run} of seed {seed}\n");
            let tried = catch_unwind(AssertUnwindSafe(|| {
                let world = world.get_or_insert_with(|| scenario.world());
                one(world, scenario, after, by, &mut said)
            }));
            if let Err(panic) = &tried {
                let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                failures.lock().expect("no panic here").push(format!("{said}{why}"));
            }
            // What one store has taken over is another's from then on.
            let can_go_on = matches!(&tried, Ok(it) if !it.committed) && by != "other";
            if let Ok(tried) = &tried {
                let mut cycle = cycle.lock().expect("no panic here");
                *cycle = cycle.mul_f64(if tried.was_killed { LONGER } else { SHORTER });
                killed.fetch_add(usize::from(tried.was_killed), Ordering::SeqCst);
            }
            if !can_go_on {
                world = None;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(runs) {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().expect("no panic here");
    let count = failures.len();
    assert!(failures.is_empty(), "{count} failed:\n\n{}", failures.join("\n\n=====\n\n"));
    let killed = killed.into_inner();
    assert!(killed >= runs, "only {killed} of {runs} were killed in {runs_max} runs");
}

#[test]
fn whoever_is_killed_at_a_random_moment_leaves_one_version_that_serves() {
    let runs = usize::try_from(number("SWITCHBACK_KILLS").unwrap_or(50)).expect("fewer");
    let seed = number("SWITCHBACK_SEED").unwrap_or_else(|| getrandom::u64().unwrap_or(1));
    // An update is what people do all day; the other two are rarer and harder.
    let shares = [(UPDATE, 2), (FAILING, 1), (ROLLBACK, 1)];
    std::thread::scope(|scope| {
        for (scenario, share) in shares {
            scope.spawn(move || kill(scenario, (runs * share).div_ceil(4), seed));
        }
    });
}

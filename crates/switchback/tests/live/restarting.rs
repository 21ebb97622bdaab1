//! The engine is killed, or its whole machine restarted, in the middle of an update, of one that fails,
//! and of a rollback.
//!
//! Every fourteenth request of an update is tried, and two of the others; with
//! `SWITCHBACK_SWEEP=full` in the environment, each one, and every fourth let through first.

use super::{
    scenario::{FAILING, ROLLBACK, Scenario, UPDATE},
    together::Sweep,
};
use crate::common::{proxy::Moment, spare::Machine};

/// How far those are apart in a full sweep that are let through: the engine is at work on each then.
const LET_THROUGH: usize = 4;

fn at(
    (moment, full_step): (Moment, usize),
    scenario: Scenario,
    places: (usize, usize),
    kills: bool,
    (name, event): (&'static str, fn(&Machine)),
) {
    // An engine that was killed brings nothing back that has `unless-stopped` (seen on 20.10).
    let (policy, prunes) = ("always", false);
    Sweep { scenario, places, full_step, moment, kills, name, event, policy, prunes }.run();
}

fn sweep(
    scenario: Scenario,
    places: (usize, usize),
    kills: bool,
    event: (&'static str, fn(&Machine)),
) {
    at((Moment::HeldBack, 1), scenario, places, kills, event);
}

const ENGINE: (&str, fn(&Machine)) = ("the engine is killed", Machine::kill_engine);

const BOTH: (&str, fn(&Machine)) = ("SIGKILL, and the engine is killed", Machine::kill_engine);

const MACHINE: (&str, fn(&Machine)) = ("the machine restarts", Machine::restart_machine);

#[test]
fn an_update_whose_engine_is_killed_ends_well_or_is_brought_to_an_end() {
    sweep(UPDATE, (3, 14), false, ENGINE);
}

#[test]
fn an_update_whose_engine_is_killed_at_work_ends_well_or_is_brought_to_an_end() {
    at((Moment::LetThrough, LET_THROUGH), UPDATE, (40, 45), false, ENGINE);
}

#[test]
fn a_failing_update_whose_engine_is_killed_goes_back_with_its_data() {
    sweep(FAILING, (50, 60), false, ENGINE);
}

#[test]
fn a_rollback_whose_engine_is_killed_ends_well_or_is_brought_to_an_end() {
    sweep(ROLLBACK, (50, 60), false, ENGINE);
}

#[test]
fn an_update_that_is_killed_with_its_engine_is_brought_to_an_end() {
    sweep(UPDATE, (7, 14), true, BOTH);
}

#[test]
fn an_update_whose_machine_restarts_is_brought_to_an_end() {
    sweep(UPDATE, (11, 14), true, MACHINE);
}

#[test]
fn a_failing_update_whose_machine_restarts_goes_back_with_its_data() {
    sweep(FAILING, (60, 45), true, MACHINE);
}

#[test]
fn a_rollback_whose_machine_restarts_is_brought_to_an_end() {
    sweep(ROLLBACK, (60, 45), true, MACHINE);
}

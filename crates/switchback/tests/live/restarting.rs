//! The engine is killed, or its whole machine restarted, in the middle of an update, of one that fails,
//! and of a rollback.
//!
//! Every fourteenth request of an update is tried, and two of the others; with
//! `SWITCHBACK_SWEEP=full` in the environment, the first after each record, and every tenth.

use super::{
    scenario::{FAILING, ROLLBACK, Scenario, UPDATE},
    together::Sweep,
};
use crate::common::{gathering::Kills, proxy::Moment, spare::Machine};

fn at(
    moment: Moment,
    scenario: Scenario,
    places: (usize, usize),
    kills: Kills,
    (name, event): (&'static str, fn(&Machine)),
) {
    // An engine that was killed brings nothing back that has `unless-stopped` (seen on 20.10).
    let (policy, prunes) = ("always", false);
    Sweep { scenario, places, moment, kills, name, event, policy, prunes }.run();
}

fn sweep(
    scenario: Scenario,
    places: (usize, usize),
    kills: Kills,
    event: (&'static str, fn(&Machine)),
) {
    at(Moment::HeldBack, scenario, places, kills, event);
}

const ENGINE: (&str, fn(&Machine)) = ("the engine is killed", Machine::kill_engine);

const BOTH: (&str, fn(&Machine)) = ("SIGKILL, and the engine is killed", Machine::kill_engine);

const MACHINE: (&str, fn(&Machine)) = ("the machine restarts", Machine::restart_machine);

#[test]
fn an_update_whose_engine_is_killed_ends_well_or_is_brought_to_an_end() {
    sweep(UPDATE, (3, 14), Kills::Never, ENGINE);
}

#[test]
fn an_update_whose_engine_is_killed_at_work_ends_well_or_is_brought_to_an_end() {
    at(Moment::LetThrough, UPDATE, (40, 45), Kills::Never, ENGINE);
}

#[test]
fn a_failing_update_whose_engine_is_killed_goes_back_with_its_data() {
    sweep(FAILING, (50, 60), Kills::Never, ENGINE);
}

#[test]
fn a_rollback_whose_engine_is_killed_ends_well_or_is_brought_to_an_end() {
    sweep(ROLLBACK, (50, 60), Kills::Never, ENGINE);
}

#[test]
fn an_update_that_is_killed_with_its_engine_is_brought_to_an_end() {
    sweep(UPDATE, (7, 14), Kills::After, BOTH);
}

#[test]
fn an_update_whose_machine_restarts_is_brought_to_an_end() {
    sweep(UPDATE, (11, 14), Kills::After, MACHINE);
}

#[test]
fn a_failing_update_whose_machine_restarts_goes_back_with_its_data() {
    sweep(FAILING, (60, 45), Kills::After, MACHINE);
}

#[test]
fn a_rollback_whose_machine_restarts_is_brought_to_an_end() {
    sweep(ROLLBACK, (60, 45), Kills::After, MACHINE);
}

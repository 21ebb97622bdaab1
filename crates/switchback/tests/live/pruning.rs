//! A prune of everything that does not run, in each phase of an update, of one that fails and of a
//! rollback, of what a killed program left, and between an update and its way back.
//!
//! Every eighth request of an update is tried, three or four of the others, and three or four at which it is killed; with `SWITCHBACK_SWEEP=full` in
//! the environment, the first after each record, and every tenth.

use super::{
    scenario::{FAILING, ROLLBACK, ROWS, Scenario, UPDATE},
    together::Sweep,
};
use crate::common::{
    World,
    gathering::Kills,
    proxy::Moment,
    spare::{Machine, Spare},
    sweep::is_full,
};

const POLICY: &str = "unless-stopped";

fn sweep(scenario: Scenario, places: (usize, usize)) {
    at(scenario, places, Kills::Never, "prune of all that does not run");
}

fn at(scenario: Scenario, places: (usize, usize), kills: Kills, name: &'static str) {
    let event = |it: &Machine| drop(it.prune());
    let (moment, policy, prunes) = (Moment::HeldBack, POLICY, true);
    Sweep { scenario, places, moment, kills, name, event, policy, prunes }.run();
}

#[test]
fn a_prune_in_any_phase_of_an_update_loses_no_data_and_one_version_serves() {
    sweep(UPDATE, (1, 8));
}

#[test]
fn a_prune_in_any_phase_of_a_failing_update_loses_no_data_and_the_old_one_serves() {
    sweep(FAILING, (60, 35));
}

#[test]
fn a_prune_in_any_phase_of_a_rollback_loses_no_data_and_one_version_serves() {
    sweep(ROLLBACK, (60, 35));
}

/// Nobody goes on who could make again what is taken, until the same store recovers it.
#[test]
fn a_prune_of_what_a_killed_program_left_loses_no_data_and_one_version_serves() {
    let scenarios = if is_full() { &[UPDATE, FAILING, ROLLBACK][..] } else { &[UPDATE] };
    for scenario in scenarios {
        at(*scenario, (40, 35), Kills::Before, "SIGKILL, and a prune of all that does not run");
    }
}

/// A service at 1.0.0 with rows, for which 2.0.0 is there.
fn serving(spare: &Spare) -> World {
    UPDATE.world_on(spare.url(), POLICY)
}

/// The parked container is the first that a prune takes, then its image; the registry is what is left.
#[test]
fn after_a_prune_the_way_back_is_by_the_next_rung_or_refused_before_anything_stops() {
    let spare = Spare::take();
    let worlds = [serving(&spare), serving(&spare)];
    for world in &worlds {
        world.run(UPDATE.arguments).exits(0).says("2.0.0");
        world.write_rows(2);
    }
    let pruned = spare.prune();
    assert!(pruned.contains("Deleted"), "{pruned}");

    let [back, lost] = worlds;
    assert_eq!(back.temporary_containers(), Vec::<String>::new(), "the parked one is gone");
    back.run_json(&["rollback", "web", "--with-data", "-y"]).exits(0).has("/release", "r1");
    assert_eq!(back.serving(), "1.0.0");
    assert_eq!(back.rows(), ROWS as u64, "the snapshot outlives the prune");

    let digest = lost.publish_as("gone", "1.0.0", &[]);
    lost.forget_manifest(&digest);
    let started = lost.service()["State"]["StartedAt"].clone();
    let prober = lost.prober();
    let refused = lost.run_json(&["rollback", "web", "-y"]);
    let report = prober.stop();
    assert!(matches!(refused.code, Some(1 | 3)), "{refused}");
    assert_eq!(report.lost, 0, "{report:?}\n{refused}");
    assert_eq!(lost.service()["State"]["StartedAt"], started);
    assert_eq!(lost.rows(), ROWS as u64 + 2);
}

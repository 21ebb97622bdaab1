//! A prune of everything that does not run, in each phase of an update, and between an update and its way back.
//!
//! Every eighth request is tried; with `SWITCHBACK_SWEEP=full` in the environment, each one.

use crate::common::{
    World,
    gathering::{Gathered, gathered, in_chunks, requests_of},
    spare::Spare,
    survival::Case,
};

const ROWS: usize = 5;

const UPDATE: [&str; 3] = ["update", "web", "-y"];

/// A service at 1.0.0 with rows, for which 2.0.0 is there.
fn serving(spare: &Spare) -> World {
    let world = World::on_engine(spare.url(), "prune");
    world.setting("data.policy = \"snapshot\"");
    world.gate(
        "interval = \"50ms\"\nhealthy_streak = 2\nmin_healthy_time = \"300ms\"\nhealthy_deadline = \"10s\"",
    );
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(ROWS);
    world.publish("2.0.0", &[]);
    world
}

/// One of the two versions serves, with every row, and the history says which.
fn assert_nothing_lost(world: &World, pruned: &Gathered) -> Result<(), String> {
    let mut said = format!("{:?}\n{}", pruned.at, pruned.output);
    let case =
        Case::seen_in(pruned.phase, world, "prune of all that does not run", "1.0.0", "2.0.0");
    if pruned.output.code != Some(0) {
        let recovered = world.run(&["recover", "web", "-y"]);
        said = format!("{said}\n{recovered}");
        if recovered.code != Some(0) {
            return Err(said);
        }
    }
    let history = world.history();
    let is_new = history.last().is_some_and(|it| it.contains(" committed"));
    let expected = if is_new { "2.0.0" } else { "1.0.0" };
    world.until("the service answers", || world.status("/health") == 200);
    let (serving, rows) = (world.serving(), world.rows());
    let policy = world.service()["HostConfig"]["RestartPolicy"]["Name"].clone();
    if policy != "unless-stopped"
        || serving != expected
        || rows != ROWS as u64
        || history.iter().any(|it| it.contains(" open"))
    {
        return Err(format!("{said}\n{serving} serves {rows} rows; history: {history:?}"));
    }
    if pruned.at.is_some() {
        case.ended(&serving, "1.0.0", "2.0.0", "itself, or the same store");
    }
    Ok(())
}

#[test]
fn a_prune_in_any_phase_of_an_update_loses_no_data_and_one_version_serves() {
    let spare = Spare::take();
    let total = requests_of(&serving(&spare), &UPDATE);
    let mut failures = Vec::new();
    for places in in_chunks(1, total, 8) {
        let worlds: Vec<World> = places.iter().map(|_| serving(&spare)).collect();
        let there: Vec<_> = places.iter().copied().zip(&worlds).collect();
        let machine = spare.machine();
        let ended = gathered(&there, &UPDATE, false, move || drop(machine.prune()));
        for (world, ended) in worlds.iter().zip(&ended) {
            failures.extend(assert_nothing_lost(world, ended).err());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n=====\n\n"));
}

/// The parked container is the first that a prune takes, then its image; the registry is what is left.
#[test]
fn after_a_prune_the_way_back_is_by_the_next_rung_or_refused_before_anything_stops() {
    let spare = Spare::take();
    let worlds = [serving(&spare), serving(&spare)];
    for world in &worlds {
        world.run(&UPDATE).exits(0).says("2.0.0");
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

//! The engine is killed, or its whole machine restarted, in the middle of an update.
//!
//! Every fourteenth request is tried; with `SWITCHBACK_SWEEP=full` in the environment, each one.

use crate::common::{
    World,
    gathering::{Gathered, gathered, in_chunks, requests_of},
    spare::{Machine, Spare},
    survival::Case,
};

const ROWS: usize = 5;

const UPDATE: [&str; 3] = ["update", "web", "-y"];

/// A service at 1.0.0 with rows, for which 2.0.0 is there.
fn serving(spare: &Spare) -> World {
    let world = World::on_engine(spare.url(), "restart");
    world.setting("data.policy = \"snapshot\"");
    world.gate(
        "interval = \"50ms\"\nhealthy_streak = 2\nmin_healthy_time = \"300ms\"\nhealthy_deadline = \"10s\"",
    );
    world.publish("1.0.0", &[]);
    // An engine that was killed brings nothing back that has `unless-stopped` (seen on 20.10).
    world.start_service_with(&["--restart", "always"]);
    world.write_rows(ROWS);
    world.publish("2.0.0", &[]);
    world
}

/// The versions that run of this world; there may never be two.
fn running(world: &World) -> Vec<String> {
    let names = world.docker(&["ps", "--format", "{{.Names}}"]);
    let mark = format!("{}.switchback-", world.name);
    let is_ours = |it: &&str| *it == world.name || it.starts_with(&mark);
    names.lines().filter(is_ours).map(str::to_owned).collect()
}

/// What has to hold after the next command.
fn assert_mended(
    world: &World,
    old: &str,
    struck: &Gathered,
    name: &'static str,
) -> Result<(), String> {
    let mut said = format!("{:?}\n{}", struck.at, struck.output);
    let case = Case::seen_in(struck.phase, world, name, "1.0.0", "2.0.0");
    let before = running(world);
    // After a success too: its lease may be left, if the engine went away at the very end.
    let recovered = world.run(&["recover", "web", "-y"]);
    said = format!("{said}\n{recovered}");
    if recovered.code != Some(0) {
        return Err(said);
    }
    let history = world.history();
    let is_new = history.last().is_some_and(|it| it.contains(" committed"));
    let expected = if is_new { "2.0.0" } else { "1.0.0" };
    let answers = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        world.status("/health") == 200
    });
    if !answers {
        let all = world.docker(&["ps", "--all", "--format", "{{.Names}} {{.Status}}"]);
        return Err(format!("{said}\nnobody answers; there are:\n{all}\n{history:?}"));
    }
    let service = world.service();
    let checks = [
        ("at most one version runs before the recovery", before.len() <= 1),
        ("the version of the history serves", world.serving() == expected),
        ("every row is there", world.rows() == ROWS as u64),
        ("nothing is open", history.iter().all(|it| !it.contains(" open"))),
        ("one container runs", running(world) == [world.name.clone()]),
        ("only a predecessor is left", world.temporary_containers().len() == usize::from(is_new)),
        ("what went back is the original", is_new == (service["Id"] != old)),
        ("no image is left over", is_new || world.kept_images().is_empty()),
        ("it comes back", service["HostConfig"]["RestartPolicy"]["Name"] == "always"),
    ];
    let broken: Vec<&str> = checks.iter().filter(|it| !it.1).map(|it| it.0).collect();
    if broken.is_empty() {
        if struck.at.is_some() {
            case.ended(&world.serving(), "1.0.0", "2.0.0", "the same store");
        }
        return Ok(());
    }
    let left = world.temporary_containers();
    Err(format!(
        "{said}\nnot so: {broken:?}\nbefore: {before:?}, left: {left:?}, history: {history:?}"
    ))
}

/// Lets something happen to the engine at every request, `step` apart.
fn sweep(first: usize, kills: bool, (name, event): (&'static str, fn(&Machine))) {
    let spare = Spare::take();
    let total = requests_of(&serving(&spare), &UPDATE);
    let mut failures = Vec::new();
    for places in in_chunks(first, total, 14) {
        let worlds: Vec<World> = places.iter().map(|_| serving(&spare)).collect();
        let old: Vec<String> = worlds.iter().map(World::id).collect();
        let there: Vec<_> = places.iter().copied().zip(&worlds).collect();
        let machine = spare.machine();
        let ended = gathered(&there, &UPDATE, kills, move || event(&machine));
        spare.wait_until_it_answers();
        for ((world, old), ended) in worlds.iter().zip(&old).zip(&ended) {
            failures.extend(assert_mended(world, old, ended, name).err());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n=====\n\n"));
}

#[test]
fn an_update_whose_engine_is_killed_ends_well_or_is_brought_to_an_end() {
    sweep(3, false, ("the engine is killed", Machine::kill_engine));
}

#[test]
fn an_update_that_is_killed_with_its_engine_is_brought_to_an_end() {
    sweep(7, true, ("SIGKILL, and the engine is killed", Machine::kill_engine));
}

#[test]
fn an_update_whose_machine_restarts_is_brought_to_an_end() {
    sweep(11, true, ("the machine restarts", Machine::restart_machine));
}

//! Several people, or a person and a timer, want the same at once.

use serde_json::Value;

use crate::common::{World, process::Running};

const PROCESSES: usize = 20;

#[test]
fn of_twenty_updates_at_once_one_runs_and_the_others_learn_who() {
    let world = World::new("crowd");
    // Longer than all of them take to get as far as the lease, on a machine that is busy.
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"30s\"\nhealthy_deadline = \"60s\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(3);
    world.publish("2.0.0", &[]);

    let command = ["update", "web", "-y", "-o", "json"];
    let start = |number: usize| {
        // Half of them share a store, as people on one host do; the others have one of their own.
        let store =
            if number.is_multiple_of(2) { "state".to_owned() } else { format!("state-{number}") };
        Running::spawn(world.command(&store, world.lab.engine_url(), &command))
    };
    let running: Vec<Running> = (0..PROCESSES).map(start).collect();
    let outputs: Vec<_> = running.into_iter().map(Running::wait).collect();

    let of = |pointer: &str, word: &str| {
        let has = |it: &&crate::common::Output| {
            it.json().pointer(pointer).and_then(Value::as_str) == Some(word)
        };
        outputs.iter().filter(has).count()
    };
    let transcripts = || outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n");
    assert_eq!(of("/outcome", "committed"), 1, "{}", transcripts());
    assert_eq!(of("/error/code", "locked"), PROCESSES - 1, "{}", transcripts());
    let winner = outputs.iter().find(|it| it.code == Some(0)).map(crate::common::Output::json);
    let operation = winner.and_then(|it| it["operation"].as_str().map(str::to_owned));
    let operation = operation.expect("one has committed");
    for output in outputs.iter().filter(|it| it.code != Some(0)) {
        assert_eq!(output.code, Some(3), "{output}");
        let holder = output.json()["error"]["locked_by"].clone();
        assert_eq!(holder["user"], "tester", "the holder is named:\n{output}");
        assert_eq!(holder["operation"], operation.as_str(), "the holder is named:\n{output}");
    }
    assert_eq!(world.serving(), "2.0.0");
    assert_eq!(world.rows(), 3);
    assert_eq!(world.temporary_containers().len(), 1, "the one predecessor");
}

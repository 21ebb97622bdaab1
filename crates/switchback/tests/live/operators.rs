//! Several people, or a person and a timer, want the same at once.

use serde_json::Value;

use crate::common::{World, process::Running};

const PROCESSES: usize = 10;

#[test]
fn of_ten_updates_at_once_one_runs_and_the_others_learn_who() {
    let world = World::new("crowd");
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
    // Who came when the winner had finished finds nothing to do, or an owner; who had planned before
    // and got the lease after finds another container than the plan was made for.
    let others = of("/error/code", "locked")
        + of("/error/code", "plan_stale")
        + of("/error/code", "owned_elsewhere")
        + of("/outcome", "up_to_date");
    assert_eq!(others, PROCESSES - 1, "{}", transcripts());
    for output in outputs.iter().filter(|it| it.code == Some(3)) {
        assert!(output.stdout.contains("tester"), "the holder is named:\n{output}");
    }
    assert_eq!(world.serving(), "2.0.0");
    assert_eq!(world.rows(), 3);
    assert_eq!(world.temporary_containers().len(), 1, "the one predecessor");
}

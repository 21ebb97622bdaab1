//! The judge of the sweeps, judged: a world in which all is well is broken in one way after another,
//! and each of them has to be named.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    consistent::{Judge, Standing},
    rule::{Left, Must, Open, must},
    scenario::{FAILING, ROLLBACK, Scenario, UPDATE},
    told,
};
use crate::common::{World, sweep::assert_most_were_reached};

/// What breaks a world, and what mends it again.
struct Break {
    /// A part of what has to be said of it.
    said: &'static str,
    breaks: fn(&World),
    mends: fn(&World),
}

fn sql(world: &World, text: &str) {
    let store = Connection::open(world.state("state").join("switchback.db"));
    let store = store.expect("the store can be opened");
    store.busy_timeout(Duration::from_secs(10)).expect("a time to wait");
    store.execute_batch(text).expect("the store can be changed");
}

fn is_committed(world: &World) {
    sql(world, "UPDATE operations SET outcome = 'committed', exit_code = 0");
}

fn is_rolled_back(world: &World) {
    sql(world, "UPDATE operations SET outcome = 'rolled_back', exit_code = 4");
}

/// Something of another name that looks as if an update had left it.
fn second(world: &World) -> String {
    format!("{}.switchback-0-new", world.name)
}

fn parked(world: &World) -> String {
    world.temporary_containers().into_iter().next().expect("a parked container")
}

/// The two containers change places.
fn swap(world: &World) {
    let (parked, aside) = (parked(world), format!("{}.switchback-aside", world.name));
    world.docker(&["stop", &world.name]);
    world.docker(&["rename", &world.name, &aside]);
    world.docker(&["rename", &parked, &world.name]);
    world.docker(&["rename", &aside, &parked]);
    world.docker(&["start", &world.name]);
    world.until("it answers", || world.status("/health") == 200);
}

/// Puts a folder to the snapshots.
fn put(world: &World, from: &str, to: &str) {
    let from = world.folder.path().join(from);
    world.docker(&["cp", from.to_str().expect("UTF-8"), &format!("switchback-anchor:{to}")]);
}

fn snapshots(world: &World) -> String {
    format!("/switchback/snapshots/{}", world.name)
}

fn remove_snapshot(world: &World, name: &str) {
    let folder = format!("{}/{name}", snapshots(world));
    world.docker(&["exec", "switchback-anchor", "/keeper", "remove", &folder]);
}

/// The target names that release as the one that runs.
fn names(world: &World, release: u32) {
    let mut state = world.recorded().state;
    state["current"] = json!(release);
    world.replace_record("state.json", &state);
}

/// Of any world.
const BREAKS: [Break; 6] = [
    Break {
        said: "one container runs",
        breaks: |it| {
            let image = it.image("latest");
            it.docker(&["run", "--detach", "--name", &second(it), &image]);
        },
        mends: |it| drop(it.docker(&["rm", "--force", &second(it)])),
    },
    Break {
        said: "only a predecessor is parked",
        breaks: |it| drop(it.docker(&["create", "--name", &second(it), &it.image("latest")])),
        mends: |it| drop(it.docker(&["rm", &second(it)])),
    },
    Break {
        said: "RestartPolicy/Name: \"unless-stopped\" -> \"no\"",
        breaks: |it| drop(it.docker(&["update", "--restart", "no", &it.name])),
        mends: |it| drop(it.docker(&["update", "--restart", "unless-stopped", &it.name])),
    },
    Break {
        said: "image names are",
        breaks: |it| {
            let kept = format!("switchback-keep/{}:0-new", it.name);
            it.docker(&["tag", &it.image("latest"), &kept]);
        },
        mends: |it| drop(it.docker(&["rmi", &format!("switchback-keep/{}:0-new", it.name)])),
    },
    Break {
        said: "volumes are",
        breaks: |it| drop(it.docker(&["volume", "create", &it.also_has("second")])),
        mends: |it| drop(it.docker(&["volume", "rm", &format!("{}-second", it.name)])),
    },
    Break {
        said: "snapshots are",
        breaks: |it| {
            std::fs::create_dir(it.folder.path().join("surplus")).expect("a folder");
            put(it, "surplus", &snapshots(it));
        },
        mends: |it| remove_snapshot(it, "surplus"),
    },
];

/// Of a world in which the update was committed.
const BREAKS_OF_A_COMMITTED: [Break; 7] = [
    Break { said: "the version of the history serves", breaks: swap, mends: swap },
    Break {
        said: "the local tag names what runs",
        breaks: |it| {
            let old = it.inspect(&parked(it))["Image"].clone();
            it.docker(&["tag", old.as_str().expect("an image"), &it.image("latest")]);
        },
        mends: |it| {
            let new = it.service()["Image"].clone();
            it.docker(&["tag", new.as_str().expect("an image"), &it.image("latest")]);
        },
    },
    Break {
        said: "asked for Commit, committed: false",
        breaks: is_rolled_back,
        mends: is_committed,
    },
    Break {
        said: "the history has \"update committed 4\"",
        breaks: |it| sql(it, "UPDATE operations SET exit_code = 4"),
        mends: is_committed,
    },
    Break {
        said: "the history has \"update open\"",
        breaks: |it| sql(it, "UPDATE operations SET outcome = NULL, exit_code = NULL"),
        mends: is_committed,
    },
    Break {
        said: "the history has \"update committed 0\", committed: false",
        breaks: |it| {
            sql(
                it,
                "INSERT INTO operations SELECT 'zzz', deployment, target_key, 'recover', \
                 triggered_by, user_name, host_name, process_id, command_line, started_at + 1, \
                 finished_at + 1, 'interrupted', 0, error_code, related, result FROM operations",
            );
        },
        mends: |it| sql(it, "DELETE FROM operations WHERE id = 'zzz'"),
    },
    Break { said: "told is release", breaks: |it| names(it, 1), mends: |it| names(it, 2) },
];

/// Of a world in which the update went back.
const BREAKS_OF_AN_UNDONE: [Break; 2] = [
    Break {
        said: "asked for GoBack, committed: true",
        breaks: is_committed,
        mends: is_rolled_back,
    },
    Break {
        said: "the history has \"update rolled_back 0\"",
        breaks: |it| sql(it, "UPDATE operations SET exit_code = 0"),
        mends: is_rolled_back,
    },
];

#[track_caller]
fn assert_named(judge: &Judge<'_>, said: &str) {
    match judge.judges() {
        Ok(committed) => panic!("not seen, committed: {committed}: {said:?}"),
        Err(why) => assert!(why.contains(said), "{said:?} is not said:\n{why}"),
    }
}

/// A judge who was called after the command and after a recovery that had nothing to do.
fn judge<'a>(world: &'a World, scenario: Scenario, before: &'a Standing) -> Judge<'a> {
    let output = world.run(scenario.arguments).exits(scenario.code);
    let mut judge = Judge::called(world, scenario, before, output.code).expect("it can be judged");
    let recovered = world.run_json(&["recover", "web", "-y"]).exits(0);
    judge.hears("state", &recovered.has("/outcome", "up_to_date"));
    assert_eq!(judge.judges(), Ok(scenario.code == 0), "all is well");
    // Nobody waits here for what comes up.
    judge.patience = Duration::from_secs(5);
    judge
}

/// Each way to break it is named; mended again, all is well.
fn is_strict(judge: &Judge<'_>, breaks: &[Break]) {
    for it in breaks {
        (it.breaks)(judge.world);
        assert_named(judge, it.said);
        (it.mends)(judge.world);
    }
    assert_eq!(judge.judges(), Ok(judge.scenario.code == 0), "all was mended again");
}

/// So is an exit code, and a result of a recovery, that tells of another end.
fn is_strict_with_words(judge: &mut Judge<'_>, wrong_code: i32, outcome: &str) {
    let code = judge.code.replace(wrong_code);
    assert_named(judge, &format!("its exit code is Some({wrong_code})"));
    judge.code = code;
    let said = judge.recoveries.pop().expect("a recovery");
    judge.recoveries.push(("state", result(outcome, "op")));
    assert_named(judge, "a recovery says");
    judge.recoveries = vec![said];
}

fn result(outcome: &str, operation: &str) -> Value {
    let success = ["committed", "up_to_date"].contains(&outcome);
    json!({ "outcome": outcome, "success": success, "operation": operation })
}

#[test]
fn whatever_is_wrong_after_an_update_is_named_by_the_judge_of_the_sweeps() {
    let world = UPDATE.world();
    let before = Standing::of(&world);
    let mut judge = judge(&world, UPDATE, &before);
    assert_eq!(judge.left.must, Must::Commit);
    is_strict(&judge, &BREAKS);
    is_strict(&judge, &BREAKS_OF_A_COMMITTED);

    is_strict_with_words(&mut judge, 4, "interrupted");

    // What cannot be mended again comes last.
    world.docker(&["pause", &world.name]);
    assert_named(&judge, "nobody answers");
    world.docker(&["unpause", &world.name]);
    let snapshot = judge.left.operation.clone().expect("an operation");
    remove_snapshot(&world, &snapshot);
    assert_named(&judge, "snapshots are");
    world.write_rows(1);
    assert_named(&judge, "every row of its time is there");
}

#[test]
fn whatever_is_wrong_after_a_way_back_is_named_by_the_judge_of_the_sweeps() {
    let world = FAILING.world();
    let before = Standing::of(&world);
    let mut judge = judge(&world, FAILING, &before);
    assert_eq!(judge.left.must, Must::GoBack);
    is_strict(&judge, &BREAKS_OF_AN_UNDONE);
    is_strict_with_words(&mut judge, 0, "committed");
    judge.left.must = Must::Commit;
    assert_named(&judge, "asked for Commit, committed: false");
    judge.left.must = Must::GoBack;

    // The original is gone, and another one of the same name and data is not it.
    let image = world.service()["Image"].clone();
    world.docker(&["rm", "--force", &world.name]);
    let (volume, publish) = (format!("{}:/data", world.name), world.published(8080));
    let run = ["run", "--detach", "--name", &world.name, "--publish", &publish, "--volume"];
    let image = image.as_str().expect("an image");
    let more = [&volume, "--restart", "unless-stopped", image];
    world.docker(&[&run[..], &more[..]].concat());
    world.until("it answers", || world.status("/health") == 200);
    assert_named(&judge, "what serves is the original or the new one");
}

/// By hand the data stays, so that 1.0.0 serves with that of 2.0.0.
#[test]
fn a_rollback_that_left_the_data_is_named_by_the_judge_of_the_sweeps() {
    let world = ROLLBACK.world();
    let before = Standing::of(&world);
    let output = world.run(&["rollback", "web", "-y"]).exits(0);
    let judge = Judge::called(&world, ROLLBACK, &before, output.code).expect("it can be judged");
    assert_named(&judge, "every row of its time is there");
    assert_named(&judge, "the table is that of its version");
}

/// Both have the same rows, so that only the table tells them from each other.
#[test]
fn an_update_that_left_the_data_is_named_by_the_judge_of_the_sweeps() {
    let world = UPDATE.world();
    world.publish("2.0.0", &[("LEDGER_MIGRATE", "none")]);
    let before = Standing::of(&world);
    let output = world.run(UPDATE.arguments).exits(0);
    let judge = Judge::called(&world, UPDATE, &before, output.code).expect("it can be judged");
    assert_named(&judge, "the table is that of its version");
}

#[test]
fn a_recovery_says_what_became_of_the_operation_that_it_found_and_of_no_other() {
    use Open::{Either, No, Yes};
    let operation = Some("op".to_owned());
    let left = Left { operation, must: Must::Either, is_open_here: Yes, is_open_there: Yes };
    let holds = |document: &Value, is_open: Open, committed: bool| {
        told::by_recovery(document, &left, is_open, committed).is_none()
    };
    assert!(holds(&result("committed", "op"), Yes, true));
    assert!(!holds(&result("committed", "op"), Yes, false));
    assert!(!holds(&result("committed", "another"), Yes, true));
    assert!(!holds(&json!({ "outcome": "committed", "operation": "op" }), Yes, true));
    for undone in ["interrupted", "rolled_back", "failed"] {
        assert!(holds(&result(undone, "op"), Yes, false), "{undone}");
        assert!(!holds(&result(undone, "op"), Yes, true), "{undone}");
        assert!(!holds(&result(undone, "op"), No, false), "{undone}");
    }
    // Who has found nothing says so, and who says so has found nothing.
    assert!(holds(&result("up_to_date", ""), No, true));
    assert!(!holds(&result("up_to_date", "op"), Yes, true));
    // What is being written just then may be found or not, but nothing else.
    assert!(holds(&result("up_to_date", ""), Either, false));
    assert!(holds(&result("interrupted", "op"), Either, false));
    assert!(!holds(&result("interrupted", "another"), Either, false));
    assert!(!holds(&result("stuck", "op"), Yes, false));
    assert!(!holds(&Value::Null, No, false));
}

#[test]
fn what_is_recorded_is_committed_and_what_nobody_was_about_to_record_is_not() {
    let opened = json!({ "record": "opened", "plan": { "seal": [{ "id": 7 }, { "id": 8 }] } });
    let step = |word: &str, id: u64| json!({ "record": word, "step": id });
    let (begun, applied) = (step("step_started", 8), step("step_applied", 8));
    let back = json!({ "record": "rollback_started" });
    let of = |more: &[&Value], is_recorded| {
        let records: Vec<Value> =
            [&opened].into_iter().chain(more.iter().copied()).cloned().collect();
        must(&records, is_recorded)
    };
    assert_eq!(must(&[], false), Ok(Must::GoBack));
    assert_eq!(of(&[&step("step_applied", 7)], false), Ok(Must::GoBack));
    assert_eq!(of(&[&begun], false), Ok(Must::Either));
    assert_eq!(of(&[&begun], true), Ok(Must::Commit));
    assert_eq!(of(&[&begun, &applied], true), Ok(Must::Commit));
    assert_eq!(of(&[&begun, &back], true), Ok(Must::GoBack));
    // Neither can be.
    assert!(of(&[&begun, &applied], false).is_err());
    assert!(of(&[&json!({ "record": "verified" })], true).is_err());
}

#[test]
#[should_panic(expected = "2 of 4 places were missed: [11, 31]")]
fn a_sweep_that_has_missed_too_many_places_names_them() {
    assert_most_were_reached(&[1, 11, 21, 31], &[1, 11, 21]);
    assert_most_were_reached(&[1, 11, 21, 31], &[21, 1]);
}

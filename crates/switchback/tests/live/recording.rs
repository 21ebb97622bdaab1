//! What the record of a target says is there, and is as old as it says.

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{
    World,
    process::Running,
    proxy::{Act, Moment, Proxy},
};

/// When the step of an operation began whose title holds `words`.
fn began(operation: &Value, words: &str) -> String {
    let records = operation["records"].as_array().into_iter().flatten();
    let started = |it: &&Value| {
        let title = it["step"].as_str().unwrap_or_default().to_lowercase();
        it["time"].is_string() && title.contains(words)
    };
    let found = records.into_iter().find(started);
    found.and_then(|it| it["time"].as_str()).unwrap_or_else(|| panic!("{operation:#}")).to_owned()
}

#[test]
fn a_snapshot_that_is_kept_no_longer_is_named_no_longer() {
    let world = World::new("retained");
    world.setting("data.policy = \"snapshot\"");
    world.setting("retain.snapshots = 1");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("1.1.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("(r2)");
    world.publish("1.2.0", &[]);
    let second = world.run_json(&["update", "web", "-y"]).exits(0).json();
    let operation = second["operation"].as_str().expect("an id");

    let shown = world.run_json(&["show", "web"]).exits(0).json();
    let named: Vec<&Value> = shown["snapshots"].as_array().unwrap().iter().collect();
    assert_eq!(named.len(), 1, "{shown:#}");
    assert_eq!(
        (&named[0]["release"], &named[0]["operation"]),
        (&"r2".into(), &second["operation"])
    );

    // Each is as old as the act, and not as the plan.
    let told = world.run_json(&["show", "web", operation]).exits(0).json();
    let (taken, stopped) = (named[0]["taken_at"].as_str().unwrap(), began(&told, "stop"));
    assert!(taken > stopped.as_str(), "{taken} is before the stop at {stopped}");
    let releases = shown["releases"].as_array().unwrap();
    let r3 = releases.iter().find(|it| it["release"] == "r3").expect("r3");
    let (committed, switched) = (r3["committed_at"].as_str().unwrap(), began(&told, "start"));
    assert!(committed > switched.as_str(), "{committed} is before the start at {switched}");

    // Somebody removes what lies there; nothing promises it any more.
    let folder = format!("/switchback/snapshots/{}/{operation}", world.name);
    world.docker(&["exec", "switchback-anchor", "/keeper", "remove", &folder]);
    let shown = world.run_json(&["show", "web"]).exits(0).json();
    assert_eq!(shown["snapshots"], serde_json::json!([]), "{shown:#}");
    let release = world.run_json(&["show", "web", "r2"]).exits(0).json();
    assert!(release.get("snapshot").is_none(), "{release:#}");
}

/// The first update of all, so that nothing is recorded with the target.
#[test]
fn what_was_left_over_by_accepting_what_runs_goes_with_gc() {
    let world = World::new("accepted");
    world.publish("1.0.0", &[]);
    world.start_service();
    let old = world.id();
    world.publish("2.0.0", &[]);
    let socket = world.folder.path().join("engine.sock");
    // Held back, so that the old one serves on.
    let act = (Moment::HeldBack, Act::Signal(Signal::KILL));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, |it| it.line.contains("/stop?t="));
    let running = Running::spawn(world.command("state", &proxy.url, &["update", "web", "-y"]));
    proxy.watch(running.pid());
    let killed = running.wait();
    assert_eq!(killed.code, None, "it is killed:\n{killed}");
    world.run(&["recover", "web", "--accept-current", "-y"]).exits(0);
    let left = world.temporary_containers();
    assert_eq!(left.len(), 1, "{left:?}");

    world.run(&["gc", "-y"]).exits(0).says(&left[0]);
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
    assert_eq!(world.kept_images(), Vec::<String>::new());
    assert_eq!((world.id(), world.serving()), (old, "1.0.0".to_owned()));
}

/// An engine that was away when an operation ended: whoever had begun it knows how, and its target does
/// not.
#[test]
fn an_end_that_the_target_has_not_heard_of_is_told_to_it_by_recover() {
    let world = World::new("untold");
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("3.0.0", &[]);
    drop(world.run(&["update", "web", "-y"]).exits(4));
    let (history, mut journal) = (world.history(), world.recorded().journal);
    let last = journal["records"].as_array_mut().expect("records").pop().expect("a last one");
    assert_eq!(last["record"], "closed", "{last}");
    world.replace_record("journal.json", &journal);
    let phase = |store: &str| {
        let shown = world.run_by(store, &["show", "web", "-o", "json"]).exits(0).json();
        shown["phase"].as_str().map(str::to_owned)
    };
    assert_eq!(phase("onlooker").as_deref(), Some("interrupted"));

    let told = world.run_json(&["recover", "web", "-y"]).exits(0).json();
    assert_eq!(told["outcome"], "up_to_date", "{told:#}");
    assert_eq!(
        world.recorded().journal["records"].as_array().and_then(|it| it.last()),
        Some(&last)
    );
    assert_eq!(phase("onlooker").as_deref(), Some("idle"));
    assert_eq!(world.history(), history);
}

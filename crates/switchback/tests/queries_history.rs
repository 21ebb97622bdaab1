//! `history`, `show`, `logs` and `quarantine` after updates on a real engine.

mod queries_common;

use queries_common::Place;

#[tokio::test]
async fn what_was_done_and_rejected_is_told_whole() {
    let place = Place::new("history").await;
    let name = place.name.as_str();
    place.switchback(&["logs"]).exits(2).says("nothing was done");
    place.publish("2.0.0", &[]).await;
    place.switchback(&["update", name, "-y"]).exits(0);
    let bad = place.publish("3.0.0", &[("LEDGER_HEALTH", "500")]).await;
    place.switchback(&["update", name, "-y"]).exits(4);

    let history = place.json(&["history", name], 0)["operations"].clone();
    assert_eq!(history.as_array().map(Vec::len), Some(2), "{history:#}");
    let (failed, done) = (&history[0], &history[1]);
    assert_eq!(
        (&failed["outcome"], &done["outcome"]),
        (&"rolled_back".into(), &"committed".into())
    );
    for key in ["started_at", "finished_at", "user", "host", "command_line", "new_version"] {
        assert!(failed[key].is_string(), "{key}: {failed:#}");
    }
    assert_eq!(place.json(&["history", name, "-n", "1"], 0)["operations"][0], *failed);

    let id = failed["operation"].as_str().expect("an id");
    let shown = place.json(&["show", name, &id[..id.len() - 1]], 0);
    let records = shown["records"].to_string();
    assert!(records.contains("Stopping service") && records.contains("undone"), "{shown:#}");
    place.switchback(&["logs", name]).exits(0).says("[container]");
    place.switchback(&["show", "zzzz0000"]).exits(2);

    let listed = place.json(&["quarantine", name], 0)["quarantine"].clone();
    assert_eq!(listed[0]["version"], bad.as_str(), "{listed:#}");
    let short = &bad["sha256:".len()..][..12];
    place.switchback(&["quarantine", name, "clear", short]).exits(0).says("Nothing is skipped");
    place.switchback(&["quarantine", name, "add", "latest"]).exits(0).says(short);
    place.switchback(&["quarantine", name, "clear", "sha256:0000"]).exits(2);

    let release = place.switchback(&["show", name, "r1"]).exits(0).says("TOKEN=");
    assert!(!release.stdout.contains("hush-hush"), "{release:?}");
    place.switchback(&["show", name, "r9"]).exits(2).says("no release r9");
}

#[tokio::test]
async fn an_update_without_a_terminal_says_its_steps_as_they_happen() {
    let place = Place::new("steps").await;
    let name = place.name.as_str();
    place
        .switchback(&["rollback", name, "-y"])
        .exits(3)
        .says("No previous version available for rollback");
    place.publish("2.0.0", &[]).await;
    let said = place.switchback(&["update", name, "-y"]).exits(0);
    let steps = [
        "This will briefly stop the service to apply the update.",
        "Backing up current image...",
        "Pulling latest image...",
        "Recreating container...",
        "Stopping service...",
        "Starting service...",
        "Waiting until the service proves itself...",
    ];
    let mut rest = said.stderr.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} comes next:\n{said:?}"));
        rest = &rest[at + step.len()..];
    }
    assert!(!said.stderr.contains('\u{1b}'), "no escapes without a terminal:\n{said:?}");
    place.switchback(&["rollback", name]).exits(3).says("-y");
    place
        .switchback(&["rollback", name, "-y"])
        .exits(0)
        .says("This will briefly stop the service to restore the previous version.")
        .says(&format!("http://127.0.0.1:{}", place.port));
}

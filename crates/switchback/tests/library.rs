//! The library from outside: only what it exports, on a real container.

mod queries_common;

use queries_common::Place;
use switchback::{Service, UpdateResult, has_previous_image, rollback_image, update_image};

/// When the container was started: unchanged by whatever did not touch it.
async fn started_at(place: &Place) -> String {
    let format = "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}";
    place.lab.docker(&["inspect", "--format", format, &place.name]).await.expect("it is there")
}

#[tokio::test]
async fn a_program_updates_a_container_and_takes_it_back() {
    let place = Place::new("library").await;
    // The engine is named in the file: a library does not change its caller's environment.
    let file = place.folder.path().join("switchback.toml");
    let text = fs_err::read_to_string(&file).expect("the file");
    let engine = format!("kind = \"container\"\nengine = \"{}\"", place.lab.engine_url());
    fs_err::write(&file, text.replacen("kind = \"container\"", &engine, 1)).expect("written");
    let service = Service::open(&file, place.folder.path().join("state"), &place.name)
        .expect("the configuration is right");

    assert_eq!(has_previous_image(&service).await, Ok(false), "nothing was ever updated");
    let before = started_at(&place).await;
    assert_eq!(update_image(&service, |_| {}).await, Ok(UpdateResult::AlreadyLatest));
    assert_eq!(started_at(&place).await, before, "nothing was restarted");

    let digest = place.publish("2.0.0", &[]).await;
    let mut events = 0;
    match update_image(&service, |_| events += 1).await.expect("it is updated") {
        UpdateResult::Success(result) => assert_eq!(result["new_version"], digest.as_str()),
        other => panic!("{other:?}"),
    }
    assert!(events > 5, "the steps were told");
    assert_eq!(has_previous_image(&service).await, Ok(true));
    let updated = started_at(&place).await;
    assert_ne!(updated, before);
    assert_eq!(update_image(&service, |_| {}).await, Ok(UpdateResult::AlreadyLatest));
    assert_eq!(started_at(&place).await, updated, "nothing was restarted");

    let taken_back = rollback_image(&service, |_| {}).await.expect("it goes back");
    assert!(matches!(taken_back, UpdateResult::Success(_)), "{taken_back:?}");
    assert_eq!(has_previous_image(&service).await, Ok(false), "what was left is rejected");

    place.publish("3.0.0", &[("LEDGER_HEALTH", "never")]).await;
    match update_image(&service, |_| {}).await.expect("it went back") {
        UpdateResult::RolledBack { reason, .. } => assert!(!reason.is_empty()),
        other => panic!("{other:?}"),
    }
}

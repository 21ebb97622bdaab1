//! What is taken over, given back, and cleared away.

use serde_json::Value;

use crate::common::{
    World,
    process::Running,
    proxy::{Act, Moment, Proxy},
};

#[test]
fn what_runs_is_taken_over_without_being_touched() {
    let world = World::new("adopt");
    world.publish("1.0.0", &[]);
    world.start_service();
    let before = world.service();

    let refused = world.run(&["adopt", "web"]).exits(3).says("no terminal on which to ask");
    assert!(
        refused.stderr.contains("Nothing was changed")
            || refused.stdout.contains("Nothing was changed")
    );
    assert_eq!(world.history(), Vec::<String>::new());

    let adopted = world.run_json(&["adopt", "web", "-y"]).exits(0).has("/outcome", "committed");
    adopted.has("/release", "r1").has("/evidence", "seen_healthy").has("/current_label", "1.0.0");
    assert_eq!(world.service(), before, "the container is as it was, to the last field");
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
    assert_eq!(world.history(), ["adopt committed 0"]);

    // There is nothing to do any more, so nobody has to be asked.
    world.run_json(&["adopt", "web"]).exits(0).has("/outcome", "up_to_date").has("/release", "r1");
    assert_eq!(world.history(), ["adopt committed 0"]);

    world.publish("1.1.0", &[]);
    world
        .run_json(&["update", "web", "-y"])
        .exits(0)
        .has("/release", "r2")
        .has("/previous_release", "r1")
        .says("1.1.0");
    world.run(&["rollback", "web", "-y"]).exits(0).says("1.0.0");
    assert_eq!(world.serving(), "1.0.0");
}

/// It was told as failed, and that nothing had been changed.
#[test]
fn an_adoption_holds_even_if_its_lease_could_not_be_given_back() {
    let world = World::new("kept-lease");
    world.publish("1.0.0", &[]);
    world.start_service();
    let socket = world.folder.path().join("engine.sock");
    let breaks_off = (Moment::HeldBack, Act::End(Box::new(|_| ())));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), breaks_off, |it| {
        it.line.starts_with("DELETE ") && it.line.contains("/containers/")
    });
    let adopting = Running::spawn(world.command("state", &proxy.url, &["adopt", "web", "-y"]));
    proxy.watch(adopting.pid());

    adopting.wait().exits(0);
    assert!(proxy.has_struck(), "{:?}", proxy.requests());
    assert_eq!(world.history(), ["adopt committed 0"]);
    // The store knows that nobody holds it any more.
    world.publish("1.1.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
    let left = world.temporary_containers();
    assert!(!left.iter().any(|it| it.starts_with("switchback-lease-")), "{left:?}");
}

#[test]
fn a_container_that_the_configuration_lacks_is_written_into_it() {
    let world = World::new("strange");
    world.publish("1.0.0", &[]);
    world.start_service();
    let file = world.folder.path().join("mine.toml");
    let mine = "# mine\n\n[deployment.other] # first\nkind = \"container\"\n";
    fs_err::write(&file, mine).unwrap();
    let config = file.to_str().unwrap();

    world.run(&["-c", config, "adopt", &world.name]).exits(3).says("--yes");
    assert_eq!(
        fs_err::read_to_string(&file).unwrap(),
        mine,
        "who did not agree finds it unchanged"
    );
    world.run(&["-c", config, "adopt", &world.name, "-y"]).exits(0).says("Adopted").says("(r1)");
    let now = fs_err::read_to_string(&file).unwrap();
    assert!(now.starts_with(mine) && now.contains(&world.image("latest")), "{now}");
    world
        .run(&["-c", config, "adopt", "no-such-thing", "-y"])
        .exits(2)
        .says("neither a deployment nor a container");
}

#[test]
fn a_container_of_compose_is_left_to_compose() {
    let world = World::new("owned");
    world.publish("1.0.0", &[]);
    world.start_service_with(&["--label", "com.docker.compose.project=shop"]);
    world
        .run_json(&["adopt", "web", "-y"])
        .exits(3)
        .has("/error/code", "not_permitted")
        .says("shop");
    let file = world.folder.path().join("new.toml");
    world
        .run(&["-c", file.to_str().unwrap(), "adopt", &world.name, "-y"])
        .exits(3)
        .says("compose project shop");
    assert!(!file.exists(), "nothing was written");
}

#[test]
fn another_store_takes_over_with_the_way_back() {
    let world = World::new("takeover");
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(3);
    world.publish("1.1.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
    world.write_rows(2);

    let refused = world.run_by("second", &["rollback", "web", "-y", "-o", "json"]).exits(3);
    refused.has("/error/code", "owned_elsewhere").says("switchback adopt web --take-over");
    world.run_by("second", &["adopt", "web", "-y"]).exits(3).says("another store");
    let taken =
        world.run_by("second", &["adopt", "web", "--take-over", "-y", "-o", "json"]).exits(0);
    assert_eq!(taken.json()["releases"], 2, "{taken}");
    world.run(&["rollback", "web", "-y"]).exits(3).says("another store");

    world.run_by("second", &["rollback", "web", "--with-data", "-y"]).exits(0).says("1.0.0");
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 3, "the snapshot of the first store was found too");
}

#[test]
fn what_is_given_back_runs_on_and_a_purge_leaves_nothing_of_ours() {
    let world = World::new("forget");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("1.1.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
    let (id, parked) = (world.id(), world.temporary_containers());
    assert_eq!(parked.len(), 1, "{parked:?}");

    world.run(&["forget", "web"]).exits(3).says("no terminal on which to ask");
    let forgotten = world.run_json(&["forget", "web", "-y"]).exits(0).has("/outcome", "committed");
    let left = forgotten.json()["left"].to_string();
    assert!(left.contains(&parked[0]), "{left}");
    assert_eq!(world.id(), id);
    assert_eq!(world.serving(), "1.1.0");
    assert_eq!(world.temporary_containers(), parked, "without --purge nothing is removed");
    assert_eq!(world.history(), ["update committed 0", "forget committed 0"], "the history stays");
    world
        .run(&["rollback", "web", "-y"])
        .exits(3)
        .says("No previous version available for rollback");

    // It is nobody's: another store may take it without any more ado.
    world.run_by("second", &["adopt", "web", "-y"]).exits(0).says("(r1)");
    world.run_by("second", &["forget", "web", "-y"]).exits(0).says("Forgot web");

    world.run(&["forget", "web", "--purge", "-y"]).exits(0).says("removed: container");
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
    assert_eq!(world.kept_images(), Vec::<String>::new());
    assert_eq!(world.id(), id);
    assert_eq!(world.serving(), "1.1.0");
    world.run(&["forget", "web", "-y"]).exits(0).says("was not taken over by anybody");
}

#[test]
fn what_was_set_aside_goes_with_gc_and_nothing_that_a_way_back_needs() {
    let world = World::new("gc");
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(4);
    world.publish("1.1.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
    world.publish("3.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(4).says("1.1.0");
    // A stranger's things, named as ours are: without a record of ours they stay.
    let stranger = world.also_runs("bystander");
    let strange_name = format!("{}.switchback-0000000000000-old", world.name);
    world.docker(&["create", "--name", &stranger, &world.image("latest")]);
    world.docker(&["create", "--name", &strange_name, &world.image("latest")]);

    let planned = world.run_json(&["gc", "--dry-run"]).exits(0);
    let things = removed(&planned.json());
    assert!(things.iter().any(|it| it.ends_with("-failed")), "{things:?}");
    world.run(&["gc"]).exits(3).says("no terminal on which to ask");
    assert_eq!(
        removed(&world.run_json(&["gc", "--dry-run"]).exits(0).json()),
        things,
        "nothing is gone yet"
    );
    let done = world.run_json(&["gc", "-y"]).exits(0).json();
    assert_eq!(removed(&done), things);
    assert!(done["bytes"].as_u64() > Some(0), "{done}");
    world.run(&["gc", "-y"]).exits(0).says("Nothing to remove");
    let left = world.temporary_containers();
    assert!(left.contains(&strange_name), "{left:?}");

    world.run(&["rollback", "web", "--with-data", "-y"]).exits(0).says("1.0.0");
    assert_eq!(world.rows(), 4);
}

#[test]
fn what_another_store_has_left_goes_with_gc_of_whoever_took_over() {
    let world = World::new("leftover");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("1.1.0", &[("LEDGER_HEALTH", "never")]);
    let failed = world.run_json(&["update", "web", "-y"]).exits(4).json();
    let operation = failed["operation"].as_str().unwrap().to_owned();
    // As if its end had been a worse one.
    let (image, name) = (world.image("latest"), &world.name);
    let container = format!("{name}.switchback-{operation}-new");
    let tag = format!("switchback-keep/{name}:{operation}-new");
    let strange = format!("{name}.switchback-0000000000000-new");
    for left in [&container, &strange] {
        world.docker(&["create", "--name", left, &image]);
    }
    world.docker(&["tag", &image, &tag]);

    world.run_by("second", &["adopt", "web", "--take-over", "-y"]).exits(0).says("(r1)");
    let planned = world.run_by("second", &["gc", "--dry-run", "-o", "json"]).exits(0).json();
    assert_eq!(removed(&planned), [container.clone(), tag.clone()], "{planned}");
    world.run_by("second", &["gc", "-y"]).exits(0).says(&container).says(&tag);
    assert_eq!(world.temporary_containers(), [strange], "of that one nothing is recorded");
    assert_eq!(world.kept_images(), Vec::<String>::new());
}

/// The names of all that was or would be removed.
fn removed(document: &Value) -> Vec<String> {
    let deployments = document["deployments"].as_array().into_iter().flatten();
    let things = deployments.flat_map(|it| it["removed"].as_array().into_iter().flatten());
    things.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_configuration_is_written_from_what_runs_and_only_added_to() {
    let world = World::new("init");
    world.publish("1.0.0", &[]);
    world.start_service_with(&["--label", "com.centurylinklabs.watchtower.enable=false"]);
    let stack = world.also_runs("stack");
    world.docker(&[
        "create",
        "--name",
        &stack,
        "--label",
        "com.docker.compose.project=shop",
        &world.image("latest"),
    ]);
    let file = world.folder.path().join("conf/new.toml");
    let config = file.to_str().unwrap();

    let written = world.run(&["-c", config, "init"]).exits(0).says("Wrote").says(&world.name);
    assert!(
        written.stdout.contains(&format!("Next: switchback --config {config} check")),
        "{written}"
    );
    let text = fs_err::read_to_string(&file).unwrap();
    let block = format!(
        "[deployment.{}]\nkind = \"container\"\nimage = \"{}\"\n",
        world.name,
        world.image("latest")
    );
    let begin = text.find(&block).unwrap_or_else(|| panic!("{block} in {text}"));
    assert!(
        text[begin..].starts_with(&format!("{block}updates = \"off\"")),
        "Watchtower passed it by: {text}"
    );
    assert!(
        text.contains(&format!("# {stack} is left out: it belongs to the compose project shop")),
        "{text}"
    );
    assert!(text.contains(&format!("health.http = \"http://{}/health\"", world.address)), "{text}");
    assert!(text.contains(&format!("state = \"{}\"", world.state("state").display())), "{text}");
    assert!(!text.contains("switchback-anchor"), "our own containers are no deployments");
    world.run(&["-c", config, "config", "validate"]).exits(0).says("is right");

    // Other tests start and stop containers meanwhile; what was there stays as it stands.
    let mine = text.replace("updates = \"off\"", "updates = \"manual\"");
    fs_err::write(&file, &mine).unwrap();
    world.run(&["-c", config, "init"]).exits(0).says("new.toml");
    let again = fs_err::read_to_string(&file).unwrap();
    assert!(again.starts_with(&mine), "{again}");
    assert_eq!(again.matches(&format!("[deployment.{}]", world.name)).count(), 1);
}

#[test]
fn without_an_engine_nothing_is_written_and_the_address_is_named() {
    let world = World::new("noengine");
    let file = world.folder.path().join("new.toml");
    let engine = format!("unix://{}/none.sock", world.folder.path().display());
    let run = world.run(&["-c", file.to_str().unwrap(), "init", "--engine", &engine]).exits(1);
    run.says("cannot reach the container engine").says("none.sock");
    assert!(!file.exists());
}

//! The disk of the engine itself, on which images and containers lie, is full when an image is pulled,
//! when a container is created, and when it is started.

use std::sync::atomic::{AtomicBool, Ordering};

use switchback_testkit::lab::ledger_config;

use crate::common::{
    Output, World,
    process::Running,
    proxy::{Act, Moment, Proxy, Request},
    spare::Spare,
};

const ROWS: usize = 3;

/// Room for the service and a small image, but not for a Debian, which is 53 MB to be fetched alone.
const SMALL_MIB: u32 = 64;

/// Room for all of it.
const LARGE_MIB: u32 = 800;

/// A service at 1.0.0 with rows.
fn serving(spare: &Spare, name: &str) -> World {
    let world = World::on_engine(spare.url(), name);
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(ROWS);
    world
}

/// Updates; the disk is full from the request on that `picks` knows.
#[track_caller]
fn updated_on_full(
    spare: &Spare,
    world: &World,
    picks: impl Fn(&Request<'_>) -> bool + Send + Sync + 'static,
) -> Output {
    let socket = world.folder.path().join("engine.sock");
    let machine = spare.machine();
    let act = Act::Do(Box::new(move |_: &str| machine.fill_disk()));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), (Moment::HeldBack, act), picks);
    let arguments = ["update", "web", "-y", "-o", "json"];
    let running = Running::spawn(world.command("state", &proxy.url, &arguments));
    proxy.watch(running.pid());
    let output = running.wait();
    assert!(proxy.has_struck(), "the disk was filled:\n{output}");
    output
}

/// Creates the new container; the lease and the anchor are created too.
fn creates_the_new_one(it: &Request<'_>) -> bool {
    it.line.contains("/containers/create") && it.line.contains("-new")
}

#[track_caller]
fn assert_says_what_to_do(update: &Output) {
    let error = update.json()["error"].clone();
    let says = |key: &str, text: &str| error[key].as_str().is_some_and(|it| it.contains(text));
    assert!(says("message", "no space left on device"), "{update}");
    assert!(says("hint", "docker system df"), "{update}");
    assert!(says("hint", "the engine's disk is full"), "{update}");
}

/// It failed before anything was changed, says that the disk is full and what to do, and left nothing.
#[track_caller]
fn assert_cost_nothing(world: &World, old: &str, update: Output) {
    let update = update.exits(1).has("/outcome", "failed").has("/error/code", "no_space");
    assert_says_what_to_do(&update);
    assert_eq!(world.id(), old, "{update}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{update}");
}

#[test]
fn a_full_disk_of_the_engine_costs_nothing_before_the_switch() {
    let spare = Spare::take();
    let _disk = spare.on_small_disk(SMALL_MIB);
    let world = serving(&spare, "fullroot");
    let (old, prober) = (world.id(), world.prober());
    let config = ledger_config(&[("LEDGER_VERSION", "2.0.0"), ("LEDGER_MIGRATE", "add-column")]);
    world.publish_layers("latest", &config, &["debian", "ledger"]);

    assert_cost_nothing(&world, &old, world.run_json(&["update", "web", "-y"]));

    spare.grow_disk(LARGE_MIB);
    assert_cost_nothing(&world, &old, updated_on_full(&spare, &world, creates_the_new_one));
    let report = prober.stop();
    assert_eq!(report.lost, 0, "it answered all along: {report:?}");

    spare.grow_disk(LARGE_MIB);
    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    assert_eq!(world.serving(), "2.0.0");
    assert_eq!(world.rows(), ROWS as u64);
    let told = ["update failed 1", "update failed 1", "update committed 0"];
    assert_eq!(world.history(), told);
}

/// The switch has begun by then. Removing the new container gives back what the old one's start needs;
/// where that is too little, nobody serves until there is room.
#[test]
fn a_full_disk_of_the_engine_at_the_start_goes_back_to_the_old_version() {
    let spare = Spare::take();
    let _disk = spare.on_small_disk(SMALL_MIB);
    let world = serving(&spare, "fullstart");
    world.publish("2.0.0", &[]);
    let old = world.id();
    let has_stopped = AtomicBool::new(false);
    let starts = move |it: &Request<'_>| {
        has_stopped.fetch_or(it.line.contains("/stop?t="), Ordering::SeqCst)
            && it.line.contains("/containers/")
            && it.line.ends_with("/start")
    };

    let update = updated_on_full(&spare, &world, starts);
    assert!(update.stdout.contains("no space left on device"), "{update}");
    match update.code {
        Some(5) => {
            assert_eq!(world.serving(), "", "{update}");
            spare.grow_disk(LARGE_MIB);
            let _mended = world.run(&["recover", "web", "-y"]).exits(0);
        }
        _ => {
            let update = update.exits(4).has("/outcome", "rolled_back");
            assert_says_what_to_do(&update.has("/error/code", "no_space"));
        }
    }
    world.until("the old version answers", || world.serving() == "1.0.0");
    assert_eq!(world.id(), old);
    assert_eq!(world.rows(), ROWS as u64);

    spare.grow_disk(LARGE_MIB);
    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    assert_eq!(world.serving(), "2.0.0");
    assert_eq!(world.rows(), ROWS as u64);
}

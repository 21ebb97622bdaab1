//! For how long nothing serves: by the engine's own events, and as a client sees it.
//!
//! Each way replaces a running container by one of a newer image, side by side in each round.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use switchback_testkit::lab::{Report, ledger_config};

use crate::{
    common::{
        World,
        meddler::{Meddler, Meddling, makes_the_new_one},
    },
    table::{Goal, Samples, Table},
};

/// How a container is replaced.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// Stops the old one and starts a ready-made new one, and does nothing else: the floor.
    Bare,
    Ours,
    /// `docker stop`, `docker rm`, `docker run`.
    Client,
    /// `docker compose up -d`.
    Compose,
}

impl Way {
    fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare client (stop, start)",
            Self::Ours => "switchback update",
            Self::Client => "docker stop, rm, run",
            Self::Compose => "docker compose up -d",
        }
    }
}

/// What one replacement cost.
struct Cost {
    /// From the old one's `die` to the new one's `start`, by the engine's events, in milliseconds.
    engine_ms: f64,
    seen: Report,
}

pub(crate) fn measure(table: &mut Table, runs: usize) {
    let ways = [Way::Bare, Way::Ours, Way::Client, Way::Compose];
    let (engine, seen) = rounds(&ways, &["ledger"], runs);
    for (way, samples) in ways.iter().zip(&engine) {
        table.line(&format!("die to start: {}", way.title()), "ms", Goal::Shown, samples);
    }
    let above = engine[1].each(&engine[0], |ours, bare| ours - bare);
    table.line("  switchback above the bare client", "ms", Goal::AtMost(30.0), &above);
    for (way, samples) in ways.iter().zip(&seen) {
        table.line(&format!("lost to a 100 Hz client: {}", way.title()), "s", Goal::Shown, samples);
    }
    let ratio = seen[1].each(&seen[3], |ours, theirs| ours / theirs);
    table.line("  switchback / compose", "x", Goal::AtMost(1.0), &ratio);
    let layers = ["debian", "ledger"];
    let (engine, _) = rounds(&[Way::Bare, Way::Ours], &layers, runs);
    let above = engine[1].each(&engine[0], |ours, bare| ours - bare);
    let what = "die to start with accounts: switchback above bare";
    table.line(what, "ms", Goal::AtMost(40.0), &above);
    failures(table, runs);
}

/// Engine milliseconds and seconds lost, for each way.
fn rounds(ways: &[Way], layers: &[&str], runs: usize) -> (Vec<Samples>, Vec<Samples>) {
    let with_accounts = layers.len() > 1;
    let mut engine = vec![Samples::default(); ways.len()];
    let mut seen = vec![Samples::default(); ways.len()];
    let worlds: Vec<World> = ways.iter().map(|way| begin(*way, layers)).collect();
    for run in 1..=runs {
        for (at, (way, world)) in ways.iter().zip(&worlds).enumerate() {
            let version = format!("1.{run}.0");
            publish(world, layers, &version);
            if *way != Way::Ours {
                // What is measured here is the switch; our own pull is before it, too.
                world.docker(&["pull", "--quiet", &world.image("latest")]);
            }
            let cost = replace(*way, world, with_accounts);
            world.until("the new version answers", || world.serving() == version);
            engine[at].push(cost.engine_ms);
            seen[at].push(cost.seen.seconds_lost);
        }
    }
    (engine, seen)
}

fn publish(world: &World, layers: &[&str], version: &str) {
    let build = ("LEDGER_BUILD", world.name.as_str());
    world.publish_layers("latest", &ledger_config(&[("LEDGER_VERSION", version), build]), layers);
}

fn begin(way: Way, layers: &[&str]) -> World {
    let world = World::new(&format!("bench-{}", format!("{way:?}").to_lowercase()));
    publish(&world, layers, "1.0.0");
    if way == Way::Ours && layers.len() > 1 {
        world.setting("accounts.users = [\"alice\"]");
    }
    if way == Way::Compose {
        world.made.containers.borrow_mut().push(world.name.clone());
        world.made.volumes.borrow_mut().push(world.name.clone());
        let file = json!({
            "name": world.name,
            "services": { "web": {
                "image": world.image("latest"),
                "container_name": world.name,
                "ports": [format!("127.0.0.1:{}:8080", world.port)],
                "volumes": [format!("{}:/data", world.name)],
                "restart": "unless-stopped",
                "network_mode": "bridge",
            }},
            "volumes": { &world.name: { "name": world.name } },
        });
        fs_err::write(world.folder.path().join("compose.json"), file.to_string()).unwrap();
        world.docker(&["pull", "--quiet", &world.image("latest")]);
        up(&world);
        world.until("the service answers", || world.status("/") == 200);
    } else {
        world.start_service();
        if layers.len() > 1 {
            let add = "echo 'alice:x:1500:1500::/home/alice:/bin/sh' >>/etc/passwd; \
                 echo 'alice:x:1500:' >>/etc/group; echo 'alice:!:20000:0:99999:7:::' >>/etc/shadow";
            world.docker(&["exec", &world.name, "/bin/sh", "-c", add]);
        }
    }
    world
}

fn replace(way: Way, world: &World, with_accounts: bool) -> Cost {
    let old = world.id();
    let made = (way == Way::Bare).then(|| create(world, "next"));
    let began = nanoseconds();
    let prober = world.prober();
    // A client that was there before: its first requests belong to the old version.
    std::thread::sleep(std::time::Duration::from_millis(300));
    match way {
        Way::Bare => {
            let made = made.as_deref().unwrap();
            assert_eq!(world.engine_post(&format!("/containers/{old}/stop"), &json!({})), 204);
            assert_eq!(world.engine_post(&format!("/containers/{made}/start"), &json!({})), 204);
        }
        Way::Ours => {
            let update = world.run(&["update", "web", "-y"]).exits(0);
            assert!(!with_accounts || update.stderr.contains("users"), "{update}");
        }
        Way::Client => {
            world.docker(&["stop", &world.name]);
            world.docker(&["rm", &world.name]);
            start(world, "run", &world.name);
        }
        Way::Compose => up(world),
    }
    world.until("the service answers", || world.status("/") == 200);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let seen = prober.stop();
    if let Some(made) = made {
        world.docker(&["rm", &old]);
        world.docker(&["rename", &made, &world.name]);
    }
    Cost { engine_ms: die_to_start(world, began, &old, &world.id()), seen }
}

fn start(world: &World, verb: &str, name: &str) -> String {
    let publish = format!("127.0.0.1:{}:8080", world.port);
    let volume = format!("{}:/data", world.name);
    let mut words = vec![verb, "--name", name, "--publish", &publish, "--volume", &volume];
    words.extend(["--restart", "unless-stopped"]);
    if verb == "run" {
        words.push("--detach");
    }
    let image = world.image("latest");
    words.push(&image);
    world.docker(&words)
}

fn create(world: &World, suffix: &str) -> String {
    let name = world.also_runs(suffix);
    start(world, "create", &name)
}

fn up(world: &World) {
    let compose = std::env::var("SWITCHBACK_BENCH_COMPOSE").expect("run scripts/bench");
    let file = world.folder.path().join("compose.json");
    let run = Command::new(compose)
        .args(["--file", file.to_str().unwrap(), "up", "--detach", "--pull", "never"])
        .env("DOCKER_HOST", world.lab.engine_url())
        .output()
        .expect("compose can be started");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

fn nanoseconds() -> u128 {
    u128::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap()
}

fn die_to_start(world: &World, began: u128, old: &str, new: &str) -> f64 {
    let time = |at: u128| format!("{}.{:09}", at / 1_000_000_000, at % 1_000_000_000);
    let (since, until) = (time(began), time(nanoseconds()));
    let words = ["events", "--since", &since, "--until", &until, "--format", "{{json .}}"];
    let listed = world.docker(&words);
    let events: Vec<Value> = listed.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let at = |id: &str, action: &str| {
        let is_it = |it: &&Value| it["Actor"]["ID"] == id && it["Action"] == action;
        let found = events.iter().find(is_it);
        found.unwrap_or_else(|| panic!("no {action} of {id}"))["timeNano"].as_u64().unwrap()
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds, in nanoseconds")]
    let span = at(new, "start").saturating_sub(at(old, "die")) as f64;
    span / 1e6
}

/// Answers in the engine's place, or asks it for something else.
type Rule = Box<dyn Fn(&str) -> Option<Meddling> + Send + Sync>;

/// What goes wrong in the stage: what it is called, what happens to the engine's requests, and what
/// the program must say of it, its error's code first. Saying it proves that it came that far.
const FAILURES: [(&str, fn() -> Rule, [&str; 2]); 3] = [
    ("cannot be pulled", no_pull, ["pull_failed", "the layer store is broken"]),
    ("cannot be made", no_container, ["preflight_failed", "the storage driver is broken"]),
    ("is made otherwise", other_container, ["preflight_failed", "HostConfig.Memory is 67108864"]),
];

const ERROR: &str = "500 Internal Server Error";

fn no_pull() -> Rule {
    let broken = Meddling::Says(ERROR, "the layer store is broken");
    Box::new(move |line| line.contains("/images/create?fromImage=").then_some(broken))
}

fn no_container() -> Rule {
    let broken = Meddling::Says(ERROR, "the storage driver is broken");
    // The second request for that name is the barrier's, which finds out that nothing is to come.
    let first = AtomicBool::new(true);
    Box::new(move |line| {
        (makes_the_new_one(line) && first.swap(false, Ordering::SeqCst)).then_some(broken)
    })
}

fn other_container() -> Rule {
    let change = |body: &mut Value| body["HostConfig"]["Memory"] = json!(64 << 20);
    Box::new(move |line| makes_the_new_one(line).then_some(Meddling::Changes(change)))
}

/// What a client loses when the new image cannot be pulled, made, or verified in the stage.
fn failures(table: &mut Table, runs: usize) {
    let world = World::new("bench-failing");
    world.publish("1.0.0", &[]);
    world.start_service();
    let before = world.service();
    let mut lost = vec![Samples::default(); FAILURES.len()];
    for run in 1..=runs {
        for (at, (_, rule, [code, message])) in FAILURES.into_iter().enumerate() {
            // One that the engine does not have, or it would have nothing to pull.
            world.publish(&format!("2.{run}.{at}"), &[]);
            let meddler = Meddler::start(&world, rule());
            let prober = world.prober();
            let update = meddler.run(&world, &["update", "web", "-y", "-o", "json"]);
            let seen = prober.stop();
            drop(update.exits(1).has("/error/code", code).says(message));
            assert!(seen.answered > 0, "{seen:?}");
            #[expect(clippy::cast_precision_loss, reason = "a few requests")]
            lost[at].push(seen.lost as f64);
        }
    }
    assert_eq!(world.service()["State"]["StartedAt"], before["State"]["StartedAt"]);
    for ((what, ..), lost) in FAILURES.iter().zip(&lost) {
        let what = format!("requests lost where the new one {what}");
        // Not one of any run: a median would forgive half of them.
        table.line(&what, "", Goal::Always(0.0), lost);
    }
}

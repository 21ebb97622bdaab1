//! The program is killed, and another store brings its work to an end by what lies with the target.

use rustix::process::Signal;

use super::consistent::Standing;
use crate::common::{
    World,
    process::Running,
    proxy::{Act, Moment, Proxy, Request, starts_the_new_one},
    survival::Case,
};

const ROWS: usize = 4;

/// A request, its name, and when the program is killed at it.
type Place = (&'static str, fn(&Request<'_>) -> bool, Moment);

/// The steps of an update that leave the most behind.
const PLACES: [Place; 5] = [
    (
        "made",
        |it| it.line.contains("/create?name=") && it.line.ends_with("-new"),
        Moment::LetThrough,
    ),
    ("stop", |it| it.line.contains("/stop?t="), Moment::LetThrough),
    ("rename", |it| it.line.contains("/rename?name="), Moment::HeldBack),
    ("start", starts_the_new_one, Moment::LetThrough),
    ("tag", |it| it.is_after_a_stop && it.line.contains("/tag?"), Moment::HeldBack),
];

/// One kill at a request, and its recovery by a store that has never seen this target.
fn another_store_recovers((at, picks, moment): Place) {
    let world = World::new(&format!("taken{at}"));
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(ROWS);
    let before = Standing::of(&world);
    world.publish("2.0.0", &[]);

    let socket = world.folder.path().join("engine.sock");
    let act = (moment, Act::Signal(Signal::KILL));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, picks);
    let running = Running::spawn(world.command("state", &proxy.url, &["update", "web", "-y"]));
    proxy.watch(running.pid());
    let killed = running.wait();
    assert_eq!(killed.code, None, "it is killed:\n{killed}");
    let last = proxy.requests().last().cloned().unwrap_or_default();
    let event = "SIGKILL at the steps that leave the most behind";
    let case = Case::seen(&world, event, "1.0.0", "2.0.0");

    let recovered = world.run_by("other", &["recover", "web", "-y", "-o", "json"]).exits(0);
    let transcript = format!("killed at {at} ({last})\n{killed}\n{recovered}");
    let serving = world.serving();
    let is_new = serving == "2.0.0";
    assert!(is_new || serving == "1.0.0", "one of the two serves:\n{transcript}");
    assert_eq!(world.id() != before.id(), is_new, "{transcript}");
    before.assert_the_same_around(&world, &transcript);
    assert_eq!(world.rows(), ROWS as u64, "{transcript}");
    assert!(world.has_table_of(&serving), "the data is that of {serving}\n{transcript}");
    let left = world.temporary_containers();
    assert_eq!(left.len(), usize::from(is_new), "{left:?}\n{transcript}");

    // The store whose process was killed learns how it ended.
    let learned = world.run_json(&["recover", "web", "-y"]);
    let transcript = format!("{transcript}\n{learned}");
    assert_eq!(learned.code, Some(0), "{transcript}");
    let committed = world.history() == ["update committed 0"];
    assert_eq!(committed, is_new, "{:?}\n{transcript}", world.history());
    assert_eq!(world.serving(), serving, "nothing is done twice:\n{transcript}");
    case.ended(&serving, "1.0.0", "2.0.0", "another store");
}

/// Each waits half a minute for the lease to expire, so all of them wait together.
#[test]
fn another_store_brings_what_was_killed_to_an_end() {
    let failures: Vec<String> = std::thread::scope(|scope| {
        let start = |place: Place| scope.spawn(move || another_store_recovers(place));
        let all: Vec<_> = PLACES.into_iter().map(start).collect();
        let ended = all.into_iter().map(std::thread::ScopedJoinHandle::join);
        let failed = ended.filter_map(Result::err);
        failed.map(|it| it.downcast_ref::<String>().cloned().unwrap_or_default()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n=====\n\n"));
}

/// An update plans nothing over what another store has left. It says what to type while that one
/// may be at work, and goes back by its record once its lease has expired.
#[test]
fn an_update_first_undoes_what_another_store_has_left() {
    let world = World::new("expired");
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(ROWS);
    world.publish("2.0.0", &[]);

    // While the old version serves: a service that is down for a minute may lose its port here.
    let socket = world.folder.path().join("engine.sock");
    let act = (Moment::LetThrough, Act::Signal(Signal::KILL));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, |it| it.line.ends_with("-new"));
    let running = Running::spawn(world.command("state", &proxy.url, &["update", "web", "-y"]));
    proxy.watch(running.pid());
    let killed = running.wait();
    assert_eq!(killed.code, None, "it is killed:\n{killed}");

    let refused = world.run_by("other", &["update", "web", "-y", "-o", "json"]).exits(3);
    let refused = refused.has("/error/code", "locked").says("switchback recover web");
    assert!(
        refused.json()["error"]["locked_by"]["pid"].is_u64(),
        "the holder is named:\n{refused}"
    );

    // It waits until the last sign of life is old enough, and then watches the lease for its term.
    let patient = ["update", "web", "-y", "--lock-timeout", "90s", "-o", "json"];
    let updated = world.run_by("other", &patient).exits(0).has("/outcome", "committed");
    let updated = updated.says("was interrupted; it is finished or undone first");
    assert_eq!(world.serving(), "2.0.0", "{updated}");
    assert_eq!(world.rows(), ROWS as u64, "{updated}");
    assert_eq!(world.temporary_containers().len(), 1, "the predecessor:\n{updated}");
    let lines = world.history_of("other");
    let lines: Vec<String> = lines.iter().map(crate::common::store::Line::text).collect();
    let expected = ["update interrupted 130", "recover interrupted 0", "update committed 0"];
    assert_eq!(lines, expected, "what was left, its way back, and the update");
}

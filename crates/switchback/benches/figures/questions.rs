//! Updates that find nothing to do, and checks.

use std::{fmt::Write as _, time::Instant};

use crate::{
    common::{World, meddler::Meddler, registry::SlowRegistry, request::is_a_look},
    table::{Goal, Samples, Table},
};

pub(crate) fn measure(table: &mut Table, runs: usize) {
    nothing_to_do(table, runs);
    hundred(table, runs);
}

fn nothing_to_do(table: &mut Table, runs: usize) {
    let world = World::new("bench-same");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("1.1.0", &[]);
    drop(world.run(&["update", "web", "-y"]).exits(0));
    let mut seconds = Samples::default();
    for _ in 0..runs {
        let began = Instant::now();
        let update = world.run_json(&["update", "web", "-y"]);
        seconds.push(began.elapsed().as_secs_f64());
        drop(update.exits(0).has("/outcome", "up_to_date"));
    }
    table.line("update with nothing to do", "s", Goal::AtMost(0.15), &seconds);
    counted(table, &world, runs);
}

/// What the same asks of the registry and of the engine: beside its time, for that the proxies which
/// count would be a part of it.
fn counted(table: &mut Table, world: &World, runs: usize) {
    let asked = world.follows_counted();
    world.publish("1.2.0", &[]);
    drop(world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed"));
    let (mut heads, mut others, mut changes) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..runs {
        drop(asked.since());
        let engine = Meddler::start(world, |_| None);
        let update = engine.run(world, &["update", "web", "-y", "-o", "json"]);
        drop(update.exits(0).has("/outcome", "up_to_date"));
        let (head, other): (Vec<_>, Vec<_>) =
            asked.since().into_iter().partition(|it| it.starts_with("HEAD "));
        heads.push(count(head.len()));
        others.push(count(other.len()));
        let requests = engine.requests();
        assert!(!requests.is_empty(), "the engine was looked at through the proxy");
        changes.push(count(requests.iter().filter(|it| !is_a_look(it)).count()));
    }
    table.line("  HEAD requests to the registry", "", Goal::Always(1.0), &heads);
    table.line("  other requests to the registry", "", Goal::Always(0.0), &others);
    table.line("  changes on the engine", "", Goal::Always(0.0), &changes);
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn count(number: usize) -> f64 {
    number as f64
}

fn hundred(table: &mut Table, runs: usize) {
    let world = World::new("bench-hundred");
    let digest = world.publish("1.0.0", &[]);
    let image = world.image("latest");
    world.docker(&["pull", "--quiet", &image]);
    let registry = SlowRegistry::start(digest);
    let mut text = String::new();
    for number in 0..100 {
        let name = world.also_runs(&number.to_string());
        world.docker(&["create", "--name", &name, &image]);
        writeln!(text, "[deployment.d{number}]\nkind = \"container\"\ncontainer = \"{name}\"\nimage = \"127.0.0.1:{}/web{number}:latest\"", registry.port).unwrap();
    }
    let file = world.folder.path().join("hundred.toml");
    fs_err::write(&file, text).unwrap();
    let (mut seconds, mut heads, mut others) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..runs {
        let before = registry.counts();
        let began = Instant::now();
        let check = world.run(&["-c", file.to_str().unwrap(), "check"]);
        seconds.push(began.elapsed().as_secs_f64());
        drop(check.exits(0));
        let after = registry.counts();
        heads.push(count(after.heads - before.heads) / 100.0);
        others.push(count(after.others - before.others));
    }
    let what = "check of 100 deployments, 50 ms for each answer";
    table.line(what, "s", Goal::AtMost(1.0), &seconds);
    table.line("  HEAD requests a deployment", "", Goal::Always(1.0), &heads);
    table.line("  other requests", "", Goal::Always(0.0), &others);
}

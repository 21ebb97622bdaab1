//! Updates that find nothing to do, and checks.

use std::{fmt::Write as _, time::Instant};

use crate::{
    common::{World, registry::SlowRegistry},
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
        let update = world.run(&["update", "web", "-y"]);
        seconds.push(began.elapsed().as_secs_f64());
        drop(update.exits(0));
    }
    table.line("update with nothing to do", "s", Goal::AtMost(0.15), &seconds);
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
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let difference = |one: usize, other: usize| (one - other) as f64;
        heads.push(difference(after.heads, before.heads) / 100.0);
        others.push(difference(after.others, before.others));
    }
    let what = "check of 100 deployments, 50 ms for each answer";
    table.line(what, "s", Goal::AtMost(1.0), &seconds);
    table.line("  HEAD requests a deployment", "", Goal::AtMost(1.0), &heads);
    table.line("  other requests", "", Goal::AtMost(0.0), &others);
}

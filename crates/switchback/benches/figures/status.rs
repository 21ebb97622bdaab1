//! `status`, by how much there is to show and how much has happened.

use std::{fmt::Write as _, path::Path, process::Command, time::Instant};

use rusqlite::Connection;

use crate::{
    common::World,
    table::{Goal, Samples, Table},
};

pub(crate) fn measure(table: &mut Table, runs: usize) {
    let world = World::new("bench-status");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("1.1.0", &[]);
    drop(world.run(&["update", "web", "-y"]).exits(0));
    stored(table, &world, runs);
    live(table, &world, runs);
}

/// Deployments, and operations of each. The first two differ in what happened, the last two in whom
/// it happened to.
const STORES: [(usize, usize); 3] = [(10, 1), (10, 500), (1_000, 5)];

/// A process of a few milliseconds is at the mercy of whatever else the machine does meanwhile, so a
/// sample is the median of five.
const AT_ONCE: usize = 5;

fn stored(table: &mut Table, world: &World, runs: usize) {
    let stores = STORES.map(|(deployments, operations)| {
        let name = format!("stored-{deployments}-{operations}");
        fill(world, &world.state(&name), deployments, operations);
        let file = configuration(world, &name, deployments);
        let records = records(&world.state(&name));
        (deployments, name, file, records)
    });
    let [(.., few), (.., many), (.., same)] = &stores;
    assert_eq!(many, same, "only the deployments differ");
    let mut bare = Samples::default();
    let mut above = [Samples::default(), Samples::default(), Samples::default()];
    for _ in 0..runs {
        // All in turn, so that what else happens on the machine happens to all.
        let start = || world.command("state", world.lab.engine_url(), &["--version"]);
        let start_ms = timed(AT_ONCE, start).median() * 1e3;
        bare.push(start_ms);
        for ((_, name, file, _), above) in stores.iter().zip(&mut above) {
            let words = ["-c", file, "status"];
            let show = || world.command(name, world.lab.engine_url(), &words);
            above.push(timed(AT_ONCE, show).median() * 1e3 - start_ms);
        }
    }
    for ((deployments, .., records), above) in stores.iter().zip(&above) {
        let what = format!(
            "stored status, {deployments} deployments, {records} records, above bare start"
        );
        let goal = if *deployments == 1_000 { Goal::AtMost(15.0) } else { Goal::Shown };
        table.line(&what, "ms", goal, above);
    }
    let ratio = above[2].each(&bare, |it, bare| it / bare);
    table.line("  / that bare start", "x", Goal::Shown, &ratio);
    // It does not depend on them: the half more is the noise of the differences between processes of
    // 3 ms each.
    let what = format!("  growth, 10 deployments: {few} to {many} records");
    table.line(&what, "x", Goal::AtMost(1.5), &above[1].each(&above[0], |it, few| it / few));
    // Linear at most: a hundred times as many are shown.
    let what = format!("  growth, {many} records: 10 to 1000 deployments");
    table.line(&what, "x", Goal::AtMost(100.0), &above[2].each(&above[1], |it, few| it / few));
}

fn timed(runs: usize, command: impl Fn() -> Command) -> Samples {
    let mut seconds = Samples::default();
    for _ in 0..runs {
        let mut command = command();
        let began = Instant::now();
        let output = command.output().expect("the program can be started");
        seconds.push(began.elapsed().as_secs_f64());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    seconds
}

fn configuration(world: &World, name: &str, deployments: usize) -> String {
    let mut text = String::new();
    for number in 0..deployments {
        writeln!(text, "[deployment.d{number}]\nkind = \"container\"\ncontainer = \"c{number}\"\nimage = \"registry.example/app{number}:latest\"").unwrap();
    }
    let file = world.folder.path().join(format!("{name}.toml"));
    fs_err::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Copies the one deployment of the real store, and its last operation, many times.
fn fill(world: &World, state: &Path, deployments: usize, operations: usize) {
    fs_err::create_dir_all(state).unwrap();
    let from = world.state("state").join("switchback.db");
    for file in fs_err::read_dir(world.state("state")).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() && file.path() != from {
            fs_err::copy(file.path(), state.join(file.file_name())).unwrap();
        }
    }
    let to = state.join("switchback.db");
    Connection::open(&from).unwrap().execute("VACUUM INTO ?1", [to.to_str().unwrap()]).unwrap();
    let mut store = Connection::open(&to).unwrap();
    let copy = store.transaction().unwrap();
    let last: String = copy
        .query_row("SELECT id FROM operations WHERE action = 'update'", [], |row| row.get(0))
        .unwrap();
    for number in 0..deployments {
        let name = format!("d{number}");
        insert(&copy, "deployments", "name", "web", &[("name", &name), ("target_key", &name)]);
        insert(&copy, "releases", "deployment", "web", &[("deployment", &name)]);
        for operation in 0..operations {
            let id = format!("{name}-{operation}");
            insert(&copy, "operations", "id", &last, &[("id", &id), ("deployment", &name)]);
            insert(&copy, "journal", "operation", &last, &[("operation", &id)]);
        }
    }
    copy.commit().unwrap();
}

/// Copies the rows of a table in which `key` has this value, with other values in some columns.
fn insert(store: &Connection, table: &str, key: &str, value: &str, others: &[(&str, &String)]) {
    let mut statement = store.prepare(&format!("SELECT * FROM {table} LIMIT 0")).unwrap();
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    drop(statement.query([]).unwrap());
    let mut values = vec![value.to_owned()];
    let mut selected = Vec::new();
    for column in &columns {
        match others.iter().find(|(name, _)| name == column) {
            Some((_, other)) => {
                values.push((*other).clone());
                selected.push(format!("?{}", values.len()));
            }
            None => selected.push(column.clone()),
        }
    }
    let (columns, selected) = (columns.join(", "), selected.join(", "));
    let sql =
        format!("INSERT INTO {table} ({columns}) SELECT {selected} FROM {table} WHERE {key} = ?1");
    store.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
}

fn records(state: &Path) -> u64 {
    let store = Connection::open(state.join("switchback.db")).unwrap();
    store.query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap()
}

/// A hundred containers that run, each updated once, so that there are as many records to read.
fn live(table: &mut Table, world: &World, runs: usize) {
    let mut text = String::new();
    let image = world.image("latest");
    for number in 0..100 {
        let name = world.also_runs(&format!("live{number}"));
        world.docker(&["run", "--detach", "--network", "none", "--name", &name, &image]);
        // The proof is not what is measured.
        let table = format!("[deployment.l{number}]\nkind = \"container\"\ncontainer = \"{name}\"");
        writeln!(text, "{table}\nhealth.min_healthy_time = \"0s\"\nhealth.healthy_streak = 1")
            .unwrap();
    }
    let file = world.folder.path().join("live.toml");
    fs_err::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    world.publish("1.2.0", &[]);
    let names: Vec<String> = (0..100).map(|number| format!("l{number}")).collect();
    // As many as one command of the tests has time for.
    for names in names.chunks(20) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        drop(world.run(&[&["-c", file, "update", "-y"][..], &names].concat()).exits(0));
    }
    let words = ["-c", file, "status", "--refresh"];
    let seconds = timed(runs, || world.command("state", world.lab.engine_url(), &words));
    table.line("live status of 100 containers", "s", Goal::AtMost(0.5), &seconds);
}

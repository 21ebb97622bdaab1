//! Containers of random specifications: the successor of each equals it but for the image.
//!
//! Created and never started, so that what this machine's kernel cannot do does not matter: what the
//! engine was told is compared, three ways. `SWITCHBACK_SEED` repeats another run's specifications,
//! `SWITCHBACK_SPECIFICATIONS` says how many.

mod fields;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{Read as _, Write as _},
};

use serde_json::{Value, json};

use self::fields::{NOT_SAID, Said, fields};
use super::{
    compared::{NOT_ASKED_FOR, differences, specification},
    killing_randomly::{fraction, number},
};
use crate::common::{World, wire::Wire};

/// Worlds side by side; each updates its containers one after another.
const WORLDS: usize = 3;

/// Containers that one command updates.
const AT_ONCE: usize = 15;

/// A random request, and what it varies. Every third thing is said, and one always.
fn specified(seed: u64, number: usize, all: &[Said]) -> (Value, BTreeSet<&'static str>) {
    let mut body = json!({ "HostConfig": {} });
    let (mut varied, mut groups) = (BTreeSet::new(), BTreeSet::new());
    let always = number % all.len();
    let others = (0..all.len()).filter(|it| *it != always).filter(|it| {
        let run = number * all.len() + it;
        fraction(seed, run) < 1.0 / 3.0
    });
    for at in std::iter::once(always).chain(others) {
        let said = &all[at];
        if groups.insert(said.group) {
            merge(&mut body, &said.body);
            varied.extend(said.varies);
        }
    }
    (body, varied)
}

fn merge(into: &mut Value, from: &Value) {
    let (Value::Object(into), Value::Object(from)) = (&mut *into, from) else {
        *into = from.clone();
        return;
    };
    for (key, value) in from {
        merge(into.entry(key.clone()).or_insert(Value::Null), value);
    }
}

/// Asks the engine in its own words, which the docker client cannot say all.
fn create(world: &World, name: &str, body: &Value) {
    let mut stream = Wire::connect(world.lab.engine_url()).expect("the engine listens");
    let text = body.to_string();
    write!(
        stream,
        "POST /containers/create?name={name} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{text}",
        text.len()
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.0 201"), "{text}\n{answer}");
}

/// Creates containers of these specifications, updates all, and says what differs.
fn carried_over(seed: u64, numbers: &[usize], all: &[Said]) -> Vec<String> {
    let world = World::new("random");
    world.publish("1.0.0", &[]);
    world.docker(&["pull", "--quiet", &world.image("latest")]);
    world.made.volumes.borrow_mut().push(world.name.clone());
    let net = format!("{}-net", world.name);
    world.made.networks.borrow_mut().push(net.clone());
    world.docker(&["network", "create", &net]);
    let subnet = "{{(index .IPAM.Config 0).Subnet}}";
    let subnet = world.docker(&["network", "inspect", "--format", subnet, &net]);
    // Fixed addresses want a network whose subnet somebody chose: this one is free.
    world.docker(&["network", "rm", &net]);
    world.docker(&["network", "create", "--subnet", &subnet, &net]);
    let prefix = subnet.rsplit_once('.').expect("a subnet").0.to_owned();
    world.made.containers.borrow_mut().push(world.name.clone());
    world.docker(&["create", "--name", &world.name, &world.image("latest")]);

    let mut text = String::new();
    let mut before = Vec::new();
    for (index, number) in numbers.iter().enumerate() {
        let (mut body, _) = specified(seed, *number, all);
        body["Image"] = json!(world.image("latest"));
        let name = world.also_runs(&format!("s{number}"));
        let address = format!("{prefix}.{}", 100 + index % 100);
        let body = body.to_string();
        let body =
            body.replace("@NAME", &world.name).replace("@NET", &net).replace("@ADDRESS", &address);
        create(&world, &name, &serde_json::from_str(&body).unwrap());
        before.push((name.clone(), world.inspect(&name)));
        let image = world.image("latest");
        writeln!(text, "[deployment.s{number}]\nkind = \"container\"\ncontainer = \"{name}\"\nimage = \"{image}\"")
            .unwrap();
    }
    let file = world.folder.path().join("random.toml");
    fs_err::write(&file, text).unwrap();
    world.publish("2.0.0", &[]);
    let mut said = String::new();
    for some in numbers.chunks(AT_ONCE) {
        let names: Vec<String> = some.iter().map(|it| format!("s{it}")).collect();
        let mut words = vec!["-c", file.to_str().unwrap(), "update", "-y", "--accept-loss"];
        words.extend(names.iter().map(String::as_str));
        writeln!(said, "{}", world.run(&words)).unwrap();
    }
    let mut found = Vec::new();
    for (number, (name, before)) in numbers.iter().zip(before) {
        let after = world.inspect(&name);
        let mut differ = Vec::new();
        differences("", &specification(&before), &specification(&after), &mut differ);
        if before["Id"] == after["Id"] {
            differ.push(format!("it was not replaced:\n{said}"));
        }
        if !differ.is_empty() {
            found.push(format!("{number} of seed {seed}:\n{}", differ.join("\n")));
        }
    }
    found
}

/// A field that nobody varies proves nothing; so every one that the engine shows has to be.
fn assert_all_varied(varied: &BTreeSet<&str>, inspect: &Value) {
    let mut shown = BTreeSet::new();
    let networks = inspect["NetworkSettings"]["Networks"].as_object().unwrap();
    let endpoint = networks.values().next().expect("it is in a network");
    let host = &inspect["HostConfig"];
    let parts = [("Config", &inspect["Config"]), ("HostConfig", host), ("Endpoint", endpoint)];
    for (part, fields) in parts {
        shown.extend(fields.as_object().unwrap().keys().map(|it| format!("{part}/{it}")));
    }
    let is_made_up = |it: &str| {
        let field = it.strip_prefix("Endpoint/");
        field.is_some_and(|field| NOT_ASKED_FOR.iter().any(|(it, _)| *it == field))
    };
    let is_said = |it: &String| {
        varied.contains(it.as_str())
            || NOT_SAID.iter().any(|(field, _)| field == it)
            || is_made_up(it)
    };
    let never: Vec<_> = shown.iter().filter(|it| !is_said(it)).collect();
    assert!(never.is_empty(), "never varied: {never:?}");
}

#[test]
fn whatever_is_said_of_a_container_is_said_of_its_successor() {
    let count = usize::try_from(number("SWITCHBACK_SPECIFICATIONS").unwrap_or(200)).unwrap();
    let seed = number("SWITCHBACK_SEED").unwrap_or_else(|| getrandom::u64().unwrap_or(1));
    let all = fields();
    let numbers: Vec<usize> = (0..count.max(all.len())).collect();
    let varied = numbers.iter().flat_map(|it| specified(seed, *it, &all).1).collect();
    let world = World::new("plain");
    world.publish("1.0.0", &[]);
    world.start_service();
    assert_all_varied(&varied, &world.service());

    let shares: Vec<&[usize]> = numbers.chunks(numbers.len().div_ceil(WORLDS)).collect();
    let found: Vec<String> = std::thread::scope(|scope| {
        let all = &all;
        let start = |share| scope.spawn(move || carried_over(seed, share, all));
        let all: Vec<_> = shares.into_iter().map(start).collect();
        all.into_iter().flat_map(|it| it.join().expect("no panic")).collect()
    });
    let count = found.len();
    assert!(found.is_empty(), "{count} differ:\n\n{}", found.join("\n\n"));
}

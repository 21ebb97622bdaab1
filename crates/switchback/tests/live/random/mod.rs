//! Containers of random specifications: the successor of each equals it but for the image.
//!
//! Created and never started, so that what this machine's kernel cannot do does not matter: what the
//! engine was told is compared, three ways. `SWITCHBACK_SEED` repeats another run's specifications,
//! `SWITCHBACK_SPECIFICATIONS` says how many.

mod api;
mod fields;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{Read as _, Write as _},
};

use serde_json::{Value, json};

use self::{
    api::{NOT_SAID, every_field, is_held_to, is_known_to, is_shown_by_podman, is_told_by_podman},
    fields::{Said, fields},
};
use super::{
    compared::{NOT_ASKED_FOR, differences, specification},
    killing_randomly::{fraction, number},
};
use crate::common::{World, wire::Wire};

/// Worlds side by side; each updates its containers one after another.
const WORLDS: usize = 3;

/// Containers that one command updates.
const AT_ONCE: usize = 5;

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
    if body["HostConfig"]["NetworkMode"] == "none" {
        // Where nobody is connected no port is published; Podman remembers only that it was exposed.
        for field in ["PortBindings", "PublishAllPorts"] {
            body["HostConfig"].as_object_mut().expect("an object").remove(field);
            varied.retain(|it: &&str| it.strip_prefix("HostConfig/") != Some(field));
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

/// Asks the engine in its own words, which the docker client cannot say all. Returns of what it warns.
fn create(world: &World, name: &str, body: &Value) -> String {
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
    let document = answer.split_once("\r\n\r\n").map_or("", |it| it.1);
    let document: Value = serde_json::from_str(document).expect("an answer in JSON");
    document["Warnings"].to_string()
}

/// What a share of the specifications has shown.
#[derive(Default)]
struct Shown {
    /// What differs between a container and its successor.
    differ: Vec<String>,
    /// The fields that were said and in which the container really differed from a plain one.
    varied: BTreeSet<&'static str>,
    /// What the engine warned of, by a field that was said.
    warned: BTreeMap<&'static str, String>,
}

/// Whether somebody finds another value there than in a plain container.
fn is_varied(field: &str, plain: &Value, it: &Value) -> bool {
    let value = |specification: &Value| {
        let (part, field) = field.split_once('/').expect("PART/FIELD");
        match part {
            // A container without a network has no endpoint.
            "Endpoint" => specification["Networks"]
                .as_object()
                .and_then(|it| it.values().next())
                .map_or(Value::Null, |it| it[field].clone()),
            _ => specification[part][field].clone(),
        }
    };
    let mut differ = Vec::new();
    differences(&format!("/{field}"), &value(plain), &value(it), &mut differ);
    !differ.is_empty()
}

/// Makes a network whose subnet somebody chose, as fixed addresses want it, and tells what its addresses
/// begin with. The engine says which one is free; another test may take it in between.
fn prefix_of_a_network(world: &World, net: &str) -> String {
    let format = "{{(index .IPAM.Config 0).Subnet}}";
    for _ in 0..10 {
        world.docker(&["network", "create", net]);
        let subnet = world.docker(&["network", "inspect", "--format", format, net]);
        world.docker(&["network", "rm", net]);
        if world.docker_output(&["network", "create", "--subnet", &subnet, net]).is_ok() {
            return subnet.rsplit_once('.').expect("a subnet").0.to_owned();
        }
    }
    panic!("each subnet was taken by somebody else just then");
}

/// A world whose registry has a newer image than its engine, and a network for fixed addresses.
struct Ground {
    world: World,
    /// What every container is made from, by its id.
    image: String,
    net: String,
    /// What the addresses of that network begin with.
    prefix: String,
    /// A container as the engine makes it of itself.
    plain: Value,
}

/// A container before its update, and the request that it was made by.
struct Before {
    number: usize,
    name: String,
    inspect: Value,
    body: String,
}

fn ground() -> Ground {
    let world = World::new("random");
    world.publish("1.0.0", &[]);
    let latest = world.image("latest");
    world.docker(&["pull", "--quiet", &latest]);
    let image = world.docker(&["image", "inspect", "--format", "{{.Id}}", &latest]);
    world.made.volumes.borrow_mut().push(world.name.clone());
    let net = format!("{}-net", world.name);
    world.made.networks.borrow_mut().push(net.clone());
    let prefix = prefix_of_a_network(&world, &net);
    world.made.containers.borrow_mut().push(world.name.clone());
    // The docker client would say more of it.
    create(&world, &world.name, &json!({ "Image": latest }));
    let plain = specification(&world.service());
    world.publish("2.0.0", &[]);
    Ground { world, image, net, prefix, plain }
}

/// Creates containers of these specifications, updates all, and tells what was seen.
fn carried_over(seed: u64, numbers: &[usize], all: &[Said]) -> Shown {
    let ground = ground();
    let world = &ground.world;
    let mut shown = Shown::default();
    for some in numbers.chunks(AT_ONCE) {
        // The updates before have given its name to the newer one.
        world.docker(&["tag", &ground.image, &world.image("latest")]);
        let made: Vec<Before> =
            some.iter().map(|number| made(&ground, seed, *number, all, &mut shown)).collect();
        let said = updated(world, &made);
        for before in &made {
            compare(world, seed, before, &said, &mut shown);
        }
        // Podman looks at each there is whenever somebody asks for the list.
        let names: Vec<String> = made.into_iter().map(|it| it.name).collect();
        world.remove_containers(&names);
    }
    shown
}

/// Creates one, and notes in which fields it differs from a plain one.
fn made(ground: &Ground, seed: u64, number: usize, all: &[Said], shown: &mut Shown) -> Before {
    let world = &ground.world;
    let (mut body, said) = specified(seed, number, all);
    body["Image"] = json!(world.image("latest"));
    let name = world.also_runs(&format!("s{number}"));
    let address = format!("{}.{}", ground.prefix, 100 + number % 100);
    let body = body.to_string().replace("@NAME", &world.name);
    let body = body.replace("@NET", &ground.net).replace("@ADDRESS", &address);
    let warnings = create(world, &name, &serde_json::from_str(&body).unwrap());
    let inspect = world.inspect(&name);
    let specified = specification(&inspect);
    for field in said {
        if is_varied(field, &ground.plain, &specified) {
            shown.varied.insert(field);
        } else {
            shown.warned.insert(field, warnings.clone());
        }
    }
    Before { number, name, inspect, body }
}

/// Updates all of them with one command, and returns what that said.
fn updated(world: &World, made: &[Before]) -> String {
    let image = world.image("latest");
    let mut text = String::new();
    for Before { number, name, .. } in made {
        writeln!(
            text,
            "[deployment.s{number}]\nkind = \"container\"\ncontainer = \"{name}\"\nimage = \"{image}\""
        )
        .unwrap();
    }
    let file = world.folder.path().join("random.toml");
    fs_err::write(&file, text).unwrap();
    let names: Vec<String> = made.iter().map(|it| format!("s{}", it.number)).collect();
    let mut words = vec!["-c", file.to_str().unwrap(), "update", "-y", "--accept-loss"];
    words.extend(names.iter().map(String::as_str));
    world.run(&words).to_string()
}

fn compare(world: &World, seed: u64, before: &Before, said: &str, shown: &mut Shown) {
    let Before { number, name, inspect, body } = before;
    let after = world.inspect(name);
    let mut differ = Vec::new();
    differences("", &specification(inspect), &specification(&after), &mut differ);
    if inspect["Id"] == after["Id"] {
        differ.push(format!("it was not replaced:\n{said}"));
    }
    if !differ.is_empty() {
        let differ = differ.join("\n");
        shown.differ.push(format!("{number} of seed {seed}, made of {body}:\n{differ}"));
    }
}

/// What the engine speaks: 1.`minor`.
fn minor_version(world: &World) -> u32 {
    let version = world.docker(&["version", "--format", "{{.Server.APIVersion}}"]);
    // Podman's own version stands where Docker has that of its API; this is the one that it speaks.
    let spoken = if world.is_podman() { "1.41" } else { &version };
    spoken.strip_prefix("1.").and_then(|it| it.parse().ok()).expect("a version 1.x")
}

/// A field that nobody varies proves nothing; so every one that the API's description has must be, or
/// have a reason.
fn assert_all_varied(shown: &Shown, world: &World, seed: u64) {
    let (minor, is_podman) = (minor_version(world), world.is_podman());
    let mut never: BTreeSet<String> = every_field().into_iter().collect();
    // An engine that shows more than the description has is newer than this list.
    never.extend(fields_of(&world.service()));
    never.retain(|it| !shown.varied.contains(it.as_str()) && is_known_to(minor, it));
    never.retain(|it| NOT_SAID.iter().all(|(field, _)| field != it));
    never.retain(|it| NOT_ASKED_FOR.iter().all(|(field, _)| format!("Endpoint/{field}") != *it));
    never.retain(|it| !is_dropped(it, shown));
    never.retain(|it| !is_podman || is_shown_by_podman(it));
    let warned: Vec<_> = never.iter().map(|it| (it, shown.warned.get(it.as_str()))).collect();
    assert!(never.is_empty(), "never varied on 1.{minor} with seed {seed}: {warned:#?}");
}

/// Every field of an inspect.
fn fields_of(inspect: &Value) -> BTreeSet<String> {
    let networks = inspect["NetworkSettings"]["Networks"].as_object().unwrap();
    let endpoint = networks.values().next().expect("it is in a network");
    let host = &inspect["HostConfig"];
    let parts = [("Config", &inspect["Config"]), ("HostConfig", host), ("Endpoint", endpoint)];
    let of = |(part, fields): (&str, &Value)| -> Vec<String> {
        fields.as_object().unwrap().keys().map(|it| format!("{part}/{it}")).collect()
    };
    parts.into_iter().flat_map(of).collect()
}

/// Whether the engine has said that it drops this field, for that the kernel cannot do it.
fn is_dropped(field: &str, shown: &Shown) -> bool {
    let said = DROPPED.iter().find(|(it, _)| *it == field).map(|it| it.1);
    let warning = shown.warned.get(field);
    warning.zip(said).is_some_and(|(warning, said)| warning.contains(said))
}

/// What an engine drops where the kernel cannot do it, with its warning.
const DROPPED: [(&str, &str); 2] = [
    ("HostConfig/BlkioWeight", "Weight discarded."),
    ("HostConfig/BlkioWeightDevice", "Weight-device discarded."),
];

#[test]
fn whatever_is_said_of_a_container_is_said_of_its_successor() {
    let count = usize::try_from(number("SWITCHBACK_SPECIFICATIONS").unwrap_or(200)).unwrap();
    let seed = number("SWITCHBACK_SEED").unwrap_or_else(|| getrandom::u64().unwrap_or(1));
    let world = World::new("plain");
    let (minor, is_podman) = (minor_version(&world), world.is_podman());
    let mut all = fields();
    all.retain(|it| !is_podman || it.varies.iter().all(|field| is_told_by_podman(field)));
    all.retain(|it| it.varies.iter().all(|field| is_held_to(minor, field)));
    let numbers: Vec<usize> = (0..count.max(all.len())).collect();
    let shares: Vec<&[usize]> = numbers.chunks(numbers.len().div_ceil(WORLDS)).collect();
    let mut shown = Shown::default();
    std::thread::scope(|scope| {
        let all = &all;
        let start = |share| scope.spawn(move || carried_over(seed, share, all));
        let all: Vec<_> = shares.into_iter().map(start).collect();
        for it in all {
            let share = it.join().expect("no panic");
            shown.differ.extend(share.differ);
            shown.varied.extend(share.varied);
            shown.warned.extend(share.warned);
        }
    });
    let (count, differ) = (shown.differ.len(), shown.differ.join("\n\n"));
    assert_eq!(count, 0, "{count} differ:\n\n{differ}");
    world.publish("1.0.0", &[]);
    world.start_service();
    assert_all_varied(&shown, &world, seed);
}

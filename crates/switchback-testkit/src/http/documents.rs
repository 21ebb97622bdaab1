//! From what the fake engine answers to the documents of a real one.

use http_body_util::Full;
use hyper::{Response, body::Bytes};
use serde_json::{Map, Value, json};

use super::{document_of, with};
use crate::engine::{Answer, Container, Image, Request, Status};

/// When everything was made and started: what decides here never asks how long ago that was.
const THEN: &str = "2026-01-01T00:00:00Z";
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The answer to a request, as the engine writes it.
pub(super) fn render(request: &Request, answer: Answer) -> Response<Full<Bytes>> {
    match answer {
        Answer::Unchanged => document_of(304, &Value::Null),
        Answer::Created(id) => document_of(201, &json!({ "Id": id, "Warnings": [] })),
        Answer::Container(found) => document_of(200, &container(&found)),
        Answer::Containers(all) => {
            document_of(200, &Value::Array(all.iter().map(listed).collect()))
        }
        Answer::Image(found) => document_of(200, &image(&found)),
        Answer::Output(done) => {
            document_of(200, &json!({ "Running": false, "ExitCode": done.code }))
        }
        Answer::Files(files) => with(200, "application/x-tar", packed(&files)),
        Answer::Done => match request {
            Request::Pull { .. } | Request::Import { .. } => {
                document_of(200, &json!({ "status": "done" }))
            }
            Request::SetPolicy { .. } => document_of(200, &json!({ "Warnings": null })),
            Request::RemoveImage { .. } => document_of(200, &json!([])),
            Request::InspectVolume { name } => document_of(200, &json!({ "Name": name })),
            Request::WriteFiles { .. } => document_of(200, &Value::Null),
            Request::Tag { .. } => document_of(201, &Value::Null),
            _ => document_of(204, &Value::Null),
        },
    }
}

fn packed(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        let name = path.trim_start_matches('/');
        // Memory takes everything.
        drop(tar.append_data(&mut header, name, &content[..]));
    }
    tar.into_inner().unwrap_or_default()
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Created => "created",
        Status::Running => "running",
        Status::Paused => "paused",
        Status::Exited => "exited",
        Status::Dead => "dead",
    }
}

fn listed(it: &Container) -> Value {
    let labels = config(it)["Labels"].clone();
    json!({ "Id": it.id, "Names": [format!("/{}", it.name)], "Image": it.specification.image,
        "ImageID": it.image_id, "Labels": labels, "State": word(it.status), "Status": "",
        "Ports": [], "Mounts": mounts(it), "HostConfig": { "NetworkMode": "default" } })
}

fn container(it: &Container) -> Value {
    let is_up = matches!(it.status, Status::Running | Status::Paused);
    let mut host = it.specification.document["HostConfig"].clone();
    if !host.is_object() {
        host = json!({});
    }
    host["RestartPolicy"] =
        json!({ "Name": it.specification.policy.word(), "MaximumRetryCount": 0 });
    json!({
        "Id": it.id, "Name": format!("/{}", it.name), "Created": THEN, "Image": it.image_id,
        "RestartCount": it.restarts,
        "State": { "Status": word(it.status), "Running": is_up, "Restarting": false,
            "Paused": it.status == Status::Paused, "OOMKilled": false,
            "Dead": it.status == Status::Dead, "Pid": it.pid, "ExitCode": it.exit_code,
            "Error": "", "StartedAt": if it.was_started { THEN } else { NEVER },
            "FinishedAt": if is_up { NEVER } else { THEN } },
        "HostConfig": host, "Config": config(it), "Mounts": mounts(it),
        "NetworkSettings": { "Networks": { "bridge": {} }, "Ports": {} },
        // A program that is under way may have been started by somebody who has gone.
        "ExecIDs": if it.is_busy { json!(["program"]) } else { Value::Null },
    })
}

/// What the engine makes of a request and of the image.
fn config(it: &Container) -> Value {
    let mut config = it.specification.document.as_object().cloned().unwrap_or_default();
    config.remove("HostConfig");
    config.remove("NetworkingConfig");
    config.insert("Image".to_owned(), json!(it.specification.image));
    let has_name = config.get("Hostname").and_then(Value::as_str).is_some_and(|it| !it.is_empty());
    if !has_name {
        config.insert("Hostname".to_owned(), json!(it.id.get(..12).unwrap_or(&it.id)));
    }
    let is_given =
        |key: &str| config.get(key).and_then(Value::as_array).is_some_and(|it| !it.is_empty());
    if !is_given("Entrypoint") && !is_given("Cmd") {
        config.insert("Cmd".to_owned(), brought(&it.image_id)["Cmd"].clone());
    }
    let mut labels = brought(&it.image_id)["Labels"].as_object().cloned().unwrap_or_default();
    labels.extend(config.get("Labels").and_then(Value::as_object).cloned().unwrap_or_default());
    config.insert("Labels".to_owned(), Value::Object(labels));
    Value::Object(config)
}

/// The configuration that an image brings along.
fn brought(id: &str) -> Value {
    let label = id.rsplit(':').next().unwrap_or(id);
    json!({ "Cmd": ["serve"], "Labels": { "org.opencontainers.image.version": label } })
}

fn mounts(it: &Container) -> Value {
    let mount = |(source, target): (&str, &str)| {
        json!({ "Type": "volume", "Name": source, "Destination": target, "RW": true,
            "Source": format!("/var/lib/docker/volumes/{source}/_data"), "Driver": "local" })
    };
    Value::Array(it.specification.binds().map(mount).collect())
}

fn image(it: &Image) -> Value {
    let config: Map<String, Value> = brought(&it.id).as_object().cloned().unwrap_or_default();
    json!({ "Id": it.id, "RepoTags": it.tags, "RepoDigests": it.digests, "Os": "linux",
        "Architecture": "amd64", "Size": 4096, "Config": config })
}

//! From HTTP to what is meant.

use std::io::Read;

use hyper::{Method, Uri, body::Bytes};
use serde_json::{Value, json};

use crate::engine::{Request, RestartPolicy, Specification};

/// The label of containers that are nobody's service: they hold data and write none.
const ROLE_LABEL: &str = "dev.switchback.role";

/// What a request means.
pub(super) enum Meant {
    /// Something to ask the engine.
    Asked(Request),
    /// Something that is always the same.
    Ready(Value),
    /// Nothing that is known here.
    Unknown,
}

/// What a request means.
pub(super) fn meant(method: &Method, uri: &Uri, body: &Bytes) -> Meant {
    let path = decoded(without_version(uri.path()));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let found = match (method.as_str(), &parts[..]) {
        ("GET", ["version"]) => return Meant::Ready(version()),
        ("GET", ["info"]) => {
            return Meant::Ready(json!({"ID": "fake", "LoggingDriver": "json-file"}));
        }
        ("GET", ["containers", _, "changes" | "logs"]) => return Meant::Ready(Value::Null),
        ("GET", ["containers", "json"]) => {
            Some(Request::List { all: asked(uri, "all").as_deref() == Some("1") })
        }
        (_, ["containers", rest @ ..]) => container(method, uri, rest, body),
        (_, ["images", rest @ ..]) => image(method, uri, rest),
        ("GET", ["volumes", name]) => Some(Request::InspectVolume { name: (*name).to_owned() }),
        _ => None,
    };
    found.map_or(Meant::Unknown, Meant::Asked)
}

fn version() -> Value {
    json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux",
        "Arch": "amd64", "Components": []})
}

fn container(method: &Method, uri: &Uri, parts: &[&str], body: &Bytes) -> Option<Request> {
    let document = || serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
    if let ("POST", ["create"]) = (method.as_str(), parts) {
        let (name, specification) = (asked(uri, "name")?, specification(document()));
        return Some(Request::Create { name, specification });
    }
    let container = (*parts.first()?).to_owned();
    Some(match (method.as_str(), &parts[1..]) {
        ("GET", ["json"]) => Request::Inspect { container },
        ("POST", ["start"]) => Request::Start { container },
        ("POST", ["stop"]) => Request::Stop { container },
        ("POST", ["restart"]) => Request::Restart { container },
        ("POST", ["pause"]) => Request::Pause { container },
        ("POST", ["unpause"]) => Request::Unpause { container },
        ("POST", ["rename"]) => Request::Rename { container, name: asked(uri, "name")? },
        ("POST", ["update"]) => {
            Request::SetPolicy { container, policy: policy(&document()["RestartPolicy"]) }
        }
        ("DELETE", []) => {
            Request::Remove { container, force: asked(uri, "force").as_deref() == Some("true") }
        }
        ("GET", ["archive"]) => Request::ReadFiles { container, path: asked(uri, "path")? },
        ("PUT", ["archive"]) => {
            let (folder, files) = (asked(uri, "path")?, unpacked(body)?);
            Request::WriteFiles { container, folder, files }
        }
        _ => return None,
    })
}

fn image(method: &Method, uri: &Uri, parts: &[&str]) -> Option<Request> {
    let of = |parts: &[&str]| parts.join("/");
    Some(match (method.as_str(), parts) {
        ("POST", ["create"]) => match asked(uri, "fromImage") {
            Some(reference) => Request::Pull { reference },
            None => {
                let reference = format!("{}:{}", asked(uri, "repo")?, asked(uri, "tag")?);
                Request::Import { reference }
            }
        },
        ("GET", [name @ .., "json"]) => Request::InspectImage { reference: of(name) },
        ("POST", [name @ .., "tag"]) => {
            let tag = format!("{}:{}", asked(uri, "repo")?, asked(uri, "tag")?);
            Request::Tag { image: of(name), tag }
        }
        ("DELETE", name) => Request::RemoveImage { reference: of(name) },
        _ => return None,
    })
}

fn specification(document: Value) -> Specification {
    let host = &document["HostConfig"];
    let bindings = host["PortBindings"].as_object().into_iter().flatten();
    let ports = bindings.filter_map(|(_, it)| it[0]["HostPort"].as_str()?.parse().ok()).collect();
    let mut made = Specification {
        image: document["Image"].as_str().unwrap_or_default().to_owned(),
        policy: policy(&host["RestartPolicy"]),
        ports,
        volumes: Vec::new(),
        document: document.clone(),
    };
    if document["Labels"].get(ROLE_LABEL).is_none() {
        made.volumes = made.binds().map(|(source, _)| source.to_owned()).collect();
    }
    made
}

fn policy(asked: &Value) -> RestartPolicy {
    serde_json::from_value(asked["Name"].clone()).unwrap_or_default()
}

fn unpacked(body: &Bytes) -> Option<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(&body[..]).entries().ok()? {
        let mut entry = entry.ok()?;
        let name = entry.path().ok()?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        let _length = entry.read_to_end(&mut content).ok()?;
        files.push((name, content));
    }
    Some(files)
}

/// `/v1.41/info` is `/info`.
pub(super) fn without_version(path: &str) -> &str {
    let rest = path.strip_prefix("/v").filter(|it| it.starts_with(|it: char| it.is_ascii_digit()));
    rest.and_then(|it| it.find('/').map(|at| &it[at..])).unwrap_or(path)
}

fn asked(uri: &Uri, key: &str) -> Option<String> {
    let mut pairs = uri.query()?.split('&').filter_map(|it| it.split_once('='));
    pairs.find(|(it, _)| *it == key).map(|(_, it)| decoded(&it.replace('+', " ")))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits = rest.clone().take(2).map(char::from).collect::<String>();
        match (byte, u8::from_str_radix(&digits, 16)) {
            (b'%', Ok(meant)) => {
                bytes.push(meant);
                let _second = rest.nth(1);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

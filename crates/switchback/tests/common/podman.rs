//! What is different where the engine is Podman's service.

use std::io::{Read, Write};

use serde_json::Value;

use super::{World, wire::Wire};

impl World {
    /// Whether the engine is Podman's service, which lacks some of what Docker has.
    pub(crate) fn is_podman(&self) -> bool {
        let names = "{{range .Server.Components}}{{.Name}} {{end}}";
        let ask = || self.docker(&["version", "--format", names]).contains("Podman");
        *self.is_podman.get_or_init(ask)
    }

    /// How a container's log is asked for, which only Podman's own interface tells. The log's usual
    /// place has the container's id in its name, which says nothing here.
    pub(super) fn podman_log(&self, id: &str) -> Value {
        let mut stream = Wire::connect(self.lab.engine_url()).expect("the engine listens");
        let path = format!("/v5.0.0/libpod/containers/{id}/json");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let body = answer.split_once("\r\n\r\n").map_or("", |it| it.1).replace(id, "ID");
        let inspect: Value = serde_json::from_str(&body).expect("Podman answers in JSON");
        inspect["HostConfig"]["LogConfig"].clone()
    }
}

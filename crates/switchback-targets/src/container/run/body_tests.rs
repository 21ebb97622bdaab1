//! What the engine is asked, word by word, compared with what `docker run` sends.

use std::path::Path;

use serde_json::{Value, json};

use super::super::{RunSettings, WORDS};
use super::create_body;

fn settings(words: &Value) -> RunSettings {
    RunSettings::parse(words.as_object().unwrap(), Path::new("/etc/app")).unwrap()
}

fn body(words: &Value) -> Value {
    let body = create_body(&settings(words), "registry.example/acme/web:1");
    serde_json::to_value(body).unwrap()
}

#[test]
fn nothing_declared_leaves_everything_to_image_and_engine() {
    assert_eq!(
        body(&json!({})),
        json!({ "Image": "registry.example/acme/web:1", "HostConfig": {} })
    );
}

#[test]
fn a_usual_service_becomes_what_docker_run_makes_of_it() {
    let body = body(&json!({
        "ports": ["127.0.0.1:3000:4096", "53:53/udp", "[::1]:3000:4096"],
        "volumes": ["session:/data", "/srv/projects:/projects:ro", "/cache"],
        "environment": { "LOG": "info", "DEBUG": 1 },
        "restart": "on-failure:3",
        "command": "serve --port '4096'",
        "labels": ["a=b", "c"],
        "expose": ["9000"],
        "stop_grace_period": "1m30s",
    }));
    assert_eq!(
        body,
        json!({
            "Image": "registry.example/acme/web:1",
            "Env": ["DEBUG=1", "LOG=info"],
            "Cmd": ["serve", "--port", "4096"],
            "ExposedPorts": { "4096/tcp": {}, "53/udp": {}, "9000/tcp": {} },
            "Volumes": { "/cache": {} },
            "Labels": { "a": "b", "c": "" },
            "StopTimeout": 90,
            "HostConfig": {
                "Binds": ["session:/data", "/srv/projects:/projects:ro"],
                "PortBindings": {
                    "4096/tcp": [
                        { "HostIp": "127.0.0.1", "HostPort": "3000" },
                        { "HostIp": "::1", "HostPort": "3000" },
                    ],
                    "53/udp": [{ "HostPort": "53" }],
                },
                "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 3 },
            },
        })
    );
}

#[test]
fn the_first_network_is_the_mode_and_each_has_its_endpoint() {
    let body = body(&json!({
        "networks": {
            "front": { "aliases": ["web"], "ipv4_address": "10.9.0.5" },
            "back": { "mac_address": "02:42:ac:11:65:43" },
        },
    }));
    assert_eq!(body["HostConfig"]["NetworkMode"], "front");
    assert_eq!(
        body["NetworkingConfig"]["EndpointsConfig"],
        json!({
            "front": { "Aliases": ["web"], "IPAMConfig": { "IPv4Address": "10.9.0.5" } },
            "back": { "MacAddress": "02:42:ac:11:65:43" },
        })
    );
}

#[test]
fn the_engines_own_networks_have_no_endpoint() {
    for mode in ["host", "none", "bridge", "container:db"] {
        let body = body(&json!({ "network_mode": mode }));
        assert_eq!(body["HostConfig"]["NetworkMode"], mode);
        assert_eq!(body.get("NetworkingConfig"), None);
    }
}

#[test]
fn limits_and_isolation_are_in_the_engines_units() {
    let body = body(&json!({
        "mem_limit": "512m", "memswap_limit": -1, "cpus": 1.5, "pids_limit": 100,
        "shm_size": "64m", "ulimits": { "nofile": { "soft": 1024, "hard": 2048 } },
        "cap_drop": ["ALL"], "cap_add": "NET_BIND_SERVICE", "privileged": false, "read_only": true,
        "devices": ["/dev/fuse"], "tmpfs": ["/run:size=1m", "/tmp"],
        "healthcheck": { "test": "true", "interval": "30s", "retries": 3 },
        "logging": { "driver": "local", "options": { "max-size": "10m" } },
        "sysctls": { "net.core.somaxconn": 1024 }, "extra_hosts": ["db=10.0.0.2", "v6:[fd00::1]"],
        "init": true,
    }));
    assert_eq!(
        body["Healthcheck"],
        json!({ "Test": ["CMD-SHELL", "true"], "Interval": 30_000_000_000_i64, "Retries": 3 })
    );
    assert_eq!(
        body["HostConfig"],
        json!({
            "Memory": 536_870_912, "MemorySwap": -1, "NanoCpus": 1_500_000_000, "PidsLimit": 100,
            "ShmSize": 67_108_864, "Ulimits": [{ "Name": "nofile", "Soft": 1024, "Hard": 2048 }],
            "CapDrop": ["ALL"], "CapAdd": ["NET_BIND_SERVICE"], "Privileged": false, "ReadonlyRootfs": true,
            "Devices": [{ "PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm" }],
            "Tmpfs": { "/run": "size=1m", "/tmp": "" },
            "LogConfig": { "Type": "local", "Config": { "max-size": "10m" } },
            "Sysctls": { "net.core.somaxconn": "1024" }, "ExtraHosts": ["db:10.0.0.2", "v6:fd00::1"],
            "Init": true,
        })
    );
}

#[test]
fn what_binds_cannot_say_is_a_mount() {
    let body = body(&json!({ "volumes": [
        { "type": "bind", "source": "/srv/x", "target": "/x", "bind": { "create_host_path": false } },
        { "type": "bind", "source": "/srv/y", "target": "/y" },
        { "type": "volume", "source": "v1", "target": "/z", "volume": { "subpath": "a" } },
    ] }));
    assert_eq!(body["HostConfig"]["Binds"], json!(["/srv/y:/y"]));
    assert_eq!(
        body["HostConfig"]["Mounts"],
        json!([
            { "Type": "bind", "Source": "/srv/x", "Target": "/x", "ReadOnly": false },
            { "Type": "volume", "Source": "v1", "Target": "/z", "ReadOnly": false,
              "VolumeOptions": { "NoCopy": false, "Subpath": "a" } },
        ])
    );
}

#[test]
fn an_empty_command_takes_the_images_away() {
    let body = body(&json!({ "command": [], "entrypoint": "" }));
    assert_eq!(body["Cmd"], json!([]));
    assert_eq!(body["Entrypoint"], json!([]));
}

#[test]
fn values_of_the_environment_never_show_in_debug() {
    let run = settings(&json!({ "environment": { "API_KEY": "canary" },
        "logging": { "options": { "splunk-token": "canary" } } }));
    let shown = format!("{run:?}");
    assert!(shown.contains("API_KEY") && !shown.contains("canary"), "{shown}");
}

#[test]
fn files_of_variables_give_way_to_what_is_declared() {
    let file = super::super::parse_env_file("A=file\nB=file\n").unwrap();
    let run = settings(&json!({ "environment": { "A": "declared" } })).with_env_files([file]);
    let value = serde_json::to_value(create_body(&run, "web")).unwrap();
    assert_eq!(value["Env"], json!(["A=declared", "B=file"]));
}

#[test]
fn words_that_contradict_each_other_are_refused() {
    let cases = [
        (json!({ "network_mode": "host", "networks": ["a"] }), "network_mode"),
        (json!({ "network_mode": "service:db" }), "network_mode"),
        (json!({ "network_mode": "container:db", "ports": ["80"] }), "network_mode"),
        (json!({ "volumes": ["aa:/x", "bb:/x/"] }), "volumes"),
        (json!({ "portz": [] }), "portz"),
        (json!({ "dns": "example" }), "dns"),
        (json!({ "oom_score_adj": 5000 }), "oom_score_adj"),
        (json!({ "command": "sh -c 'open" }), "command"),
    ];
    for (words, word) in cases {
        let error =
            RunSettings::parse(words.as_object().unwrap(), Path::new("/etc/app")).unwrap_err();
        assert_eq!(error.path[0], word, "{error}");
    }
}

proptest::proptest! {
    #[test]
    fn rubbish_is_refused_or_taken_but_never_panics(
        word in proptest::sample::select(WORDS),
        text in "[a-z0-9:/.\\[\\]=,\u{e9} -]{0,30}",
        number in proptest::num::i64::ANY,
    ) {
        for value in [json!(text), json!([text]), json!({ text.clone(): text }), json!(number), json!([number]), json!([[1]])] {
            let words = json!({ word: value });
            if let Ok(run) = RunSettings::parse(words.as_object().unwrap(), Path::new("/x")) {
                let _body = create_body(&run, "web");
            }
        }
    }
}

//! One container of a plan, and which containers have to go along with it.

use serde_json::Value;

use super::change::{DataMount, Was};

/// A container that was there when the plan was made.
#[derive(Clone)]
pub struct Member {
    /// Its inspect; environments are secret.
    pub inspect: Value,
    /// The inspect of its image, by id; null where the image is gone.
    pub image: Value,
    /// Paths that were written in its own layer.
    pub written: Vec<String>,
    /// Where something else than a folder is bound: a file, a socket. No snapshot covers those.
    pub files: Vec<String>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// What `--stop-timeout -1` gets instead of for ever, in seconds: no wait here is without an end, and
/// what does not end within an hour will not.
const STOP_WITHOUT_END_S: u64 = 3_600;

/// How long a stop of the container may take, in seconds: its own time-out, or the engine's ten.
pub(crate) fn stop_timeout_s(inspect: &Value) -> u64 {
    match inspect["Config"]["StopTimeout"].as_i64() {
        Some(seconds) => u64::try_from(seconds).unwrap_or(STOP_WITHOUT_END_S),
        None => 10,
    }
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It runs, or the engine keeps restarting it.
    Running,
    /// It is paused.
    Paused,
    /// It ended with exit code 0 and nothing starts it again: its work is to end.
    OneShot,
    /// It was stopped, or never started.
    Stopped,
}

/// Folders of a host that are never data.
pub(super) const NEVER_DATA: [&str; 6] = ["/", "/proc", "/sys", "/dev", "/run", "/var/run"];

impl Member {
    /// Its id.
    pub fn id(&self) -> &str {
        self.inspect["Id"].as_str().unwrap_or_default()
    }

    /// Its name, without the slash.
    pub fn name(&self) -> &str {
        self.inspect["Name"].as_str().unwrap_or_default().trim_start_matches('/')
    }

    /// The id of its image.
    pub fn image_id(&self) -> &str {
        self.inspect["Image"].as_str().unwrap_or_default()
    }

    /// The image that it was made from, as it was written then.
    pub fn image_reference(&self) -> &str {
        self.inspect["Config"]["Image"].as_str().unwrap_or_default()
    }

    /// What makes it again from the very image that it has: as it was written then, where that still
    /// names this image; else the same by digest; else the image's id.
    pub fn own_image_reference(&self) -> String {
        let written = self.image_reference();
        let plain = |it: &str| {
            let it = it.strip_prefix("docker.io/").unwrap_or(it);
            it.strip_prefix("library/").unwrap_or(it).to_owned()
        };
        let is_tagged = |it: &str| it.rsplit('/').next().is_some_and(|it| it.contains(':'));
        let (named, digest) = written.split_once('@').unwrap_or((written, ""));
        let tag = if is_tagged(named) { plain(named) } else { format!("{}:latest", plain(named)) };
        let repository = tag.rsplit_once(':').map_or("", |it| it.0);
        let list = |key: &str| {
            let all = self.image[key].as_array().into_iter().flatten();
            all.filter_map(Value::as_str).collect::<Vec<_>>()
        };
        let digests = list("RepoDigests");
        let mut own = digests.iter().filter_map(|it| it.split_once('@'));
        let own = own.find(|it| it.0 == repository).map(|it| it.1);
        let is_by_digest = digests.iter().any(|it| *it == format!("{repository}@{digest}"));
        match own {
            _ if is_by_digest
                || (digest.is_empty() && list("RepoTags").contains(&tag.as_str())) =>
            {
                written.to_owned()
            }
            Some(digest) => format!("{named}@{digest}"),
            None => self.image_id().to_owned(),
        }
    }

    /// A label of it.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.inspect["Config"]["Labels"][key].as_str()
    }

    /// Its restart policy.
    pub fn restart_policy(&self) -> &Value {
        &self.inspect["HostConfig"]["RestartPolicy"]
    }

    /// How long a stop may take, in seconds: its own time-out, or the engine's ten.
    pub fn stop_timeout_s(&self) -> u64 {
        stop_timeout_s(&self.inspect)
    }

    /// What it is doing.
    pub fn doing(&self) -> Doing {
        let state = &self.inspect["State"];
        let is = |key: &str| state[key] == Value::Bool(true);
        let ends =
            matches!(self.restart_policy()["Name"].as_str(), None | Some("" | "no" | "on-failure"));
        match state["Status"].as_str() {
            _ if is("Paused") => Doing::Paused,
            _ if is_up(&self.inspect) => Doing::Running,
            Some("exited") if ends && state["ExitCode"].as_i64() == Some(0) => Doing::OneShot,
            _ => Doing::Stopped,
        }
    }

    /// What a stop finds.
    pub fn was(&self) -> Option<Was> {
        match self.doing() {
            Doing::Running => Some(Was::Running),
            Doing::Paused => Some(Was::Paused),
            Doing::OneShot | Doing::Stopped => None,
        }
    }

    /// Whether it runs in a namespace of another.
    pub fn shares_namespaces_of(&self, other: &Self) -> bool {
        shared_namespaces(&self.inspect).any(|it| means(it, other.id(), other.name()))
    }

    /// Its volumes, writable or not, as (name, target).
    pub fn data_volumes(&self) -> impl Iterator<Item = (&str, &str)> {
        let volumes = self.mounts().filter(|it| it["Type"] == "volume");
        volumes.filter_map(|it| Some((it["Name"].as_str()?, it["Destination"].as_str()?)))
    }

    fn mounts(&self) -> impl Iterator<Item = &Value> {
        self.inspect["Mounts"].as_array().into_iter().flatten()
    }

    /// Volumes and folders that it can write, as (source, target, whether it is a volume).
    pub fn data(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.mounts().filter_map(|it| {
            let target = it["Destination"].as_str()?;
            if it["RW"] == Value::Bool(false) {
                return None;
            }
            match it["Type"].as_str()? {
                "volume" => Some((it["Name"].as_str()?, target, true)),
                "bind" => {
                    let source = it["Source"].as_str()?;
                    let is_data = !NEVER_DATA.iter().any(|never| {
                        source == *never
                            || (*never != "/" && source.starts_with(&format!("{never}/")))
                    });
                    let is_folder = !self.files.iter().any(|it| it == target);
                    (is_data && is_folder).then_some((source, target, false))
                }
                _ => None,
            }
        })
    }
}

/// The data of all members, each source once, with a place in the keeper for each.
pub fn data_of(members: &[Member]) -> Vec<DataMount> {
    let mut mounts: Vec<DataMount> = Vec::new();
    for (source, target, _) in members.iter().flat_map(Member::data) {
        if mounts.iter().all(|it| it.source != source) {
            let inside = format!("/data/{}", mounts.len());
            mounts.push(DataMount { target: target.to_owned(), source: source.to_owned(), inside });
        }
    }
    mounts
}

/// Containers that share namespaces or volumes-from with `target` or link to it, directly or through
/// others, in the order in which they can be started.
pub fn dependents_of(target: &Member, candidates: &[Value]) -> Vec<Value> {
    let mut chain: Vec<(String, String)> = vec![(target.id().to_owned(), target.name().to_owned())];
    let mut dependents: Vec<Value> = Vec::new();
    // Each pass finds those that depend on what was found before; a chain is no longer than they are.
    for _ in 0..candidates.len() {
        let found: Vec<&Value> = candidates
            .iter()
            .filter(|it| !dependents.iter().any(|known| known["Id"] == it["Id"]))
            .filter(|it| chain.iter().any(|(id, name)| depends_on(it, id, name)))
            .collect();
        if found.is_empty() {
            break;
        }
        for it in found {
            let word =
                |key: &str| it[key].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
            chain.push((word("Id"), word("Name")));
            dependents.push(it.clone());
        }
    }
    dependents
}

/// The name of a listed container. Its list of names also has those under which others link to it:
/// `/web` and `/shop/database`.
pub fn listed_name(listed: &Value) -> &str {
    let names = listed["Names"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(|it| it.trim_start_matches('/')).find(|it| !it.contains('/')).unwrap_or_default()
}

/// Whether a name is one that only we give: `web.switchback-OPERATION-old`, or `-new`.
pub fn is_temporary(name: &str) -> bool {
    let ending = name.rsplit_once(".switchback-").map(|it| it.1);
    ending.is_some_and(|it| it.ends_with("-old") || it.ends_with("-new"))
}

/// Whether somebody who wrote `text` meant that container: by its name, its id, or the beginning of
/// its id, which the engine takes too. Fewer than four digits nobody types, and a name may be.
pub(super) fn means(text: &str, id: &str, name: &str) -> bool {
    text == id || text == name || (text.len() >= 4 && id.starts_with(text))
}

/// Those whose network, processes or memory a container shares, as it was written then.
/// Whether its processes may be there: a container that the engine keeps restarting counts, and so does
/// one that Podman calls `stopping` and not running, until its stop is over.
pub fn is_up(inspect: &Value) -> bool {
    ["Running", "Restarting", "Paused"].iter().any(|it| inspect["State"][it] == Value::Bool(true))
        || inspect["State"]["Status"] == "stopping"
}

/// The containers whose namespaces it is in, as its configuration calls them: usually by id.
pub fn shared_namespaces(inspect: &Value) -> impl Iterator<Item = &str> {
    let modes = ["NetworkMode", "PidMode", "IpcMode"].into_iter();
    modes.filter_map(|it| inspect["HostConfig"][it].as_str()?.strip_prefix("container:"))
}

fn depends_on(inspect: &Value, id: &str, name: &str) -> bool {
    let host = &inspect["HostConfig"];
    let names_it = |it: &str| means(it, id, name);
    let shares = shared_namespaces(inspect).any(names_it);
    let first = |it: &'static str| {
        let all = host[it].as_array().into_iter().flatten().filter_map(Value::as_str);
        all.map(|it| it.split(':').next().unwrap_or(it).trim_start_matches('/'))
    };
    // A link is bound to the container, not to its name: whoever links to one that is parked neither
    // finds its successor nor can be started again.
    shares || first("VolumesFrom").any(names_it) || first("Links").any(names_it)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(inspect: Value) -> Member {
        Member { inspect, image: Value::Null, written: Vec::new(), files: Vec::new() }
    }

    #[test]
    fn whoever_shares_a_namespace_or_volumes_goes_along_through_others_too() {
        let target = member(json!({"Id": "aaaa", "Name": "/web"}));
        let peer =
            |id: &str, host: Value| json!({"Id": id, "Name": format!("/{id}"), "HostConfig": host});
        let candidates = [
            peer("ccc", json!({"VolumesFrom": ["bbb:ro"]})),
            peer("bbb", json!({"NetworkMode": "container:aaaa"})),
            peer("ddd", json!({"NetworkMode": "bridge"})),
            peer("eee", json!({"Links": ["/ccc:/eee/back"]})),
            peer("fff", json!({"Links": ["/other:/fff/web"]})),
            peer("ggg", json!({"PidMode": "container:web"})),
            peer("hhh", json!({"IpcMode": "container:aaaa"})),
        ];
        let found = dependents_of(&target, &candidates);
        assert_eq!(
            found.iter().map(|it| &it["Id"]).collect::<Vec<_>>(),
            ["bbb", "ggg", "hhh", "ccc", "eee"]
        );
    }

    #[test]
    fn a_list_tells_what_a_container_is_really_called() {
        let listed = json!({"Names": ["/shop/database", "/web", "/desk/db"]});
        assert_eq!(listed_name(&listed), "web");
    }

    #[test]
    fn what_a_container_is_doing_is_read_from_its_state_and_policy() {
        let with = |status: &str, code: i64, policy: &str| {
            let state = json!({"Status": status, "Running": status == "running", "ExitCode": code});
            member(json!({"State": state, "HostConfig": {"RestartPolicy": {"Name": policy}}}))
                .doing()
        };
        assert_eq!(with("running", 0, "always"), Doing::Running);
        assert_eq!(with("stopping", 0, "no"), Doing::Running);
        assert_eq!(with("exited", 0, "no"), Doing::OneShot);
        assert_eq!(with("exited", 0, "unless-stopped"), Doing::Stopped);
        assert_eq!(with("exited", 137, "no"), Doing::Stopped);
        assert_eq!(with("created", 0, "no"), Doing::Stopped);
    }

    #[test]
    fn it_is_made_again_from_the_very_image_that_it_has() {
        let of = |written: &str, tags: Value, digests: Value| {
            let inspect = json!({"Image": "sha256:id", "Config": {"Image": written}});
            let image = json!({"RepoTags": tags, "RepoDigests": digests});
            Member { image, ..member(inspect) }.own_image_reference()
        };
        let digests = json!(["host:5000/shop@sha256:d"]);
        assert_eq!(
            of("docker.io/library/nginx", json!(["nginx:latest"]), json!([])),
            "docker.io/library/nginx"
        );
        assert_eq!(
            of("host:5000/shop:1", json!(["host:5000/shop:1"]), json!([])),
            "host:5000/shop:1"
        );
        let moved = of("host:5000/shop:1", json!([]), digests.clone());
        assert_eq!(moved, "host:5000/shop:1@sha256:d", "the name leads elsewhere now");
        assert_eq!(of(&moved, json!([]), digests), moved);
        assert_eq!(of("shop:1", json!(["other:1"]), json!([])), "sha256:id", "it was built here");
        assert_eq!(of("sha256:id", json!([]), json!([])), "sha256:id");
    }

    #[test]
    fn a_bound_file_is_no_data_that_a_snapshot_covers() {
        let mounts =
            json!([{"Type": "bind", "Source": "/srv/app.conf", "Destination": "/c", "RW": true}]);
        let all = member(json!({"Mounts": mounts}));
        assert_eq!(all.data().count(), 1);
        assert_eq!(Member { files: vec!["/c".to_owned()], ..all }.data().count(), 0);
    }

    #[test]
    fn data_is_what_can_be_written_and_never_the_system() {
        let mounts = json!([
            {"Type": "volume", "Name": "v", "Destination": "/data", "RW": true},
            {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": true},
            {"Type": "bind", "Source": "/var/run/docker.sock", "Destination": "/s", "RW": true},
            {"Type": "bind", "Source": "/etc/x", "Destination": "/x", "RW": false},
        ]);
        let all = data_of(&[member(json!({"Mounts": mounts}))]);
        assert_eq!(all.iter().map(|it| it.source.as_str()).collect::<Vec<_>>(), ["v", "/srv"]);
        assert_eq!(all[1].inside, "/data/1");
    }
}

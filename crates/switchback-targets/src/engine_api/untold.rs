//! What was said of a container to Podman and has no words at Docker's interface.

use serde_json::{Value, json};

/// Where an inspect has the names of what was said and is not told, if there is any.
pub(crate) const UNTOLD: &str = "Untold";

/// Options of `podman run` that a request at Docker's interface has no field for, or that are taken
/// there and shown nowhere afterwards (tried with 5.4).
const OPTIONS: [&str; 27] = [
    "--cgroupns",
    "--cgroups",
    "--chrootdirs",
    "--device-cgroup-rule",
    "--gidmap",
    "--group-entry",
    "--health-on-failure",
    "--health-startup-cmd",
    "--hosts-file",
    "--hostuser",
    "--image-volume",
    "--no-hosts",
    "--passwd-entry",
    "--pod",
    "--requires",
    "--rootfs",
    "--sdnotify",
    "--secret",
    "--subgidname",
    "--subuidname",
    "--sysctl",
    "--systemd",
    "--timeout",
    "--tz",
    "--uidmap",
    "--umask",
    "--unsetenv",
];

/// Their names, from the command by which `podman` has made the container. Whoever has made it otherwise
/// has left none.
pub(super) fn names(own: &Value) -> Vec<&'static str> {
    let words = |field: &str| own["Config"][field].as_array().map_or(&[][..], Vec::as_slice);
    let all = words("CreateCommand");
    // The service's own arguments stand at the end, and may be called the same.
    let said = all.strip_suffix(words("Cmd")).unwrap_or(all);
    let is_said = |option: &&str| {
        said.iter().filter_map(Value::as_str).any(|it| {
            it.strip_prefix(*option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    };
    OPTIONS.into_iter().filter(is_said).collect()
}

/// Notes them in an inspect.
pub(super) fn note(inspect: &mut Value, names: &[&'static str]) {
    if !names.is_empty() {
        inspect[UNTOLD] = json!(names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &[&str], arguments: &[&str]) -> Vec<&'static str> {
        names(&json!({ "Config": { "CreateCommand": command, "Cmd": arguments } }))
    }

    #[test]
    fn what_was_said_is_named_with_and_without_an_equals_sign() {
        let said =
            ["podman", "run", "-d", "--secret", "key", "--sysctl=net.core.somaxconn=7", "web"];
        assert_eq!(of(&said, &["serve"]), ["--secret", "--sysctl"]);
    }

    #[test]
    fn arguments_of_the_service_and_longer_names_are_none_of_them() {
        let said = ["podman", "run", "--pod-id-file", "f", "web", "serve", "--secret", "key"];
        assert_eq!(of(&said, &["serve", "--secret", "key"]), Vec::<&str>::new());
        assert_eq!(names(&Value::Null), Vec::<&str>::new());
    }
}

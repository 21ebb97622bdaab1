//! What Podman does not tell, and what therefore cannot be carried over there.

use crate::container::{
    goal::{Desired, Goal},
    members::Member,
    observe::Observed,
};
use crate::engine_api::{ALL_OF_A_DEVICE, UNTOLD};

use super::Check;

/// Podman shows addresses, and does not say which of them somebody asked for. An address that was
/// only given must not be asked for: another container may have it by the time of the next start.
pub(super) fn addresses(at: &Observed, to: &Desired) -> Option<Check> {
    let is_cloned = matches!(to.goal, Goal::Update(_)) && to.settings.run.is_none();
    if !at.engine.is_podman || !is_cloned {
        return None;
    }
    let found: Vec<String> = at.members.iter().flat_map(shown).collect();
    if found.is_empty() {
        return Some(Check::passed("addresses", "nobody can have asked for an address"));
    }
    let message = format!(
        "Podman does not tell whether somebody asked for {}: the new container has the same networks \
         and aliases, and an address of Podman's choice. Whoever reaches it by its name is not concerned",
        found.join(", ")
    );
    Some(Check::warned("addresses", message))
}

/// Addresses on networks that a person made.
fn shown(member: &Member) -> Vec<String> {
    let networks = member.inspect["NetworkSettings"]["Networks"].as_object();
    let own = networks
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "bridge" | "host" | "none"));
    own.filter_map(|(name, endpoint)| {
        let address = endpoint["IPAddress"].as_str().filter(|it| !it.is_empty())?;
        Some(format!("{address} of {} on {name}", member.name()))
    })
    .collect()
}

/// Whom an update makes again as they run on Podman: those that go along, and the container itself unless
/// it is declared.
fn made_as_they_run<'a>(
    at: &'a Observed,
    to: &Desired,
) -> Option<impl Iterator<Item = &'a Member> + use<'a>> {
    let declared = usize::from(to.settings.run.is_some());
    let is_one = at.engine.is_podman && matches!(to.goal, Goal::Update(_));
    is_one.then(|| at.members.iter().skip(declared))
}

/// Podman shows devices, and does not say what they may be used for: whoever asked for one to read may
/// write to it in the next container.
pub(super) fn devices(at: &Observed, to: &Desired) -> Option<Check> {
    let found: Vec<String> = made_as_they_run(at, to)?.flat_map(given).collect();
    if found.is_empty() {
        return Some(Check::passed("devices", "no device is given as it runs"));
    }
    let message = format!(
        "Podman does not tell what {} may be used for: the new container may read it, write to it \
         and make nodes of it. Whoever declares it in `run.devices` has it as declared",
        found.join(", ")
    );
    Some(Check::warned("devices", message))
}

/// Devices that somebody has given it, of which nobody knows what for.
fn given(member: &Member) -> Vec<String> {
    let all = member.inspect["HostConfig"]["Devices"].as_array().into_iter().flatten();
    let untold = all.filter(|it| it["CgroupPermissions"] == ALL_OF_A_DEVICE);
    untold
        .filter_map(|it| Some(format!("{} of {}", it["PathOnHost"].as_str()?, member.name())))
        .collect()
}

/// What was said of a container by Podman's own program and cannot be said at Docker's interface would be
/// gone without a word.
pub(super) fn options(at: &Observed, to: &Desired) -> Option<Check> {
    let found: Vec<String> = made_as_they_run(at, to)?.filter_map(untold).collect();
    if found.is_empty() {
        return Some(Check::passed("options", "nothing is known that cannot be carried over"));
    }
    let message =
        format!("Podman's Docker interface cannot make again what has {}", found.join(", "));
    let name = at.members.first().map_or(at.name.as_str(), Member::name);
    Some(Check::failed("options", "preflight_failed", message).hint(format!(
        "podman inspect --format '{{{{.Config.CreateCommand}}}}' {name}   # how it was made; make it anew without, \
         or declare it under `run`"
    )))
}

/// `--secret, --sysctl (web)`
fn untold(member: &Member) -> Option<String> {
    let all = member.inspect[UNTOLD].as_array()?;
    let names: Vec<&str> = all.iter().filter_map(|it| it.as_str()).collect();
    Some(format!("{} ({})", names.join(", "), member.name()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        container::{
            decisions::Decisions,
            goal::IncomingImage,
            hash::HashKey,
            observe::Found,
            preflight::CheckResult,
            run::RunSettings,
            settings::{ContainerSettings, DataSettings, HealthSettings, Retain},
        },
        engine_api::EngineFacts,
    };

    fn member(name: &str, inspect: &Value) -> Member {
        let mut inspect = inspect.clone();
        inspect["Name"] = json!(name);
        Member { inspect, image: Value::Null, written: Vec::new(), files: Vec::new() }
    }

    fn seen(is_podman: bool, members: Vec<Member>) -> Observed {
        let engine = EngineFacts {
            id: "id".to_owned(),
            version: "5.4.2".to_owned(),
            api: (1, 41),
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            is_podman,
            log_driver: "json-file".to_owned(),
        };
        Observed {
            engine,
            name: "web".to_owned(),
            members,
            others: Vec::new(),
            state: None,
            found: Found::default(),
            local_image: None,
            baseline: None,
        }
    }

    fn update(run: Option<RunSettings>) -> Desired {
        let image = IncomingImage {
            reference: "web:latest".to_owned(),
            digest: None,
            id: None,
            config: Value::Null,
            label: None,
            size_bytes: None,
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
        };
        let health = HealthSettings {
            probes: Vec::new(),
            interval_ms: 1_000,
            timeout_ms: 1_000,
            healthy_streak: 1,
            min_healthy_time_ms: 0,
            healthy_deadline_ms: None,
        };
        let settings = ContainerSettings {
            deployment: "web".to_owned(),
            image: None,
            container: "web".to_owned(),
            accounts: Vec::new(),
            data: DataSettings::default(),
            retain: Retain { releases: 3, snapshots: 3 },
            auto_rollback: true,
            run: run.map(Box::new),
            health,
        };
        Desired {
            operation: "operation".to_owned(),
            now: 0,
            settings,
            goal: Goal::Update(Box::new(image)),
            key: HashKey::new(b"key"),
            decisions: Decisions::default(),
            accept_loss: false,
        }
    }

    fn with_devices(name: &str, permissions: &str) -> Member {
        let device = json!({"PathOnHost": "/dev/fuse", "CgroupPermissions": permissions});
        member(name, &json!({"HostConfig": {"Devices": [device]}}))
    }

    #[test]
    fn what_a_device_may_be_used_for_is_said_to_be_unknown() {
        let said = devices(&seen(true, vec![with_devices("/web", "rwm")]), &update(None)).unwrap();
        assert_eq!(said.result, CheckResult::Warned);
        assert!(said.message.starts_with("Podman does not tell what /dev/fuse of web may be used"));
        assert!(said.message.contains("`run.devices`"), "{}", said.message);

        let none = [member("/web", &json!({"HostConfig": {"Devices": null}}))];
        let told = [with_devices("/web", "r")];
        for known in [none, told] {
            let said = devices(&seen(true, known.to_vec()), &update(None)).unwrap();
            assert_eq!(said.result, CheckResult::Passed);
        }
    }

    #[test]
    fn an_option_without_words_at_docker_s_interface_is_refused_by_name() {
        let web = || member("/web", &json!({ "Untold": ["--secret", "--sysctl"] }));
        let said = options(&seen(true, vec![web()]), &update(None)).unwrap();
        assert_eq!((said.result, said.code), (CheckResult::Failed, "preflight_failed"));
        assert!(said.message.ends_with("has --secret, --sysctl (web)"), "{}", said.message);
        assert!(said.hint.unwrap().contains("{{.Config.CreateCommand}}' web "));

        let declared = update(Some(RunSettings::default()));
        let said = options(&seen(true, vec![web()]), &declared).unwrap();
        assert_eq!(said.result, CheckResult::Passed);
        assert_eq!(options(&seen(false, vec![web()]), &update(None)), None);
    }

    #[test]
    fn a_device_that_is_declared_is_as_declared_and_one_of_a_sidecar_is_not() {
        let to = update(Some(RunSettings::default()));
        let web = with_devices("/web", "rwm");
        let said = devices(&seen(true, vec![web.clone()]), &to).unwrap();
        assert_eq!(said.result, CheckResult::Passed);
        let said = devices(&seen(true, vec![web, with_devices("/beside", "rwm")]), &to).unwrap();
        assert_eq!(said.result, CheckResult::Warned);
        assert!(said.message.contains("/dev/fuse of beside may"), "{}", said.message);
    }

    #[test]
    fn who_goes_back_and_who_is_on_docker_is_told_nothing() {
        let web = vec![with_devices("/web", "rwm")];
        let back = Goal::Rollback { number: 1, with_data: false };
        let back = Desired { goal: back, ..update(None) };
        assert_eq!(devices(&seen(true, web.clone()), &back), None);
        assert_eq!(addresses(&seen(true, web.clone()), &back), None);
        assert_eq!(devices(&seen(false, web.clone()), &update(None)), None);
        assert_eq!(addresses(&seen(false, web), &update(None)), None);
    }

    #[test]
    fn an_address_on_a_network_that_somebody_made_is_said_to_be_unknown() {
        let on = |network: &str| {
            let endpoint = json!({"IPAddress": "192.0.2.7"});
            member("/web", &json!({"NetworkSettings": {"Networks": {network: endpoint}}}))
        };
        let said = addresses(&seen(true, vec![on("shop")]), &update(None)).unwrap();
        assert_eq!(said.result, CheckResult::Warned);
        assert!(said.message.contains("192.0.2.7 of web on shop"), "{}", said.message);
        let said = addresses(&seen(true, vec![on("bridge")]), &update(None)).unwrap();
        assert_eq!(said.result, CheckResult::Passed);
    }
}

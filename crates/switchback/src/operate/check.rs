//! Is there something newer? Engines and registries are asked; nothing is changed, nothing pulled.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use switchback_targets::{
    container::{
        hash::HashKey,
        members::Member,
        plan::{label_of, version_of, wanted_specification},
        settings::{ContainerSettings, key_of},
    },
    registry::{self, Detection, Platform, Reference, RegistryError, Resolved, UnknownReason},
};

use super::{
    Answer,
    check_engine::{Seen, engines, place},
    connect::Connected,
    detect::{compare, local_image},
    now, prepare,
};
use crate::{config::Deployment, error::CommandError, store::Store};

/// Deployments at a time. The client of the registries bounds what each registry is asked at once.
const DEPLOYMENTS_AT_A_TIME: usize = 64;

/// The `deployments` of the document, in the order given. They are remembered in the store.
pub(crate) async fn check(
    store: &Store,
    registry: &registry::Client,
    deployments: &[&Deployment],
) -> Answer<Vec<Value>> {
    let engines = engines(deployments).await;
    let holds: BTreeMap<String, String> = store.holds()?.into_iter().collect();
    let one = async |(at, deployment): (usize, &Deployment)| {
        let found = found(store, registry, deployment, &engines).await;
        (at, document(store, deployment, found, holds.get(&deployment.name)))
    };
    let all = stream::iter(deployments.iter().copied().enumerate()).map(one);
    let mut all: Vec<(usize, Answer<Value>)> =
        all.buffer_unordered(DEPLOYMENTS_AT_A_TIME).collect().await;
    all.sort_by_key(|it| it.0);
    let all = all.into_iter().map(|it| it.1).collect::<Answer<Vec<Value>>>()?;
    let word = |it: &Value| it["deployment"].as_str().unwrap_or_default().to_owned();
    let kept: Vec<(String, String)> = all.iter().map(|it| (word(it), it.to_string())).collect();
    store.put_checks(&kept, now())?;
    Ok(all)
}

/// What was found out about one deployment.
#[derive(Default)]
struct Found {
    status: &'static str,
    reason: Option<String>,
    error: Option<CommandError>,
    host: Option<String>,
    current: (Option<String>, Option<String>),
    target: (Option<String>, Option<String>),
    /// Keyed hash of what an update would make the container from.
    specification: String,
}

impl Found {
    fn unknown(reason: &str, error: CommandError) -> Self {
        Self {
            status: "unknown",
            reason: Some(reason.to_owned()),
            error: Some(error),
            ..Self::default()
        }
    }

    fn from_registry(error: RegistryError) -> Self {
        let reason = error.reason();
        Self::unknown(reason, error.into())
    }

    fn available(resolved: &Resolved) -> Self {
        let target = (Some(resolved.digest().to_owned()), resolved.label.clone());
        Self { status: "available", target, ..Self::default() }
    }
}

async fn found(
    store: &Store,
    registry: &registry::Client,
    deployment: &Deployment,
    engines: &HashMap<String, Result<Seen, CommandError>>,
) -> Found {
    let (location, settings) = match place(deployment) {
        Ok(place) => place,
        Err(error) => return Found::unknown("not_supported", error),
    };
    let found = match engines.get(&location.url) {
        None => Found::unknown(
            "engine_unreachable",
            CommandError::new("internal", "the engine was not asked"),
        ),
        Some(Err(error)) => Found::unknown(&error.code, error.clone()),
        Some(Ok(seen)) => match seen.members.get(&settings.container) {
            None => {
                let found = to_install(registry, seen, &settings).await;
                Found { specification: specification(store, seen, None, &settings), ..found }
            }
            Some(member) => {
                let found = installed(registry, seen, member, &settings).await;
                let found = with_changed_settings(store, deployment, seen, &settings, found).await;
                let specification = specification(store, seen, Some(member), &settings);
                let current = (Some(version_of(member)), label_of(member));
                Found { current, specification, ..found }
            }
        },
    };
    Found { host: Some(location.url), ..found }
}

/// What an update would make the container from. Its image is not part of that.
fn specification(
    store: &Store,
    seen: &Seen,
    member: Option<&Member>,
    settings: &ContainerSettings,
) -> String {
    let wanted = wanted_specification(settings, member, "", seen.engine.facts());
    let key = HashKey::new(store.hash_key().as_bytes());
    wanted.map(|it| key.hash(&it.body)).unwrap_or_default()
}

/// A container that is not there can be installed if it is told how.
async fn to_install(
    registry: &registry::Client,
    seen: &Seen,
    settings: &ContainerSettings,
) -> Found {
    let missing = || {
        let message = format!("there is no container {} on this engine", settings.container);
        Found::unknown("not_found", CommandError::new("not_found", message).hint("docker ps --all"))
    };
    let (Some(image), Some(_)) = (&settings.image, &settings.run) else { return missing() };
    let Ok(reference) = image.parse::<Reference>() else { return missing() };
    let facts = seen.engine.facts();
    match registry.resolve(&reference, &Platform::new(&facts.os, &facts.architecture, None)).await {
        Ok(resolved) => {
            Found { reason: Some("not_installed".to_owned()), ..Found::available(&resolved) }
        }
        Err(error) => Found::from_registry(error),
    }
}

async fn installed(
    registry: &registry::Client,
    seen: &Seen,
    member: &Member,
    settings: &ContainerSettings,
) -> Found {
    let followed = match seen.followed(member, settings) {
        Ok(followed) => followed,
        Err(error) => return Found::unknown(&error.code.clone(), error),
    };
    let Some(followed) = followed else {
        let message =
            format!("container {} was made from an image without a name", settings.container);
        let hint = format!(
            "docker image ls   # then: switchback config set {} REPOSITORY:TAG",
            key_of(&settings.deployment, ".image")
        );
        return Found::unknown("local", CommandError::new("not_found", message).hint(hint));
    };
    let reference = match followed.parse::<Reference>() {
        Ok(reference) => reference,
        Err(error) => return Found::unknown("not_comparable", error.into()),
    };
    let mut compared = compare(registry, &reference, &local_image(&member.image)).await;
    match (compared.detection, compared.resolved.take()) {
        (Detection::UpToDate, _) => {
            let target = (Some(version_of(member)), label_of(member));
            Found { status: "up_to_date", target, ..Found::default() }
        }
        (Detection::Newer { .. }, Some(Ok(resolved))) => Found::available(&resolved),
        (Detection::Newer { digest }, _) => {
            Found { status: "available", target: (Some(digest), None), ..Found::default() }
        }
        (Detection::NeedsResolve, _) => Found {
            status: "unknown",
            reason: Some("not_comparable".to_owned()),
            ..Found::default()
        },
        (Detection::Unknown { reason: UnknownReason::Registry(_) }, resolved) => {
            let error = compared.head.err().or(resolved.and_then(Result::err));
            error.map_or_else(Found::default, Found::from_registry)
        }
        (Detection::Unknown { reason }, _) => {
            Found { status: "unknown", reason: Some(reason.word().to_owned()), ..Found::default() }
        }
    }
}

/// A changed `run` is a change like a new image.
async fn with_changed_settings(
    store: &Store,
    deployment: &Deployment,
    seen: &Seen,
    settings: &ContainerSettings,
    found: Found,
) -> Found {
    let is_settled = found.status == "up_to_date" || found.reason.as_deref() == Some("pinned");
    if settings.run.is_none() || !is_settled {
        return found;
    }
    let (name, engine) = (deployment.name.clone(), seen.engine.clone());
    let connected = Connected { name, settings: settings.clone(), engine };
    match prepare::is_changed(store, &connected).await {
        Ok(true) => {
            Found { status: "available", reason: Some("run has changed".to_owned()), ..found }
        }
        Ok(false) => found,
        Err(error) => Found { target: found.target, ..Found::unknown(&error.code.clone(), error) },
    }
}

/// One of the contract's objects. What was rejected is not offered.
fn document(
    store: &Store,
    deployment: &Deployment,
    found: Found,
    held: Option<&String>,
) -> Answer<Value> {
    let name = &deployment.name;
    let Found { mut status, mut reason, error, host, current, target, specification } = found;
    if let ("available", Some(version)) = (status, &target.0)
        && let Some(rejected) = store.is_quarantined(name, version, &specification)?
    {
        (status, reason) = ("quarantined", Some(rejected.reason));
    }
    let mut document = json!({
        "deployment": name,
        "kind": format!("{:?}", deployment.kind).to_lowercase(),
        "status": if status.is_empty() { "unknown" } else { status },
        "held": held.is_some(),
    });
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            document[key] = json!(value);
        }
    };
    put("host", host);
    put("reason", reason);
    put("current_version", current.0);
    put("current_label", current.1);
    put("target_version", target.0);
    put("target_label", target.1);
    put("held_at", held.cloned());
    if let Some(error) = error {
        document["error"] = error.object();
    }
    Ok(document)
}

//! The version that a plan leads to.

use serde_json::{Value, json};
use switchback_core::PlanError;

use super::super::{
    change::Subject,
    document::KeptRelease,
    goal::{Desired, Goal, IncomingImage},
    members::Member,
    observe::Observed,
    run::create_body,
    settings::ContainerSettings,
    specification::{Specification, Surroundings},
};
use crate::{engine_api::EngineFacts, registry::Reference};

/// The version that a plan leads to.
#[derive(Debug, Clone)]
pub(super) enum Incoming {
    /// A container that is made.
    New {
        image: Box<IncomingImage>,
        specification: Box<Specification>,
        /// An older release that is made again, and its image's name of ours.
        again: Option<Box<KeptRelease>>,
        keep: Option<String>,
    },
    /// A container that was parked.
    Kept { release: Box<KeptRelease> },
}

impl Incoming {
    pub(super) fn image(&self) -> Option<&IncomingImage> {
        match self {
            Self::New { image, .. } => Some(&**image),
            Self::Kept { .. } => None,
        }
    }

    pub(super) fn specification(&self) -> &Specification {
        match self {
            Self::New { specification, .. } => specification,
            Self::Kept { release } => &release.specification,
        }
    }

    /// What the engine uses as its `Config`, or has used for a release that ran before.
    pub(super) fn image_config(&self) -> Value {
        match self {
            Self::New { image, again: None, .. } => image.config.clone(),
            Self::New { again: Some(release), .. } | Self::Kept { release } => {
                release.inspect["Config"].clone()
            }
        }
    }

    pub(super) fn label(&self) -> Option<String> {
        match self {
            Self::New { image, again: None, .. } => image.label.clone(),
            Self::New { again: Some(release), .. } | Self::Kept { release } => {
                release.release.label.clone()
            }
        }
    }

    pub(super) fn subject(&self, temporary: &str) -> Subject {
        match self {
            Self::New { .. } => Subject::Created(temporary.to_owned()),
            Self::Kept { release } => Subject::Existing(release.container.clone()),
        }
    }
}

/// Decides what is made or taken back.
pub(super) fn of(at: &Observed, to: &Desired) -> Result<Incoming, PlanError> {
    match &to.goal {
        Goal::Update(image) => update(at, to, image),
        Goal::Rollback { number, .. } => rollback(at, to, *number),
    }
}

fn update(at: &Observed, to: &Desired, image: &IncomingImage) -> Result<Incoming, PlanError> {
    let reference = &image.reference;
    let wanted = wanted_specification(&to.settings, at.target(), reference, &at.engine);
    let Some(specification) = wanted else {
        return Err(PlanError::Refused {
            code: "not_found".to_owned(),
            problem: format!("there is no container {} on this engine", at.name),
            hint: Some("docker ps --all".to_owned()),
        });
    };
    if let Some(target) = at.target() {
        let is_same_image = is_running(target, image);
        let declared = declared(&to.settings, reference);
        if is_same_image && !declared_differs(at, declared.as_ref()) {
            return Err(PlanError::NothingToDo { version: image.version() });
        }
    }
    let (image, specification) = (Box::new(image.clone()), Box::new(specification));
    Ok(Incoming::New { image, specification, again: None, keep: None })
}

/// What an update makes the container from: what is declared, else what runs. None where there is
/// neither.
pub fn wanted_specification(
    settings: &ContainerSettings,
    target: Option<&Member>,
    reference: &str,
    engine: &EngineFacts,
) -> Option<Specification> {
    match declared(settings, reference) {
        Some(body) => {
            Some(Specification::of_declared(&body, target.map(|it| &it.inspect), engine.api))
        }
        None => target.map(|it| as_it_runs(engine, it)),
    }
}

fn declared(settings: &ContainerSettings, reference: &str) -> Option<Value> {
    settings.run.as_ref().map(|run| as_document(&create_body(run, reference)))
}

/// Whether the image that runs is the one that is wanted: by id, or by any digest that the local
/// image is known under.
fn is_running(target: &Member, image: &IncomingImage) -> bool {
    let by_id = image.id.as_deref() == Some(target.image_id());
    let digests = target.image["RepoDigests"].as_array().into_iter().flatten();
    let by_digest = image.digest.is_some()
        && digests.filter_map(Value::as_str).any(|it| Some(it) == image.digest.as_deref());
    by_id || by_digest
}

/// A changed `run` is a change like a new image. What was made last is compared, not what the
/// engine reports of it; and without the anonymous volumes, which nobody declared and which are
/// bound by name only from the second container on.
fn declared_differs(at: &Observed, declared: Option<&Value>) -> bool {
    let Some(recorded) = at.state.as_ref().and_then(|it| it.running()) else { return false };
    let Some(declared) = declared else { return false };
    let wanted = Specification::of_declared(declared, None, at.engine.api);
    let volumes = at.target().into_iter().flat_map(Member::data_volumes);
    !is_made_as(&recorded.specification, &wanted, volumes)
}

/// Whether a specification is the wanted one, but for volumes that nobody asked for by name.
fn is_made_as<'a>(
    made: &Specification,
    wanted: &Specification,
    volumes: impl Iterator<Item = (&'a str, &'a str)>,
) -> bool {
    let declared = wanted.body["HostConfig"]["Binds"].as_array();
    let anonymous: Vec<String> = volumes.map(|(name, target)| format!("{name}:{target}")).collect();
    let is_added = |bind: &Value| {
        let plain = bind.as_str().unwrap_or_default().trim_end_matches(":ro");
        declared.is_none_or(|it| !it.contains(bind)) && anonymous.iter().any(|it| it == plain)
    };
    let mut made = made.clone();
    let binds = made.body.pointer_mut("/HostConfig/Binds").and_then(Value::as_array_mut);
    let is_empty = binds.is_some_and(|it| {
        it.retain(|bind| !is_added(bind));
        it.is_empty()
    });
    if is_empty
        && declared.is_none()
        && let Some(host) = made.body["HostConfig"].as_object_mut()
    {
        host.remove("Binds");
    }
    made.body == wanted.body && made.joins == wanted.joins
}

fn rollback(at: &Observed, to: &Desired, number: u32) -> Result<Incoming, PlanError> {
    let refused = |problem: String| PlanError::Refused {
        code: "no_previous_release".to_owned(),
        problem,
        hint: Some(format!("switchback show {}", to.settings.deployment)),
    };
    let state = at.state.as_ref();
    let kept = state.and_then(|it| it.release(number)).cloned().map(Box::new);
    let Some(kept) = kept else {
        return Err(refused("No previous version available for rollback".to_owned()));
    };
    let is_parked = at.found.containers.iter().any(|it| it["Id"] == json!(kept.container));
    if is_parked {
        return Ok(Incoming::Kept { release: kept });
    }
    let is_here = at.found.images.contains(&kept.image);
    if !is_here && kept.digest.is_none() {
        return Err(refused(format!(
            "No previous version available for rollback: container and image of r{number} are gone"
        )));
    }
    let image = IncomingImage {
        reference: kept.reference.clone(),
        digest: kept.digest.clone(),
        id: is_here.then(|| kept.image.clone()),
        config: Value::Null,
        label: kept.release.label.clone(),
        size_bytes: None,
        os: at.engine.os.clone(),
        architecture: at.engine.architecture.clone(),
    };
    let (specification, keep) = (Box::new(kept.specification.clone()), kept.keep.clone());
    Ok(Incoming::New { image: Box::new(image), specification, again: Some(kept), keep })
}

/// The request that makes a member again as it runs.
pub(super) fn as_it_runs(engine: &EngineFacts, member: &Member) -> Specification {
    let around =
        Surroundings { old_image: &member.image, api: engine.api, log_driver: &engine.log_driver };
    Specification::of_running(&member.inspect, around)
}

fn as_document(body: &bollard::models::ContainerCreateBody) -> Value {
    serde_json::to_value(body).unwrap_or(Value::Null)
}

/// What identifies the image of a container: its digest in the repository that it was made from,
/// else any digest, else its id.
pub fn version_of(member: &Member) -> String {
    digest_of(member)
        .and_then(|it| it.split_once('@').map(|it| it.1.to_owned()))
        .unwrap_or_else(|| member.image_id().to_owned())
}

/// `repository@digest` of a container's image. Of several, the one that it was made by; else one of the
/// repository that it was made from, however that is written; else any.
pub fn digest_of(member: &Member) -> Option<String> {
    let repository = |it: &str| Some(it.parse::<Reference>().ok()?.familiar_name());
    let digest = |it: &str| it.split_once('@').map(|it| it.1.to_owned());
    let written = member.image_reference();
    let (own, made_by) = (repository(written), digest(written));
    let digests =
        || member.image["RepoDigests"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut ours = digests().filter(|it| own.is_some() && repository(it) == own);
    let exact = ours.clone().find(|it| made_by.is_some() && digest(it) == made_by);
    let found = exact.or_else(|| ours.next()).or_else(|| digests().next())?;
    // Podman knows an image's digest under each of its names, ours too, where no registry has it.
    let is_kept = found.starts_with("switchback-keep/");
    let kept = found.split_once('@').filter(|_| is_kept).zip(own);
    Some(kept.map_or_else(|| found.to_owned(), |((_, digest), own)| format!("{own}@{digest}")))
}

/// What people call the version of a container: its image's version label.
pub fn label_of(member: &Member) -> Option<String> {
    let label = &member.image["Config"]["Labels"]["org.opencontainers.image.version"];
    label.as_str().filter(|it| !it.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_digests_the_own_repositorys_counts() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let (mirror, own, older) = (digest("a"), digest("b"), digest("c"));
        let known = json!([
            format!("mirror.example/web@{mirror}"),
            format!("web@{own}"),
            format!("web@{older}"),
        ]);
        let version = |written: &str, known: &Value| {
            let inspect = json!({ "Config": { "Image": written }, "Image": "sha256:1d" });
            let image = json!({ "RepoDigests": known });
            version_of(&Member { inspect, image, written: Vec::new(), files: Vec::new() })
        };
        for written in
            ["web", "web:1.4", "docker.io/library/web:1.4", "index.docker.io/library/web"]
        {
            assert_eq!(version(written, &known), own, "{written}");
        }
        assert_eq!(version(&format!("web:1.4@{older}"), &known), older, "it was made by that one");
        assert_eq!(version("mirror.example/web:1", &known), mirror);
        // Podman writes the whole name.
        let whole =
            json!(
                [format!("mirror.example/web@{mirror}"), format!("docker.io/library/web@{own}"),]
            );
        assert_eq!(version("web:1.4", &whole), own);
        assert_eq!(version("elsewhere.example/web", &known), mirror, "better than none");
        assert_eq!(version("web", &json!([])), "sha256:1d");
    }

    #[test]
    fn volumes_that_nobody_declared_are_no_change() {
        let declared = json!({"HostConfig": {"RestartPolicy": {"Name": "always"}}});
        let wanted = Specification::of_declared(&declared, None, (1, 41));
        let volume = json!({"Type": "volume", "Name": "0a1b", "Destination": "/data", "RW": true});
        let old = json!({"Mounts": [volume]});
        let bound = Specification::of_declared(&declared, Some(&old), (1, 41));
        assert_ne!(bound.body, wanted.body, "the second container gets the volume by its name");
        assert!(is_made_as(&wanted, &wanted, [("0a1b", "/data")].into_iter()));
        assert!(is_made_as(&bound, &wanted, [("0a1b", "/data")].into_iter()));
        assert!(!is_made_as(&bound, &wanted, [("other", "/data")].into_iter()));

        let other = json!({"HostConfig": {"RestartPolicy": {"Name": "no"}}});
        let other = Specification::of_declared(&other, None, (1, 41));
        assert!(!is_made_as(&bound, &other, [("0a1b", "/data")].into_iter()));
    }
}

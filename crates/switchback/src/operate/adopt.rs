//! Takes over what runs, and gives it back.

use serde_json::{Value, json};
use switchback_core::release::{Evidence, Release};
use switchback_targets::{
    container::{
        document::{KeptRelease, TargetState},
        members::data_of,
        observe::observe,
        plan::{digest_of, label_of, version_of},
        preflight::owner_refusal,
        specification::{Specification, Surroundings as Around},
    },
    keeper::{self, programs},
};

use super::{
    Answer, Request, Surroundings,
    connect::Connected,
    execute::{known, lease, owner},
    now, prepare,
};
use crate::{error::CommandError, store};

/// Takes a container over exactly as it runs: it becomes r1, with the evidence of one look. Nothing
/// about it is changed.
pub async fn adopt(
    around: &Surroundings<'_>,
    connected: &Connected,
    is_taken_over: bool,
) -> Answer<Value> {
    let name = &connected.name;
    let kept = connected.kept().await?;
    let is_strange = kept.state.as_ref().is_some_and(|it| it.owner.store != around.store.id());
    if is_strange && !is_taken_over {
        super::connect::refuse_strangers(kept.state.as_ref(), around.store.id(), name)?;
    }
    let seen = observe(&connected.engine, connected.target(), None, kept.state.clone()).await?;
    let Some(target) = seen.target() else {
        let message = format!("there is no container {} on this engine", connected.target());
        return Err(CommandError::new("not_found", message).hint("docker ps --all"));
    };
    if let Some(refusal) = owner_refusal(&seen, &connected.settings) {
        return Err(refusal.into());
    }
    let operation = super::execute::id();
    let lease =
        lease(around, connected, &Request::default(), &operation, &data_of(&seen.members)).await?;
    let state = match kept.state {
        Some(state) => TargetState { owner: owner(around), deployment: name.clone(), ..state },
        None => {
            let fresh = TargetState::new(name, owner(around), &operation);
            let evidence = evidence(connected, target.doing()).await?;
            let facts = connected.engine.facts();
            let specification = Specification::of_running(
                &target.inspect,
                Around { old_image: &target.image, api: facts.api, log_driver: &facts.log_driver },
            );
            let release = Release {
                number: 1,
                version: version_of(target),
                label: label_of(target),
                specification: switchback_targets::container::hash::HashKey::new(
                    around.store.hash_key().as_bytes(),
                )
                .hash(&specification.body),
                at: now(),
                evidence,
                operation: None,
                snapshot: None,
                irreversible: false,
            };
            let running = KeptRelease {
                release,
                container: target.id().to_owned(),
                name: target.name().to_owned(),
                image: target.image_id().to_owned(),
                reference: target
                    .image_reference()
                    .split('@')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                digest: digest_of(target),
                keep: None,
                specification,
                inspect: target.inspect.clone(),
            };
            fresh.after(&operation, running, None, &[])
        }
    };
    let path = format!("{}/state.json", keeper::target_folder(connected.target()));
    let written = programs::put(&connected.engine, lease.keeper(), &path, state.write()).await;
    lease.release().await?;
    written.map_err(|it| CommandError::new(it.code(), it.to_string()))?;
    known(around, connected)?;
    remember(around, connected, &state)?;
    Ok(json!({ "deployment": name, "action": "adopt", "outcome": "committed", "success": true,
        "release": format!("r{}", state.current), "took_over": is_strange }))
}

async fn evidence(
    connected: &Connected,
    doing: switchback_targets::container::members::Doing,
) -> Answer<Evidence> {
    use switchback_core::HealthGate as _;
    if doing != switchback_targets::container::members::Doing::Running {
        return Ok(Evidence::Unverified);
    }
    let seen = prepare::gate(connected)?.probe().await;
    Ok(match (seen.probes.is_empty(), seen.running && seen.probes.iter().all(|it| it.ready)) {
        (true, _) => Evidence::Unverified,
        (false, true) => Evidence::SeenHealthy,
        (false, false) => Evidence::SeenIll,
    })
}

/// Copies what is recorded with the target into the store, less what is secret there.
pub fn remember(
    around: &Surroundings<'_>,
    connected: &Connected,
    state: &TargetState,
) -> Answer<()> {
    let name = &connected.name;
    for kept in &state.releases {
        let release = &kept.release;
        let text = serde_json::to_string(release)
            .map_err(|it| CommandError::new("internal", it.to_string()))?;
        let number = u64::from(release.number);
        around.store.put_release(&store::Release {
            deployment: name.clone(),
            number,
            state: if release.number == state.current { "running" } else { "kept" }.to_owned(),
            version: release.version.clone(),
            label: release.label.clone(),
            created_at: release.at,
            release_json: text,
        })?;
    }
    if state.current > 0 {
        around.store.set_current(name, u64::from(state.current))?;
    }
    let is_kept =
        |number: u64| state.releases.iter().any(|it| u64::from(it.release.number) == number);
    for known in around.store.releases(name)? {
        if !is_kept(known.number) {
            let _was_there = around.store.remove_release(name, known.number)?;
        }
    }
    Ok(())
}

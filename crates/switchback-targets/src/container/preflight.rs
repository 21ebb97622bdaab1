//! All that can be known before anything is changed. Pure: each check is a function of what was
//! observed and what is wanted, and says `passed`, `failed`, `warned` or `skipped`.

mod command;
mod data;
mod owners;
mod podman;
mod ports;
mod sharing;
mod with_data;

use std::fmt::Write as _;

pub use self::{data::lost_paths, owners::owner_of};
use serde::Serialize;
use serde_json::{Value, json};
use switchback_core::PlanError;

use super::{
    goal::{Desired, Goal, IncomingImage},
    killed::Killed,
    members::Member,
    observe::Observed,
    settings::key_of,
};

/// One check and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A stable word.
    pub check: &'static str,
    /// What it found.
    pub result: CheckResult,
    /// In words.
    pub message: String,
    /// The contract's error code, where it failed.
    #[serde(skip)]
    pub code: &'static str,
    /// What to do about it.
    #[serde(skip)]
    pub hint: Option<String>,
}

/// What a check found. Skipped is never passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// All is well.
    Passed,
    /// It may go on, but a person should know.
    Warned,
    /// It may not go on.
    Failed,
    /// It could not be looked at, or does not apply.
    Skipped,
}

impl Check {
    pub(super) fn passed(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, CheckResult::Passed, message.into())
    }

    pub(super) fn skipped(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, CheckResult::Skipped, message.into())
    }

    pub(super) fn warned(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, CheckResult::Warned, message.into())
    }

    pub(super) fn failed(
        check: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { code, ..Self::new(check, CheckResult::Failed, message.into()) }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn new(check: &'static str, result: CheckResult, message: String) -> Self {
        Self { check, result, message, code: "", hint: None }
    }
}

/// Every check, in the order in which they are shown.
pub fn checks(at: &Observed, to: &Desired) -> Vec<Check> {
    let mut all = owners::checks(at, &to.settings);
    all.push(exists(at, to));
    all.push(architecture(at, to));
    all.extend(command::command(at, to));
    all.push(auto_remove(at, to));
    all.extend(outlived(at, to));
    all.push(unmanaged_difference(at, to));
    all.extend(podman::addresses(at, to));
    all.extend(podman::devices(at, to));
    all.extend(podman::options(at, to));
    all.extend(ports::checks(at, to));
    all.extend(data::checks(at, to));
    all.push(accounts(at, to));
    all.push(probes(at, to));
    all.push(way_back(at));
    all.extend(Killed::expected(at).map(|it| Check::warned("stop", it.before(&to.settings))));
    all
}

/// Why a container may not be managed at all: somebody else makes and unmakes it.
pub fn owner_refusal(
    at: &Observed,
    settings: &super::settings::ContainerSettings,
) -> Option<PlanError> {
    owners::checks(at, settings).into_iter().find_map(refusal)
}

fn refusal(check: Check) -> Option<PlanError> {
    let Check { result: CheckResult::Failed, code, message, hint, .. } = check else { return None };
    Some(PlanError::Refused { code: code.to_owned(), problem: message, hint })
}

/// The first check that failed, as the reason why there is no plan.
pub(super) fn first_refusal(at: &Observed, to: &Desired) -> Option<PlanError> {
    checks(at, to).into_iter().find_map(refusal)
}

fn exists(at: &Observed, to: &Desired) -> Check {
    match at.target() {
        Some(_) => Check::passed("container", format!("container {} is there", at.name)),
        None if to.settings.run.is_some() && matches!(to.goal, Goal::Update(_)) => {
            Check::passed("container", format!("container {} will be installed", at.name))
        }
        None => {
            let message = format!("there is no container {} on this engine", at.name);
            Check::failed("container", "not_found", message).hint("docker ps --all")
        }
    }
}

fn architecture(at: &Observed, to: &Desired) -> Check {
    let Goal::Update(image) = &to.goal else {
        return Check::skipped("architecture", "the release has run here before");
    };
    let IncomingImage { os, architecture, reference, .. } = &**image;
    let has = format!("{}/{}", at.engine.os, at.engine.architecture);
    let needs = format!("{os}/{architecture}");
    if has == needs {
        return Check::passed("architecture", format!("{reference} is made for {has}"));
    }
    let message = format!("{reference} is made for {needs}, but the engine runs {has}");
    Check::failed("architecture", "preflight_failed", message)
}

/// The engine deletes such a container, and its anonymous volumes, the moment it stops: there would
/// be nothing to go back to, even where a declaration could make a new one.
fn auto_remove(at: &Observed, to: &Desired) -> Check {
    let is_removed = |it: &&Member| it.inspect["HostConfig"]["AutoRemove"] == json!(true);
    let Some(removed) = at.members.iter().find(is_removed) else {
        return Check::passed("auto_remove", "a stop does not delete the container");
    };
    let name = removed.name();
    let mut message = format!("{name} was started with --rm: the engine deletes it when it stops");
    let is_beside = at.target().is_none_or(|it| it.id() != removed.id());
    let hint = if is_beside {
        let _ = write!(message, "; it depends on {}, and would have to stop with it", at.name);
        format!(
            "docker stop {name}   # it is gone then, with its anonymous volumes; then: switchback update {}",
            to.settings.deployment
        )
    } else if to.settings.run.is_some() {
        format!(
            "docker stop {}   # it is gone then, with its anonymous volumes; then: switchback update {}",
            at.name, to.settings.deployment
        )
    } else {
        format!(
            "switchback config schema   # declare it: add [deployment.{}.run] to switchback.toml",
            to.settings.deployment
        )
    };
    Check::failed("auto_remove", "data_at_risk", message).hint(hint)
}

/// Who still runs in the namespaces of one that has stopped cannot be started again once it is
/// stopped, and neither can its successor.
fn outlived(at: &Observed, to: &Desired) -> Option<Check> {
    let (running, gone) = at.members.iter().find_map(|it| {
        let is_up = it.was().is_some();
        let stopped = at.members.iter().filter(|other| other.was().is_none());
        let gone = stopped.into_iter().find(|other| is_up && it.shares_namespaces_of(other))?;
        Some((it.name(), gone.name()))
    })?;
    let message = format!(
        "{running} runs with the namespaces of {gone}, which is stopped: stopped as well, it could not be started again"
    );
    let hint = format!(
        "docker start {gone}   # or: docker stop {running}; then: switchback update {}",
        to.settings.deployment
    );
    Some(Check::failed("dependents", "preflight_failed", message).hint(hint))
}

/// A declared container that exists and differs before it was ever ours: nobody can tell which of
/// the two is right.
fn unmanaged_difference(at: &Observed, to: &Desired) -> Check {
    let (Some(target), Some(run)) = (at.target(), to.settings.run.as_ref()) else {
        return Check::skipped("declared", "nothing is declared, or nothing is there");
    };
    if at.state.as_ref().is_some_and(|it| it.current > 0) {
        return Check::passed("declared", "the container is ours already");
    }
    let declared = super::run::create_body(run, target.image_reference());
    let declared = serde_json::to_value(&declared).unwrap_or(Value::Null);
    let differences = super::diff::declared(&declared, &target.inspect, &target.image);
    if differences.is_empty() {
        return Check::passed("declared", "what runs is what is declared");
    }
    let names: Vec<String> = differences.into_iter().map(|it| it.path).collect();
    let message = format!(
        "container {} exists and differs from what is declared: {}",
        at.name,
        names.join(", ")
    );
    let hint = format!(
        "switchback config unset {2}   # keep it as it runs, with: switchback adopt {0}; or let it be made as declared: docker rename {1} {1}-old",
        to.settings.deployment,
        at.name,
        key_of(&to.settings.deployment, ".run")
    );
    Check::failed("declared", "drifted", message).hint(hint)
}

fn accounts(at: &Observed, to: &Desired) -> Check {
    let (Some(target), false) = (at.target(), to.settings.accounts.is_empty()) else {
        return at.target().map_or_else(no_accounts, |it| forgotten_passwords(it, to));
    };
    if target.inspect["HostConfig"]["ReadonlyRootfs"] == json!(true) {
        let message =
            format!("{} has a read-only root: accounts cannot be written into it", at.name);
        return Check::failed("accounts", "preflight_failed", message).hint(format!(
            "switchback config set {} '[]'",
            key_of(&to.settings.deployment, ".accounts.users")
        ));
    }
    let users = to.settings.accounts.join(", ");
    Check::passed("accounts", format!("{users} are carried over with their passwords"))
}

fn no_accounts() -> Check {
    Check::skipped("accounts", "no accounts are configured")
}

/// Passwords that were set inside the container lie in its own layer, which a new one starts
/// without. Whoever configures accounts takes them along.
fn forgotten_passwords(target: &Member, to: &Desired) -> Check {
    let is_made_anew = matches!(to.goal, Goal::Update(_));
    if !is_made_anew || !target.written.iter().any(|it| it == "/etc/shadow") {
        return no_accounts();
    }
    let (name, key) = (target.name(), key_of(&to.settings.deployment, ".accounts.users"));
    let message = format!(
        "passwords were set inside of {name}, and no accounts are configured: the new container \
         starts without them. To carry them over: switchback config set \
         {key} '[\"USER\"]'   (else set them again: \
         docker exec -it {name} passwd USER)"
    );
    Check::warned("accounts", message)
}

fn probes(at: &Observed, to: &Desired) -> Check {
    let has_probe = !to.settings.health.probes.is_empty();
    let has_check = at.target().is_some_and(|it| {
        let test = &it.inspect["Config"]["Healthcheck"]["Test"];
        test.is_array() && test[0] != json!("NONE")
    });
    let has_port = at.target().is_none_or(|it| {
        let ports = it.inspect["HostConfig"]["PortBindings"].as_object();
        ports.is_some_and(|it| !it.is_empty())
    });
    if has_probe || has_check {
        return Check::passed("probe", "a probe decides");
    }
    if has_port {
        return Check::passed("probe", "a connection to each published port decides");
    }
    let message = "nothing is probed: that the process stays up is all the evidence there will be";
    Check::warned("no_probe", message)
}

fn way_back(at: &Observed) -> Check {
    match at.target() {
        None => Check::skipped("way_back", "nothing runs yet"),
        Some(target) => {
            let name = target.name();
            Check::passed("way_back", format!("{name} is parked, and started again if need be"))
        }
    }
}

//! Whether there is a program to run. Some engines make a container without one, and fail only when
//! they start it, after the old one was stopped.

use serde_json::Value;

use super::Check;
use crate::container::{
    goal::{Desired, Goal, IncomingImage},
    observe::Observed,
    run,
    specification::{Specification, Surroundings, is_empty, merged},
};

pub(super) fn command(at: &Observed, to: &Desired) -> Option<Check> {
    let Goal::Update(image) = &to.goal else { return None };
    let IncomingImage { config, reference, .. } = &**image;
    let wishes = wishes(at, to, reference)?;
    let all = merged(&wishes, config);
    if config.is_object() && is_empty(&all["Entrypoint"]) && is_empty(&all["Cmd"]) {
        let message = format!(
            "{reference} has no command, and {} was given none: there is nothing to run",
            at.name
        );
        let hint = format!("docker image inspect --format '{{{{json .Config}}}}' {reference}");
        return Some(Check::failed("command", "preflight_failed", message).hint(hint));
    }
    Some(Check::passed("command", "there is a program to run"))
}

/// The person's own part of the configuration.
fn wishes(at: &Observed, to: &Desired, reference: &str) -> Option<Value> {
    if let Some(run) = &to.settings.run {
        return serde_json::to_value(run::create_body(run, reference)).ok();
    }
    let target = at.target()?;
    let around = Surroundings { old_image: &target.image, api: at.engine.api, log_driver: "" };
    Some(Specification::of_running(&target.inspect, around).body)
}

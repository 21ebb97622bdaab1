//! `adopt`: takes over what runs.

use serde_json::{Value, json};
use switchback_targets::engine_api::{EngineClient, locate};

use super::{consent, follow::Follower, found, init};
use crate::{
    cli::AdoptArgs,
    config::{Config, Deployment, FoundContainer, RealWorld},
    context::{Busy, Context, chosen},
    error::CommandError,
    exit_code::ExitCode,
    operate::{Answer, Request, adopt as take, connect, drive},
    store::Store,
};

/// `switchback adopt`
pub(super) async fn adopt(context: &Context, args: AdoptArgs) -> Answer<ExitCode> {
    let mut results = Vec::new();
    for name in &args.names {
        let result = named(context, name, args.take_over).await;
        results.push(result.unwrap_or_else(|error| consent::failed(name, "adopt", &error)));
    }
    let code = consent::worth(&results);
    let is_list = results.len() > 1;
    let document = if is_list { json!({ "results": results }) } else { results.swap_remove(0) };
    drop(context.printer.operation(&document));
    Ok(code)
}

/// A deployment, or a container that the configuration does not name yet.
async fn named(context: &Context, name: &str, may_take_over: bool) -> Answer<Value> {
    let (location, before) = init::existing(context)?;
    let config = match &before {
        Some(text) => Some(Config::parse(text, &location, &RealWorld)?),
        None => None,
    };
    let is_known = |config: &Config| {
        config.deployments.contains_key(name)
            || config.fleets.contains_key(name.split('/').next().unwrap_or(name))
    };
    if config.as_ref().is_some_and(is_known) {
        let config = context.config()?;
        let deployment = chosen(&config, &[name.to_owned()])?[0];
        let store = context.store(Some(&config))?;
        return one(context, &store, deployment, may_take_over, &[], || Ok(())).await;
    }
    let container = strange(config.as_ref(), name).await?;
    let text = init::text_of_file(context, &location, before.as_deref(), &[container])?;
    let config = Config::parse(&text, &location, &RealWorld)?;
    let deployment = config
        .deployments
        .values()
        .find(|it| it.container.as_ref().is_some_and(|settings| settings.container == name));
    let Some(deployment) = deployment else {
        return Err(CommandError::new(
            "internal",
            format!("{name} did not get into the configuration"),
        ));
    };
    let store = context.store(Some(&config))?;
    let facts = [format!("{} is added to {}.", deployment.name, location.path.display())];
    one(context, &store, deployment, may_take_over, &facts, || init::write(&location.path, &text))
        .await
}

/// A container of the usual engine, if it may be taken over at all.
async fn strange(config: Option<&Config>, name: &str) -> Answer<FoundContainer> {
    let engine = locate(None, |key| std::env::var(key).ok())?;
    let engine = EngineClient::connect(&engine).await?;
    match found::named(&engine, name).await? {
        Some(FoundContainer { left_out: Some(reason), .. }) => Err(CommandError::new(
            "not_permitted",
            format!("container {name} cannot be taken over: {reason}"),
        )
        .hint("switchback init   # lists what can be taken over, and why the rest cannot")),
        Some(found) => Ok(found),
        None => {
            // Perhaps it is a deployment whose name was mistyped.
            let hint = config.and_then(|it| chosen(it, &[name.to_owned()]).err()?.hint);
            let message = format!("there is neither a deployment nor a container {name}");
            Err(CommandError::new("not_found", message)
                .hint(hint.unwrap_or_else(|| "docker ps --all".to_owned())))
        }
    }
}

async fn one(
    context: &Context,
    store: &Store,
    deployment: &Deployment,
    may_take_over: bool,
    facts: &[String],
    write: impl FnOnce() -> Answer<()>,
) -> Answer<Value> {
    let (follower, events) = Follower::begin(context);
    let around = context.surroundings(store, events)?;
    let busy = Busy::begin();
    let request = Request { lock_timeout_ms: context.lock_timeout_ms()?, ..Request::default() };
    let work = async {
        let connected = connect::connect(deployment).await?;
        let kept = connected.kept().await?;
        if !may_take_over {
            connect::refuse_strangers(kept.state.as_ref(), store.id(), &connected.name)?;
        }
        let adoption = take::survey(&around, &connected, kept, may_take_over).await?;
        if adoption.has_changes() || !facts.is_empty() {
            let mut facts = facts.to_vec();
            facts.push(adoption.explanation(&connected.name));
            consent::agree(context, &facts, &format!("Take over {}?", connected.name))?;
        }
        // What was interrupted comes first; it may have changed what there is to take over.
        let kept = connected.kept().await?;
        let kept =
            drive::settled(&around, &connected, &request, kept, &follower, may_take_over).await?;
        let adoption = take::survey(&around, &connected, kept, may_take_over).await?;
        write()?;
        take::adopt(&around, &connected, &request, adoption).await
    };
    let done = work.await;
    drop((around, busy));
    follower.end().await;
    done
}

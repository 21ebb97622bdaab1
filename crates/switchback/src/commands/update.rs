//! `update`, `rollback`, `recover`, `plan`.

use serde_json::{Value, json};
use switchback_targets::container::settings::key_of;

use super::follow::Follower;
use crate::{
    cli::{PlanArgs, RecoverArgs, RollbackArgs, TargetArgs, UpdateArgs},
    config::{Deployment, Updates},
    confirm::{self, How, Situation},
    context::{Asking, Busy, Context, chosen, only, signal_exit_code},
    display::{result as text, warning},
    error::CommandError,
    exit_code::ExitCode,
    operate::{
        Answer, Request, Wanted, connect, drive, execute, plan_document, prepare, recover::Way,
        result::without_transaction,
    },
};

/// `switchback update`
pub(super) async fn update(context: &Context, args: UpdateArgs) -> Answer<ExitCode> {
    if args.rollback || args.dry_run {
        refuse_several(&args.names, args.rollback)?;
    }
    if args.rollback {
        let name = args.names.first().cloned();
        let (to, dry_run, accept_loss) = (args.target.to, args.dry_run, args.accept_loss);
        return rollback(
            context,
            RollbackArgs { name, to, with_data: false, dry_run, accept_loss },
        )
        .await;
    }
    if args.dry_run {
        let name = args.names.first().cloned();
        return planned(context, name, &args.target, args.accept_loss).await;
    }
    let config = context.config()?;
    let chosen: Vec<&Deployment> = match (args.all, args.names.is_empty()) {
        (true, _) => chosen(&config, &[])?,
        (false, true) => vec![only(&config, None)?],
        (false, false) => chosen(&config, &args.names)?,
    };
    let store = context.store(Some(&config))?;
    let request = request(context, &args.target, args.accept_loss, args.plan)?;
    let mut results = Vec::new();
    for deployment in &chosen {
        let skipped =
            if args.all { passed_by(&store, deployment)? } else { refuse_off(deployment)? };
        let result = match skipped {
            Some(reason) => skipped_result(&deployment.name, &reason),
            None => one(context, &store, deployment, &request).await,
        };
        let is_passed_by = args.all && result["error"]["code"] == "quarantined";
        let result = match result["error"]["message"].as_str().filter(|_| is_passed_by) {
            Some(reason) => skipped_result(&deployment.name, reason),
            None => result,
        };
        results.push(result);
    }
    finish(context, results, args.all || chosen.len() > 1)
}

/// `switchback rollback`
pub(super) async fn rollback(context: &Context, args: RollbackArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let deployment = only(&config, args.name.as_deref())?;
    let store = context.store(Some(&config))?;
    let to = args.to.as_deref().map(release_number).transpose()?;
    let goal = Wanted::Rollback { to, with_data: args.with_data };
    let request = Request {
        goal,
        accept_loss: args.accept_loss,
        lock_timeout_ms: context.lock_timeout_ms()?,
        ..Request::default()
    };
    if args.dry_run {
        return show_plan(context, &store, deployment, &request).await;
    }
    let result = one(context, &store, deployment, &request).await;
    finish(context, vec![result], false)
}

/// `switchback plan`
pub(super) async fn plan(context: &Context, args: PlanArgs) -> Answer<ExitCode> {
    planned(context, args.name, &args.target, false).await
}

async fn planned(
    context: &Context,
    name: Option<String>,
    target: &TargetArgs,
    accept_loss: bool,
) -> Answer<ExitCode> {
    let config = context.config()?;
    let deployment = only(&config, name.as_deref())?;
    let store = context.store(Some(&config))?;
    let request = request(context, target, accept_loss, None)?;
    show_plan(context, &store, deployment, &request).await
}

/// A plan, and a way back, are about one deployment; what is named and not done would be a lie.
fn refuse_several(names: &[String], is_rollback: bool) -> Answer<()> {
    let Some([first, _, ..]) = names.get(..) else { return Ok(()) };
    let (flag, command) = if is_rollback { ("rollback", "rollback") } else { ("dry-run", "plan") };
    let problem = format!("--{flag} is about one deployment, and {} are named", names.len());
    let hint = shell_words::join(["switchback", command, first.as_str()]);
    Err(CommandError::new("usage", problem).hint(hint))
}

/// `switchback recover`
pub(super) async fn recover(context: &Context, args: RecoverArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let chosen = match &args.name {
        Some(name) => vec![only(&config, Some(name))?],
        None => chosen(&config, &[])?,
    };
    let store = context.store(Some(&config))?;
    let way = match &args.name {
        _ if args.accept_current => Way::AcceptCurrent,
        Some(_) => Way::Finish,
        None => Way::FinishAll,
    };
    let mut results = Vec::new();
    for deployment in chosen {
        // Of all only those count of which something could have been left.
        if args.name.is_none() && (deployment.container.is_none() || deployment.host.is_some()) {
            continue;
        }
        let (follower, events) = Follower::begin(context);
        let around = context.surroundings(&store, events)?;
        let busy = Busy::begin();
        let mut agree = |document: &Value| {
            announce(context, "recover", document);
            ask(context, "recover", document)
        };
        let done = drive::recover_one(&around, deployment, way, &follower, &mut agree).await;
        drop((around, busy));
        follower.end().await;
        match done {
            Ok(None) if args.name.is_some() => results.push(nothing_open(&deployment.name)),
            Ok(None) => {}
            Ok(Some(document)) => results.push(document),
            Err(error) => results.push(failed(&deployment.name, "recover", &error)),
        }
    }
    let code = ExitCode::worst(results.iter().map(ExitCode::of_recovery));
    let document = match (&args.name, results.as_slice()) {
        (Some(_), [one]) => one.clone(),
        _ => json!({ "results": results }),
    };
    drop(context.printer.operation(&document));
    Ok(code)
}

/// The result where nothing was left half-way.
fn nothing_open(name: &str) -> Value {
    let mut document = without_transaction(name, "recover", "up_to_date", None);
    document["trigger"] = json!("recovery");
    document
}

fn request(
    context: &Context,
    target: &TargetArgs,
    accept_loss: bool,
    fingerprint: Option<String>,
) -> Answer<Request> {
    Ok(Request {
        goal: Wanted::Update { to: target.to.clone() },
        force: context.global.force,
        accept_loss,
        fingerprint,
        lock_timeout_ms: context.lock_timeout_ms()?,
        trigger: "manual".to_owned(),
    })
}

/// `r3`, or `3`.
fn release_number(text: &str) -> Answer<u32> {
    text.strip_prefix('r').unwrap_or(text).parse().map_err(|_| {
        CommandError::new("usage", format!("{text} is no release: they are called r1, r2, …"))
            .hint("switchback status   # names the releases that there are")
    })
}

/// One deployment, its progress shown; an error becomes its result.
async fn one(
    context: &Context,
    store: &crate::store::Store,
    deployment: &Deployment,
    request: &Request,
) -> Value {
    let action = request.goal.action();
    let (follower, events) = Follower::begin(context);
    let around = match context.surroundings(store, events) {
        Ok(around) => around,
        Err(error) => return failed(&deployment.name, action, &error),
    };
    let busy = Busy::begin();
    let mut agree = |document: &Value| {
        if let Some(wanted) = &request.fingerprint
            && document["fingerprint"].as_str() != Some(wanted)
        {
            let message =
                format!("{} would be updated by another plan than {wanted}", deployment.name);
            return Err(CommandError::new("plan_stale", message)
                .hint(format!("switchback plan {}", deployment.name)));
        }
        announce(context, action, document);
        ask(context, action, document)
    };
    let done = drive::drive(&around, deployment, request, &follower, &mut agree).await;
    drop((around, busy));
    follower.end().await;
    done.unwrap_or_else(|error| failed(&deployment.name, action, &error))
}

/// Says what it costs, also where nobody is asked and with `--quiet`.
fn announce(context: &Context, action: &str, document: &Value) {
    for line in warning::before_change(action, document) {
        context.printer.before_question(&line);
    }
}

/// Asks whether to go on; without a terminal and without `-y` nothing is changed.
fn ask(context: &Context, action: &str, document: &Value) -> Answer<()> {
    let situation = Situation {
        yes: context.assumes_yes(),
        terminal: context.printer.can_ask(),
        has_changes: true,
        data: confirm::Data::Safe,
    };
    let refused = match confirm::how(situation) {
        How::Proceed => return Ok(()),
        How::Refuse(refusal) => refusal,
        How::Ask => {
            let question = warning::question(action, document);
            let _asking = Asking::begin();
            let answer = tokio::task::block_in_place(|| confirm::ask_on_terminal(&question));
            match answer {
                Ok(confirm::Answer::Yes) => return Ok(()),
                Ok(confirm::Answer::No) | Err(_) => confirm::Refusal::Declined,
            }
        }
    };
    Err(CommandError::new(refused.code(), refused.to_string()).hint(refused.hint()))
}

/// The result of an operation that did not come to a transaction.
fn failed(deployment: &str, action: &str, error: &CommandError) -> Value {
    let outcome = match error.exit_code() {
        ExitCode::Refused => "refused",
        ExitCode::Stuck => "stuck",
        _ => "failed",
    };
    without_transaction(deployment, action, outcome, Some(error))
}

/// Prints what became of it.
fn finish(context: &Context, mut results: Vec<Value>, is_list: bool) -> Answer<ExitCode> {
    let code = ExitCode::worst(results.iter().map(|it| match it["outcome"].as_str() {
        Some("interrupted") if it["error"]["code"] != "locked" => signal_exit_code(),
        _ => ExitCode::of_result(it),
    }));
    let document = if is_list { json!({ "results": results }) } else { results.swap_remove(0) };
    drop(context.printer.operation(&document));
    Ok(code)
}

/// What `--all` passes by.
fn passed_by(store: &crate::store::Store, deployment: &Deployment) -> Answer<Option<String>> {
    if deployment.updates == Updates::Off {
        return Ok(Some("updates = \"off\"".to_owned()));
    }
    if let Some(reference) = store.hold(&deployment.name)? {
        return Ok(Some(format!("held at {reference}")));
    }
    Ok(None)
}

fn refuse_off(deployment: &Deployment) -> Answer<Option<String>> {
    if deployment.updates != Updates::Off {
        return Ok(None);
    }
    let name = &deployment.name;
    Err(CommandError::new("not_permitted", format!("{name} has updates = \"off\""))
        .hint(format!("switchback config set {} manual", key_of(name, ".updates"))))
}

fn skipped_result(name: &str, reason: &str) -> Value {
    let mut result = without_transaction(name, "update", "skipped", None);
    result["warnings"] = json!([format!("skipped: {reason}")]);
    result
}

async fn show_plan(
    context: &Context,
    store: &crate::store::Store,
    deployment: &Deployment,
    request: &Request,
) -> Answer<ExitCode> {
    let (sender, _nobody) = tokio::sync::mpsc::unbounded_channel();
    let around = context.surroundings(store, sender)?;
    let connected = connect::connect(deployment).await?;
    let kept = connected.kept().await?;
    let surveyed = prepare::survey(&around, &connected, &kept, request, &execute::id()).await;
    let prepared = match surveyed {
        // As `check` has it: a registry that does not answer says neither that something is newer
        // nor that nothing is.
        Err(error) if error.code.starts_with("registry_") => {
            drop(context.printer.error(&error.document()));
            return Ok(ExitCode::Unknown);
        }
        surveyed => surveyed?,
    };
    let document = plan_document::document(&connected, &prepared);
    drop(context.printer.result(&text::plan(&document), &document));
    Ok(match (&prepared.refused, &prepared.planned) {
        (Some(refused), _) => refused.exit_code(),
        (None, Some(_)) => ExitCode::Available,
        (None, None) => ExitCode::Done,
    })
}

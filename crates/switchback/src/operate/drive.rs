//! One operation from its wish to its result.

use serde_json::{Value, json};
use switchback_core::{Outcome, event::EventKind};
use switchback_targets::keeper::lease;

use super::{
    Answer, Request, Surroundings,
    adopt::remember,
    connect::{Connected, Kept, connect, refuse_other_engine, refuse_strangers},
    decisions,
    downtime::Downtime,
    execute::{self, Ended, execute},
    look::look_after,
    now,
    prepare::{Prepared, prepare},
    recover::{self, Interrupted, Way},
    result::{self, Facts, without_transaction},
    service_url::service_url,
};
use crate::{
    config::Deployment,
    error::{CommandError, locked},
    exit_code::ExitCode,
    store::Finish,
};

/// Whether to go on with a plan, in the words of whoever may decide it. It gets the plan's document.
pub type Confirm<'a> = &'a mut (dyn FnMut(&Value) -> Answer<()> + Send);

/// How an operation is followed from outside while it runs.
pub trait Follow: Send + Sync {
    /// For how long nothing has served so far.
    fn downtime(&self) -> Downtime;
}

/// Updates or rolls back one deployment.
pub(crate) async fn drive(
    around: &Surroundings<'_>,
    deployment: &Deployment,
    request: &Request,
    follow: &dyn Follow,
    confirm: Confirm<'_>,
) -> Answer<Value> {
    drive_on(around, &connect(deployment).await?, request, follow, confirm).await
}

/// The same on an engine that is known.
pub(super) async fn drive_on(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    follow: &dyn Follow,
    confirm: Confirm<'_>,
) -> Answer<Value> {
    refuse_other_engine(around.store, connected)?;
    let kept = connected.kept().await?;
    refuse_strangers(kept.state.as_ref(), around.store.id(), &connected.name)?;
    let kept = settled(around, connected, request, kept, follow, false).await?;
    let prepared = Box::pin(prepare(around, connected, &kept, request, &execute::id())).await;
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Err(unless_held(connected, error).await),
    };
    let action = request.goal.action();
    if prepared.planned.is_none() {
        let mut document = up_to_date(connected, &prepared, action);
        let decided = &prepared.desired.decisions;
        if let Err(error) = decisions::wish(around, connected, request, decided).await
            && let Some(warnings) = document["warnings"].as_array_mut()
        {
            warnings.push(decisions::not_kept(&error));
        }
        return Ok(document);
    }
    let document = super::plan_document::document(connected, &prepared);
    confirm(&document)?;
    let ended = Box::pin(execute(around, connected, request, &prepared)).await?;
    let document = conclude(around, connected, action, "manual", &ended, follow, &document).await;
    noted(after(around, connected, &ended).await);
    Ok(document)
}

/// What follows from an end changes nothing about it: a result is never an error because of that.
fn noted(done: Answer<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the end of the operation was not recorded completely");
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What is kept with a target on which nothing is left open: what was interrupted is finished or
/// undone first. Another store's lease is waited for only where that is said; else it refuses.
pub(crate) async fn settled(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    kept: Kept,
    follow: &dyn Follow,
    waits: bool,
) -> Answer<Kept> {
    let patience = std::time::Duration::from_millis(request.lock_timeout_ms);
    let deadline = std::time::Instant::now() + patience;
    let mut kept = kept;
    loop {
        let Some(interrupted) = recover::find(around, connected, &kept).await? else {
            return Ok(kept);
        };
        if interrupted.is_stuck() {
            return Err(stuck(&connected.name, &interrupted.operation));
        }
        let busy = recover::refuse_busy(around, &interrupted, &connected.name);
        match busy.err().filter(|_| !waits) {
            None => {
                Box::pin(finish_first(around, connected, request, interrupted, follow)).await?;
                return connected.kept().await;
            }
            Some(error) if std::time::Instant::now() >= deadline => return Err(error),
            Some(_) => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
        }
        kept = connected.kept().await?;
    }
}

/// What no command but `recover` touches.
fn stuck(name: &str, operation: &str) -> CommandError {
    let message = format!(
        "operation {operation} of {name} is stuck, and a person must look before anything else is done"
    );
    CommandError::new("undo_failed", message).hint(format!(
        "switchback recover {name}   (goes back; or keep what runs: switchback recover {name} --accept-current)"
    ))
}

/// What an error means while somebody else changes the target under our eyes: that he does.
async fn unless_held(connected: &Connected, error: CommandError) -> CommandError {
    match lease::look(&connected.engine, connected.target()).await {
        Ok(Some(held)) => locked(&held, &connected.name, now()),
        Ok(None) | Err(_) => error,
    }
}

/// What was interrupted comes first, and is said.
async fn finish_first(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    interrupted: Interrupted,
    follow: &dyn Follow,
) -> Answer<()> {
    let watched = interrupted.held.as_ref().filter(|it| !recover::is_gone(around, it));
    let once = watched.map(|it| {
        let seconds = it.term_ms / 1000 + 1;
        format!(", once the lease of {} has been seen to stand still for {seconds} s", it.holder)
    });
    let message = format!(
        "operation {} was interrupted; it is finished or undone first{}",
        interrupted.operation,
        once.unwrap_or_default()
    );
    let reporter = super::report::reporter(around, &interrupted.operation, &connected.name);
    reporter.send(now(), EventKind::Warning { code: "interrupted".to_owned(), message });
    let id = interrupted.operation.clone();
    let Some(ended) =
        Box::pin(recover::recover(around, connected, request, interrupted, Way::Finish)).await?
    else {
        noted(never_began(around, &id));
        return Ok(());
    };
    let result =
        conclude(around, connected, "recover", "recovery", &ended, follow, &Value::Null).await;
    noted(after(around, connected, &ended).await);
    match &ended.outcome {
        Ok(Outcome::Stuck { .. }) => {
            let message =
                result["error"]["message"].as_str().unwrap_or("the recovery is stuck").to_owned();
            Err(CommandError::new("undo_failed", message)
                .hint(format!("switchback recover {}", connected.name)))
        }
        Err(error) => Err(error.clone()),
        Ok(_) => Ok(()),
    }
}

/// Brings what was interrupted to its end; none if nothing was.
pub(crate) async fn recover_one(
    around: &Surroundings<'_>,
    deployment: &Deployment,
    way: Way,
    follow: &dyn Follow,
    confirm: Confirm<'_>,
) -> Answer<Option<Value>> {
    recover_on(around, &connect(deployment).await?, way, follow, confirm).await
}

/// The same on an engine that is known.
pub(super) async fn recover_on(
    around: &Surroundings<'_>,
    connected: &Connected,
    way: Way,
    follow: &dyn Follow,
    confirm: Confirm<'_>,
) -> Answer<Option<Value>> {
    let kept: Kept = connected.kept().await?;
    let Some(interrupted) = recover::find(around, connected, &kept).await? else {
        return Ok(None);
    };
    confirm(&json!({ "deployment": connected.name, "operation": interrupted.operation }))?;
    let request =
        Request { lock_timeout_ms: 60_000, trigger: "recovery".to_owned(), ..Request::default() };
    let id = interrupted.operation.clone();
    let ended = Box::pin(recover::recover(around, connected, &request, interrupted, way)).await?;
    let Some(ended) = ended else {
        noted(never_began(around, &id));
        return Ok(None);
    };
    let document =
        conclude(around, connected, "recover", "recovery", &ended, follow, &Value::Null).await;
    noted(after(around, connected, &ended).await);
    Ok(Some(document))
}

/// An operation that died before its transaction began has changed nothing, and is over.
fn never_began(around: &Surroundings<'_>, id: &str) -> Answer<()> {
    let open = around.store.open_operations()?;
    if open.iter().all(|it| it.begun.id != id) {
        return Ok(());
    }
    over_elsewhere(around, id)
}

/// Writes down that an operation of ours is over, though not by our doing.
pub(crate) fn over_elsewhere(around: &Surroundings<'_>, id: &str) -> Answer<()> {
    let finish = Finish {
        finished_at: now(),
        outcome: "interrupted".to_owned(),
        exit_code: ExitCode::Failed.number(),
        error_code: Some("interrupted".to_owned()),
        result_json: json!({ "operation": id, "outcome": "interrupted", "success": false })
            .to_string(),
        related: None,
    };
    Ok(around.store.finish(id, &finish)?)
}

fn up_to_date(connected: &Connected, prepared: &Prepared, action: &str) -> Value {
    let mut document = without_transaction(&connected.name, action, "up_to_date", None);
    if let Some(target) = prepared.observed.target() {
        use switchback_targets::container::plan::{label_of, version_of};
        document["current_version"] = json!(version_of(target));
        if let Some(label) = label_of(target) {
            document["current_label"] = json!(label);
        }
        let place = &connected.engine.location().url;
        if let Some(url) = service_url(&connected.settings, place, &target.inspect) {
            document["url"] = json!(url);
        }
    }
    document["warnings"] = json!(prepared.warnings);
    document
}

/// Writes the end of an operation down, and tells everybody.
async fn conclude(
    around: &Surroundings<'_>,
    connected: &Connected,
    action: &str,
    trigger: &str,
    ended: &Ended,
    follow: &dyn Follow,
    plan: &Value,
) -> Value {
    let finished_at = now();
    let killed = ended.killed.iter().map(|it| it.after(&connected.settings));
    let warnings = strings(&plan["warnings"]).into_iter().chain(killed).collect();
    let changes = plan["changes"].as_array().into_iter().flatten();
    let paths = changes.filter_map(|it| it["path"].as_str().filter(|it| *it != "image"));
    let facts = Facts {
        operation: &ended.operation,
        deployment: &connected.name,
        action,
        trigger,
        records: &ended.records,
        outcome: ended.outcome.as_ref(),
        evidence: ended.evidence.as_ref(),
        span: (ended.started_at, finished_at),
        downtime_ms: follow.downtime().total(finished_at),
        specified: paths.map(str::to_owned).collect(),
        warnings,
        url: url_now(connected).await,
    };
    let mut document = result::document(&facts);
    // What became of the target is the result, even where no record of it can be kept here.
    if let Err(error) = write_down(around, ended, &document, finished_at)
        && let Some(warnings) = document["warnings"].as_array_mut()
    {
        warnings.push(json!(format!("the end of the operation is not in the history: {error}")));
    }
    let reporter = super::report::reporter(around, &ended.operation, &connected.name);
    reporter.send(now(), EventKind::Finished { result: Box::new(document.clone()) });
    document
}

/// Puts the end of an operation into the store; the end first, what it logged after it.
fn write_down(
    around: &Surroundings<'_>,
    ended: &Ended,
    document: &Value,
    finished_at: u64,
) -> Answer<()> {
    // A lease that went to somebody else leaves the operation open here: theirs is the last word.
    if ended.outcome.is_ok() {
        let finish = Finish {
            finished_at,
            outcome: document["outcome"].as_str().unwrap_or_default().to_owned(),
            exit_code: ExitCode::of_result(document).number(),
            error_code: document["error"]["code"].as_str().map(str::to_owned),
            result_json: document.to_string(),
            related: None,
        };
        around.store.finish(&ended.operation, &finish)?;
    }
    if let Some(evidence) = &ended.evidence {
        around.store.add_log(&ended.operation, "container", &evidence.log_tail.join("\n"))?;
        around.store.add_log(&ended.operation, "state", &evidence.state.to_string())?;
    }
    Ok(())
}

/// Where the service is, as far as the engine tells; without an answer the result goes without.
async fn url_now(connected: &Connected) -> Option<String> {
    let inspect = connected.engine.container(connected.target()).await.ok()??;
    service_url(&connected.settings, &connected.engine.location().url, &inspect)
}

/// What follows from an end: what is recorded with the target is copied, and what runs now is looked
/// at once more for those who ask later.
async fn after(around: &Surroundings<'_>, connected: &Connected, ended: &Ended) -> Answer<()> {
    let state = connected.kept().await?.state;
    if let Some(state) = &state {
        execute::known(around, connected)?;
        remember(around, connected, state)?;
    }
    // What was brought to its end for another store is that one's to decide about.
    let is_ours = state.as_ref().is_none_or(|it| it.owner.store == around.store.id());
    let copied = if is_ours { decisions::committed(around, connected, ended) } else { Ok(()) };
    look_after(around.store, connected).await;
    copied
}

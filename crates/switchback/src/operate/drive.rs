//! One operation from its wish to its result.

use serde_json::{Value, json};
use switchback_core::{Outcome, event::EventKind, words};
use switchback_targets::keeper::lease;

use super::{
    Answer, Request, Surroundings,
    adopt::remember,
    conclude::{Role, conclude, never_began},
    connect::{Connected, Kept, connect, refuse_other_engine, refuse_strangers},
    decisions,
    downtime::Downtime,
    execute::{self, Ended, execute},
    look::look_after,
    now,
    prepare::{Prepared, prepare},
    recover::{self, Interrupted, Way},
    result::without_transaction,
    service_url::service_url,
    told,
};
use crate::{
    config::Deployment,
    error::{CommandError, locked},
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
    let connected = connect(deployment).await?;
    Box::pin(drive_on(around, &connected, request, follow, confirm)).await
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
    let role = Role::Asked { action, trigger: request.trigger(), plan: &document };
    let document = conclude(around, connected, role, &ended, follow).await;
    noted(after(around, connected, &ended).await);
    Ok(document)
}

/// What follows from an end changes nothing about it: a result is never an error because of that.
fn noted(done: Answer<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the end of the operation was not recorded completely");
    }
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
    let deadline = tokio::time::Instant::now() + patience;
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
            Some(error) if tokio::time::Instant::now() >= deadline => return Err(error),
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
        "switchback recover {name}   # goes back; or keep what runs: switchback recover {name} --accept-current"
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
        let span = words::milliseconds(it.term_ms + 1_000);
        format!(", once the lease of {} has been seen to stand still for {span}", it.holder)
    });
    let message = format!(
        "operation {} was interrupted; it is finished or undone first{}",
        interrupted.operation,
        once.unwrap_or_default()
    );
    let reporter = super::report::reporter(around, &interrupted.operation, &connected.name);
    reporter.send(now(), EventKind::Warning { code: "interrupted".to_owned(), message });
    let (id, role) = (interrupted.operation.clone(), Role::of_recovery(&interrupted));
    let Some(ended) =
        Box::pin(recover::recover(around, connected, request, interrupted, Way::Finish)).await?
    else {
        noted(never_began(around, &id));
        return Ok(());
    };
    let result = conclude(around, connected, role, &ended, follow).await;
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
    let connected = connect(deployment).await?;
    Box::pin(recover_on(around, &connected, way, follow, confirm)).await
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
    let request =
        Request { lock_timeout_ms: 60_000, trigger: "recovery".to_owned(), ..Request::default() };
    let Some(interrupted) = recover::find(around, connected, &kept).await? else {
        told::tell_known(around, connected, &request, &kept).await?;
        return Ok(None);
    };
    confirm(&json!({ "deployment": connected.name, "operation": interrupted.operation }))?;
    let (id, role) = (interrupted.operation.clone(), Role::of_recovery(&interrupted));
    let ended = Box::pin(recover::recover(around, connected, &request, interrupted, way)).await?;
    let Some(ended) = ended else {
        noted(never_began(around, &id));
        // A lease may have been left with it.
        told::tell_known(around, connected, &request, &connected.kept().await?).await?;
        return Ok(None);
    };
    let document = conclude(around, connected, role, &ended, follow).await;
    noted(after(around, connected, &ended).await);
    Ok(Some(document))
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

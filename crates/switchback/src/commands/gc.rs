//! `gc`: removes what no kept release needs, and only what we made.

use serde_json::{Value, json};

use super::{consent, follow::Follower};
use crate::{
    cli::GcArgs,
    config::Deployment,
    context::{Busy, Context, chosen},
    display::result as text,
    exit_code::ExitCode,
    operate::{
        Answer, Request, Surroundings,
        clear::{self, Sized},
        connect::{self, Connected, Kept},
        drive,
        execute::{give_back, id, lease},
        garbage::unneeded,
        recover,
    },
    store::Store,
};

/// A target with what may go.
struct Found {
    connected: Connected,
    things: Vec<Sized>,
    /// An operation that has to be finished or undone before anything of its target may go.
    is_open: bool,
}

/// `switchback gc`
pub(super) async fn gc(context: &Context, args: GcArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let store = context.store(Some(&config))?;
    let (follower, events) = Follower::begin(context);
    let around = context.surroundings(&store, events)?;
    let busy = Busy::begin();
    let mut found = Vec::new();
    let mut results = Vec::new();
    let deployments = chosen(&config, &[])?;
    for deployment in
        deployments.into_iter().filter(|it| it.container.is_some() && it.host.is_none())
    {
        match survey(&around, deployment).await {
            Ok(it) => found.push(it),
            Err(error) => results.push(
                json!({ "deployment": deployment.name, "removed": [], "error": error.object() }),
            ),
        }
    }
    let has_changes = found.iter().any(|it| it.is_open || !it.things.is_empty());
    if has_changes && !args.dry_run {
        let facts: Vec<String> =
            found.iter().flat_map(|it| it.things.iter().map(|thing| thing.thing.title())).collect();
        let facts: Vec<String> = facts.into_iter().map(|it| format!("  {it}")).collect();
        consent::agree(context, &facts, "Remove what no kept release needs?")?;
    }
    for target in &found {
        results.push(if args.dry_run {
            document(target, &target.things, None)
        } else {
            Box::pin(cleared(context, &around, target, &follower)).await
        });
    }
    drop((around, busy));
    follower.end().await;
    let code = consent::worth(&results.iter().map(worded).collect::<Vec<_>>());
    let bytes: u64 = results
        .iter()
        .flat_map(|it| it["removed"].as_array().into_iter().flatten())
        .filter_map(|it| it["bytes"].as_u64())
        .sum();
    let document = json!({ "dry_run": args.dry_run, "deployments": results, "bytes": bytes });
    drop(context.printer.result(&text::gc(&document), &document));
    Ok(code)
}

/// A target that was cleared has succeeded; another is worth its error.
fn worded(result: &Value) -> Value {
    let mut result = result.clone();
    if result.get("error").is_none() {
        result["outcome"] = json!("committed");
    }
    result
}

async fn survey(around: &Surroundings<'_>, deployment: &Deployment) -> Answer<Found> {
    let connected = connect::connect(deployment).await?;
    let kept = connected.kept().await?;
    connect::refuse_strangers(kept.state.as_ref(), around.store.id(), &connected.name)?;
    let interrupted = recover::find(around, &connected, &kept).await?;
    let things = match &interrupted {
        // What it still needs is not known before it has come to its end.
        Some(_) => Vec::new(),
        None => garbage(around.store, &connected, &kept).await?,
    };
    Ok(Found { connected, things, is_open: interrupted.is_some() })
}

async fn garbage(store: &Store, connected: &Connected, kept: &Kept) -> Answer<Vec<Sized>> {
    // What a person has given back without a purge was left to them.
    if kept.state.is_none() && store.deployment(&connected.name)?.is_none() {
        return Ok(Vec::new());
    }
    let around = clear::look(connected).await?;
    let is_over =
        |operation: &str| kept.is_over(operation) || clear::is_over(store, connected, operation);
    let state = kept.state.as_ref();
    clear::measure(connected, unneeded(connected.target(), state, &around, &is_over)).await
}

/// Removes under the target's lease what is found there by then.
async fn cleared(
    context: &Context,
    around: &Surroundings<'_>,
    target: &Found,
    follower: &Follower,
) -> Value {
    let mut removed = Vec::new();
    let work = async {
        if target.things.is_empty() && !target.is_open {
            return Ok(());
        }
        let connected = &target.connected;
        let request = Request { lock_timeout_ms: context.lock_timeout_ms()?, ..Request::default() };
        let kept = connected.kept().await?;
        let _settled = drive::settled(around, connected, &request, kept, follower, false).await?;
        let lease = lease(around, connected, &request, &id(), &[]).await?;
        let renewing = lease.keep_renewing();
        let work = async {
            // Somebody may have updated it while the lease was waited for.
            let kept = connected.kept().await?;
            connect::refuse_strangers(kept.state.as_ref(), around.store.id(), &connected.name)?;
            for sized in garbage(around.store, connected, &kept).await? {
                clear::remove(connected, &lease.keeper(), &sized.thing).await?;
                removed.push(sized);
            }
            Ok(())
        };
        let done: Answer<()> = work.await;
        drop(renewing);
        give_back(around, &lease).await;
        done
    };
    let done: Answer<()> = work.await;
    let error = done.err().map(|it| it.object());
    document(target, &removed, error)
}

fn document(target: &Found, removed: &[Sized], error: Option<Value>) -> Value {
    let mut document =
        json!({ "deployment": target.connected.name, "removed": clear::document(removed) });
    if target.is_open {
        document["warnings"] =
            json!(["an operation was interrupted here: it is finished or undone first"]);
    }
    if let Some(error) = error {
        document["error"] = error;
    }
    document
}

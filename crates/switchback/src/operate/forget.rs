//! Gives a target back: what runs runs on, and is nobody's any more.

use serde_json::{Value, json};
use switchback_targets::{
    container::document::TargetState,
    keeper::{self, Keeper, programs},
};

use crate::error::CommandError;

use super::{
    Answer, Request, Surroundings,
    adopt::write_down,
    clear::{self, Sized, told},
    connect::{Connected, Kept, refuse_strangers},
    execute::{give_back, id, lease, owner},
    garbage::{everything, unneeded},
    now,
};

/// What a target's owner keeps of it.
#[derive(Debug)]
pub(crate) struct Leaving {
    things: Vec<Sized>,
    has_record: bool,
    is_known: bool,
}

/// Looks at what there is to give back.
pub(crate) async fn survey(
    around: &Surroundings<'_>,
    connected: &Connected,
    kept: &Kept,
) -> Answer<Leaving> {
    let there = clear::look(connected).await?;
    let is_over = |operation: &str| {
        kept.is_over(operation) || clear::is_over(around.store, connected, operation)
    };
    let things = if let Some(state) = &kept.state {
        everything(connected.target(), state, &there, &is_over)
    } else {
        // Given back before, without a purge: what our own operations have left.
        let nothing = TargetState::new(&connected.name, owner(around), "");
        unneeded(connected.target(), Some(&nothing), &there, &is_over)
    };
    Ok(Leaving {
        things: clear::measure(connected, things).await?,
        has_record: kept.state.is_some() || kept.operation.is_some(),
        is_known: around.store.deployment(&connected.name)?.is_some(),
    })
}

impl Leaving {
    /// Whether there is anything to give back.
    pub(crate) fn has_changes(&self, purges: bool) -> bool {
        self.has_record || self.is_known || (purges && !self.things.is_empty())
    }

    /// What a person should know before they agree.
    pub(crate) fn explanation(&self, name: &str, purges: bool) -> Vec<String> {
        let mut facts = vec![format!(
            "{name} runs on as it is; its releases, and with them every way back, are given up."
        )];
        let verb = if purges { "Removed" } else { "Left where it is" };
        facts.extend(self.things.iter().map(|it| format!("  {verb}: {}", it.thing.title())));
        facts
    }
}

/// Gives it back. The record with the target goes last of what lies there, so that an interrupted
/// removal can be repeated.
pub(crate) async fn forget(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    leaving: &Leaving,
    purges: bool,
) -> Answer<Value> {
    let (operation, started_at) = (id(), now());
    let (mut has_left, mut things) = (false, leaving.things.as_slice());
    let found;
    if leaving.has_record || (purges && !leaving.things.is_empty()) {
        let lease = lease(around, connected, request, &operation, &[]).await?;
        let renewing = lease.keep_renewing();
        let removed = async {
            // While the lease was waited for, or a person was asked, somebody may have taken it over.
            let kept = connected.kept().await?;
            refuse_strangers(kept.state.as_ref(), around.store.id(), &connected.name)?;
            let leaving = survey(around, connected, &kept).await?;
            remove(connected, &lease.keeper(), &leaving, purges).await?;
            Ok::<_, CommandError>(leaving)
        }
        .await;
        drop(renewing);
        give_back(around, &lease).await;
        found = removed?;
        things = &found.things;
        has_left = clear::leave(&connected.engine).await?;
    }
    let mut document = json!({
        "operation": operation, "deployment": connected.name, "action": "forget",
        "trigger": "manual", "outcome": "committed", "success": true, "purged": purges,
        "removed": if purges { clear::document(things) } else { Vec::new() },
        "left": if purges { Vec::new() } else { clear::document(things) },
    });
    if has_left {
        document["keeper_removed"] = json!(true);
    }
    write_down(around, connected, "forget", &operation, started_at, &document)?;
    let _was_known = around.store.forget(&connected.name)?;
    Ok(document)
}

async fn remove(
    connected: &Connected,
    keeper: &Keeper,
    leaving: &Leaving,
    purges: bool,
) -> Answer<()> {
    let engine = &connected.engine;
    if purges {
        for sized in &leaving.things {
            clear::remove(connected, keeper, &sized.thing).await?;
        }
    }
    let snapshots = keeper::snapshots_folder(connected.target());
    if programs::list(engine, keeper, &snapshots).await.map_err(told)?.is_empty() {
        programs::remove(engine, keeper, &snapshots).await.map_err(told)?;
    }
    let record = keeper::target_folder(connected.target());
    programs::remove(engine, keeper, &record).await.map_err(told)
}

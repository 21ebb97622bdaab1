//! An end that our store knows, and of which the target may not have been told.

use super::{
    Answer, Request, Surroundings,
    connect::{Connected, Kept},
    execute::{give_back, is_closed, lease_after},
    journal::{self, TwinJournal},
    recover::{Interrupted, data},
};
use crate::error::CommandError;

/// Writes an end that we know to the target, if it was not told: another store would go back, over
/// what was written to the data since.
pub(super) async fn tell_target(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    interrupted: &Interrupted,
) -> Answer<()> {
    let kept = connected.kept().await?;
    let operation = &interrupted.operation;
    if kept.operation.as_ref() != Some(operation) || is_closed(&kept.journal) {
        return Ok(());
    }
    let data = data(connected, &interrupted.records).await?;
    let before = interrupted.held.as_ref().map(|it| &it.holder);
    let lease = lease_after(around, connected, request, operation, &data, before).await?;
    let journal = TwinJournal::new(around.store, operation, interrupted.records.clone(), &lease);
    let told = journal.tell_target().await;
    give_back(around, &lease).await;
    told.map_err(|error| {
        let message = format!("the end of {operation} cannot be recorded with the target: {error}");
        CommandError::new("store_unusable", message)
            .hint(format!("switchback recover {}   # tries again", connected.name))
    })
}

/// The same for an end that stands in our history: the engine was away when it was to be told.
pub(super) async fn tell_known(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    kept: &Kept,
) -> Answer<()> {
    let Some(operation) = kept.operation.clone().filter(|_| !is_closed(&kept.journal)) else {
        return Ok(());
    };
    let records = journal::load(around.store, &operation)?;
    if records.is_empty() || !is_closed(&records) {
        return Ok(());
    }
    let (is_foreign, held, is_unwatched) = (false, None, false);
    let ended = Interrupted { operation, records, is_foreign, held, is_unwatched };
    tell_target(around, connected, request, &ended).await
}

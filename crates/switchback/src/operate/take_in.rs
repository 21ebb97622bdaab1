//! What another store knows of a transaction, taken into ours.

use switchback_core::Record;
use switchback_targets::container::change::Change;

use super::{
    Answer, Request, Surroundings, Wanted,
    connect::{Connected, Fact},
    execute::begin,
    journal,
    recover::Interrupted,
};
use crate::{error::CommandError, store::Lookup};

/// Copies another store's transaction into ours, so that it can go on from here. What we have written
/// of it ourselves goes where the other one has gone on differently.
pub(super) fn take_in(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    interrupted: &Interrupted,
    started_at: u64,
) -> Answer<()> {
    let operation = &interrupted.operation;
    let known = journal::load(around.store, operation)?;
    // It may be ours, and thought over before what was written with the target appeared there.
    let is_new = matches!(around.store.operation(operation)?, Lookup::Missing);
    if is_new {
        let request = Request {
            goal: asked(&interrupted.records, operation),
            trigger: "manual".to_owned(),
            ..request.clone()
        };
        let since = interrupted.held.as_ref().map(|it| it.holder.since);
        let begun_at = since.unwrap_or(started_at).min(started_at);
        begin(around, connected, &request, operation, begun_at)?;
    }
    let records = &interrupted.records;
    if known == *records {
        return Ok(());
    }
    let same = journal::in_common(&known, records);
    let texts: Result<Vec<String>, _> = records[same..].iter().map(serde_json::to_string).collect();
    let texts = texts.map_err(|it| CommandError::new("internal", it.to_string()))?;
    let from = u64::try_from(same).unwrap_or(u64::MAX);
    Ok(around.store.continue_with(operation, from, &texts)?)
}

/// What was asked for, as the plan tells: an update makes a release of its own.
fn asked(records: &[Fact], operation: &str) -> Wanted {
    let makes_one = |change: &Change| matches!(change, Change::RecordRelease { commit } if commit.release.operation.as_deref() == Some(operation));
    match records.first() {
        Some(Record::Opened { plan, .. }) if !plan.seal.iter().any(|it| makes_one(&it.change)) => {
            Wanted::Rollback { to: None, with_data: false }
        }
        _ => Wanted::default(),
    }
}

//! Operations: who did what to which deployment, when, from where, and how it ended.

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;

use super::Store;
use super::error::StoreError;
use super::transact::statement;

macro_rules! select_operations {
    ($rest:literal) => {
        concat!(
            "SELECT id, deployment, target_key, action, triggered_by, user_name, host_name, \
             process_id, command_line, started_at, finished_at, outcome, exit_code, error_code, \
             related, result FROM operations ",
            $rest
        )
    };
}

const BEGIN: &str = "INSERT INTO operations (id, deployment, target_key, action, triggered_by, \
     user_name, host_name, process_id, command_line, started_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
pub(super) const FINISH: &str = "UPDATE operations SET finished_at = $2, outcome = $3, \
     exit_code = $4, error_code = $5, result = $6, related = COALESCE($7, related) WHERE id = $1";
pub(super) const LINK: &str = "UPDATE operations SET related = $2 WHERE id = $1";
/// Two rows are enough to see that a prefix is ambiguous; a few more name the candidates.
pub(super) const BY_PREFIX: &str =
    select_operations!("WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 8");
pub(super) const POSITION: &str = "SELECT started_at, id FROM operations WHERE id = $1";
pub(super) const HISTORY: &str = select_operations!(
    "WHERE (started_at, id) < ($1, $2) ORDER BY started_at DESC, id DESC LIMIT $3"
);
pub(super) const HISTORY_OF: &str = select_operations!(
    "WHERE deployment = $1 AND (started_at, id) < ($2, $3) \
     ORDER BY started_at DESC, id DESC LIMIT $4"
);
pub(super) const OPEN: &str =
    select_operations!("WHERE finished_at IS NULL ORDER BY started_at, id");
/// What is stuck keeps its journal: `recover` needs it. The line of a recovery has none.
const PRUNE: &str = "DELETE FROM operations WHERE id IN (SELECT id FROM (\
     SELECT id, row_number() OVER (PARTITION BY deployment ORDER BY started_at DESC, id DESC) AS age \
     FROM operations WHERE finished_at IS NOT NULL AND (outcome <> 'stuck' OR action = 'recover')) AS aged WHERE age > $1)";

/// Later than every operation: the place before which a history without a cursor begins.
const END_OF_TIME: (u64, &str) = (i64::MAX.unsigned_abs(), "");

/// What is known of an operation when it begins. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOperation {
    /// Its id, unique in this store.
    pub id: String,
    /// The name of the deployment.
    pub deployment: String,
    /// What the deployment is, whatever its name.
    pub target_key: String,
    /// `update`, `rollback`, `recover`, `adopt`.
    pub action: String,
    /// `manual`, `schedule`, `api`, `recovery`, `gate_failed`, `timeout`.
    pub trigger: String,
    /// The user who asked.
    pub user: String,
    /// The host where the controller runs.
    pub host: String,
    /// The process of the controller.
    pub pid: u32,
    /// The command line, without secrets.
    pub command_line: String,
    /// When it began.
    pub started_at: u64,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// When.
    pub finished_at: u64,
    /// The word for `outcome` in JSON.
    pub outcome: String,
    /// The exit code of the command.
    pub exit_code: u8,
    /// The word for `error.code` in JSON, if it failed.
    pub error_code: Option<String>,
    /// The result object of the contract.
    pub result_json: String,
    /// The update that this recovery ended, or the other way round. `None` leaves a link as it is.
    pub related: Option<String>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// How it began.
    pub begun: NewOperation,
    /// How it ended; `None` while it runs, or when it was interrupted.
    pub finished: Option<Finish>,
    /// The other half of an update and its recovery. The same as in `finished`.
    pub related: Option<String>,
}

/// What a (shortened) id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Exactly this one.
    Found(Box<Operation>),
    /// No operation.
    Missing,
    /// More than one; the ids of up to eight of them.
    Ambiguous(Vec<String>),
}

impl Store {
    /// Writes down that an operation begins; its journal is empty then. An id is used once.
    pub fn begin(&self, new: &NewOperation) -> Result<(), StoreError> {
        self.write("begin the operation", |transaction| {
            let mut statement = statement(transaction, BEGIN)?;
            statement.execute(params![
                new.id,
                new.deployment,
                new.target_key,
                new.action,
                new.trigger,
                new.user,
                new.host,
                new.pid,
                new.command_line,
                new.started_at
            ])
        })?;
        Ok(())
    }

    /// Writes down how an operation ended. Again (after a stuck one was recovered) the last one
    /// counts. If space is short, it uses the reserve.
    pub fn finish(&self, id: &str, finish: &Finish) -> Result<(), StoreError> {
        let changed = self.write_with_reserve("finish the operation", |transaction| {
            statement(transaction, FINISH)?.execute(params![
                id,
                finish.finished_at,
                finish.outcome,
                finish.exit_code,
                finish.error_code,
                finish.result_json,
                finish.related
            ])
        })?;
        known_operation(changed, id)
    }

    /// Makes an update and its rollback name each other.
    pub fn link(&self, update_id: &str, rollback_id: &str) -> Result<(), StoreError> {
        let (update, rollback) = self.write("link two operations", |transaction| {
            let mut statement = statement(transaction, LINK)?;
            Ok((
                statement.execute([update_id, rollback_id])?,
                statement.execute([rollback_id, update_id])?,
            ))
        })?;
        known_operation(update, update_id)?;
        known_operation(rollback, rollback_id)
    }

    /// The operation with this id, or the only one whose id begins so.
    pub fn operation(&self, id_or_prefix: &str) -> Result<Lookup, StoreError> {
        // No character is greater, so the range holds exactly what begins with the prefix.
        let end = format!("{id_or_prefix}\u{10ffff}");
        let candidates = self.read("look up the operation", |connection| {
            collect(connection, BY_PREFIX, params![id_or_prefix, end])
        })?;
        Ok(choose(id_or_prefix, candidates))
    }

    /// The newest operations first, of one deployment or of all: `limit` at most, and with `before`
    /// only those that began before that operation (the last one of the page before).
    pub fn history(
        &self,
        deployment: Option<&str>,
        limit: u32,
        before: Option<&str>,
    ) -> Result<Vec<Operation>, StoreError> {
        let (started_at, id) = match before {
            None => (END_OF_TIME.0, END_OF_TIME.1.to_owned()),
            Some(id) => self.position(id)?,
        };
        self.read("read the history", |connection| match deployment {
            None => collect(connection, HISTORY, params![started_at, id, limit]),
            Some(name) => collect(connection, HISTORY_OF, params![name, started_at, id, limit]),
        })
    }

    /// All operations that have begun and not ended: running or interrupted. The oldest first.
    pub fn open_operations(&self) -> Result<Vec<Operation>, StoreError> {
        self.read("look for open operations", |connection| collect(connection, OPEN, params![]))
    }

    /// Removes finished operations with their journals and logs, except the newest `keep` of each
    /// deployment, and never one that is stuck. Returns how many went.
    pub fn prune_history(&self, keep: u32) -> Result<usize, StoreError> {
        self.write("prune the history", |transaction| {
            statement(transaction, PRUNE)?.execute([keep])
        })
    }

    fn position(&self, id: &str) -> Result<(u64, String), StoreError> {
        let found = self.read("look up the operation", |connection| {
            statement(connection, POSITION)?
                .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
                .next()
                .transpose()
        })?;
        found.ok_or_else(|| StoreError::NotThere { what: "operation", name: id.to_owned() })
    }
}

fn known_operation(changed: usize, id: &str) -> Result<(), StoreError> {
    match changed {
        0 => Err(StoreError::NotThere { what: "operation", name: id.to_owned() }),
        _ => Ok(()),
    }
}

/// An exact id wins over longer ones that begin with it. The candidates are sorted, so it is first.
fn choose(id_or_prefix: &str, mut candidates: Vec<Operation>) -> Lookup {
    let exact = candidates.first().is_some_and(|first| first.begun.id == id_or_prefix);
    match candidates.len() {
        0 => Lookup::Missing,
        many if many > 1 && !exact => {
            Lookup::Ambiguous(candidates.into_iter().map(|operation| operation.begun.id).collect())
        }
        _ => Lookup::Found(Box::new(candidates.swap_remove(0))),
    }
}

fn collect(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Operation>> {
    statement(connection, sql)?.query_map(parameters, from_row)?.collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Operation> {
    let begun = NewOperation {
        id: row.get("id")?,
        deployment: row.get("deployment")?,
        target_key: row.get("target_key")?,
        action: row.get("action")?,
        trigger: row.get("triggered_by")?,
        user: row.get("user_name")?,
        host: row.get("host_name")?,
        pid: row.get("process_id")?,
        command_line: row.get("command_line")?,
        started_at: row.get("started_at")?,
    };
    let related: Option<String> = row.get("related")?;
    let finished_at: Option<u64> = row.get("finished_at")?;
    let finished = match finished_at {
        None => None,
        Some(finished_at) => Some(Finish {
            finished_at,
            outcome: row.get("outcome")?,
            exit_code: row.get("exit_code")?,
            error_code: row.get("error_code")?,
            result_json: row.get("result")?,
            related: related.clone(),
        }),
    };
    Ok(Operation { begun, finished, related })
}

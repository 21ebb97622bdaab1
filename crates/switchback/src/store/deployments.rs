//! Deployments: what this store looks after, and how each was last seen.

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use super::Store;
use super::error::StoreError;
use super::transact::statement;

macro_rules! select_deployments {
    ($rest:literal) => {
        concat!(
            "SELECT name, kind, engine, target_key, created_at, updated_at, current_release, \
             observed_at, status, target FROM deployments ",
            $rest
        )
    };
}

const PUT: &str = "INSERT INTO deployments \
     (name, kind, engine, target_key, target, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $6) \
     ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, engine = excluded.engine, \
     target_key = excluded.target_key, target = excluded.target, updated_at = excluded.updated_at";
const PUT_IF_NEW: &str = "INSERT INTO deployments \
     (name, kind, engine, target_key, target, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (name) DO NOTHING";
pub(super) const ONE: &str = select_deployments!("WHERE name = $1");
pub(super) const ALL: &str = select_deployments!("ORDER BY name");
/// Without `target`, which is large and which a list does not show.
pub(super) const OBSERVATIONS: &str = "SELECT name, kind, engine, current_release, observed_at, \
     status FROM deployments ORDER BY name";
/// Two observers may finish in the wrong order; the later look counts.
pub(super) const OBSERVE: &str = "UPDATE deployments SET status = $2, observed_at = $3 \
     WHERE name = $1 AND (observed_at IS NULL OR observed_at <= $3)";
const EXISTS: &str = "SELECT count(*) FROM deployments WHERE name = $1";
/// The references of `releases` follow by themselves.
const RENAME: &str = "UPDATE deployments SET name = $2 WHERE name = $1";
const RENAME_ELSEWHERE: [&str; 4] = [
    "UPDATE operations SET deployment = $2 WHERE deployment = $1",
    "UPDATE quarantine SET deployment = $2 WHERE deployment = $1",
    "UPDATE holds SET deployment = $2 WHERE deployment = $1",
    "UPDATE checks SET deployment = $2 WHERE deployment = $1",
];
/// What was done to a forgotten deployment stays in the history.
const FORGET_ELSEWHERE: [&str; 3] = [
    "DELETE FROM quarantine WHERE deployment = $1",
    "DELETE FROM holds WHERE deployment = $1",
    "DELETE FROM checks WHERE deployment = $1",
];
const FORGET: &str = "DELETE FROM deployments WHERE name = $1";

/// What is known of a deployment when it is taken over, or declared anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDeployment<'a> {
    /// Our name for it.
    pub name: &'a str,
    /// `container`, `compose`, `git`, `instance`.
    pub kind: &'a str,
    /// Where it was found: an engine's address, a host.
    pub engine: &'a str,
    /// What it is, whatever its name.
    pub target_key: &'a str,
    /// The description of the target, in its driver's words.
    pub target_json: &'a str,
}

/// What one look at a deployment saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The deployment, as it is written down where it is new here.
    pub of: NewDeployment<'a>,
    /// The row of `status`, as a JSON object.
    pub status_json: &'a str,
    /// When, in milliseconds since the epoch.
    pub at: u64,
}

/// A deployment. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Our name for it.
    pub name: String,
    /// `container`, `compose`, `git`, `instance`.
    pub kind: String,
    /// Where it was found.
    pub engine: String,
    /// What it is, whatever its name.
    pub target_key: String,
    /// The description of the target.
    pub target_json: String,
    /// When it was taken over.
    pub created_at: u64,
    /// When its description was last written.
    pub updated_at: u64,
    /// The number of the release that runs.
    pub current_release: Option<u64>,
    /// When it was last looked at.
    pub observed_at: Option<u64>,
    /// What was seen then.
    pub status_json: Option<String>,
}

/// What a list of deployments shows of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Our name for it.
    pub name: String,
    /// `container`, `compose`, `git`, `instance`.
    pub kind: String,
    /// Where it was found.
    pub engine: String,
    /// The number of the release that runs.
    pub current_release: Option<u64>,
    /// When it was last looked at.
    pub observed_at: Option<u64>,
    /// What was seen then.
    pub status_json: Option<String>,
}

impl Store {
    /// Writes a deployment down, or its description anew; releases and observations stay.
    pub fn put_deployment(&self, new: NewDeployment<'_>, now: u64) -> Result<(), StoreError> {
        self.write("write the deployment", |transaction| {
            let mut statement = statement(transaction, PUT)?;
            statement.execute(params![
                new.name,
                new.kind,
                new.engine,
                new.target_key,
                new.target_json,
                now
            ])
        })?;
        Ok(())
    }

    /// The deployment of this name.
    pub fn deployment(&self, name: &str) -> Result<Option<Deployment>, StoreError> {
        self.read("read the deployment", |connection| {
            statement(connection, ONE)?.query_map([name], from_row)?.next().transpose()
        })
    }

    /// All deployments whole, by name. For a list, [`Store::observations`] reads much less.
    pub fn deployments(&self) -> Result<Vec<Deployment>, StoreError> {
        self.read("read the deployments", |connection| {
            statement(connection, ALL)?.query_map([], from_row)?.collect()
        })
    }

    /// All deployments as they were last seen, by name: one statement, however many there are.
    pub fn observations(&self) -> Result<Vec<Observation>, StoreError> {
        self.read("list the deployments", |connection| {
            statement(connection, OBSERVATIONS)?.query_map([], observation)?.collect()
        })
    }

    /// Writes down what was seen of each, and those that are new here: one wait for the disk, however
    /// many they are. What was seen later stays.
    pub fn observe(&self, sightings: &[Sighting<'_>]) -> Result<(), StoreError> {
        self.write("write what was seen", |transaction| {
            let mut put = statement(transaction, PUT_IF_NEW)?;
            let mut observe = statement(transaction, OBSERVE)?;
            for Sighting { of, status_json, at } in sightings {
                put.execute(params![
                    of.name,
                    of.kind,
                    of.engine,
                    of.target_key,
                    of.target_json,
                    at
                ])?;
                observe.execute(params![of.name, status_json, at])?;
            }
            Ok(())
        })
    }

    /// Gives a deployment another name, in its history too.
    pub fn rename(&self, name: &str, new_name: &str) -> Result<(), StoreError> {
        let done = self.write("rename the deployment", |transaction| {
            if name != new_name && exists(transaction, new_name)? {
                return Ok(Renamed::NameIsTaken);
            }
            if statement(transaction, RENAME)?.execute([name, new_name])? == 0 {
                return Ok(Renamed::NotThere);
            }
            rename_elsewhere(transaction, name, new_name)?;
            Ok(Renamed::Done)
        })?;
        match done {
            Renamed::Done => Ok(()),
            Renamed::NotThere => Err(no_deployment(name)),
            Renamed::NameIsTaken => {
                Err(StoreError::Exists { what: "deployment", name: new_name.to_owned() })
            }
        }
    }

    /// Forgets a deployment with its releases, quarantine, hold and check; the history stays.
    /// False if it was not known.
    pub fn forget(&self, name: &str) -> Result<bool, StoreError> {
        self.write("forget the deployment", |transaction| {
            for sql in FORGET_ELSEWHERE {
                statement(transaction, sql)?.execute([name])?;
            }
            Ok(statement(transaction, FORGET)?.execute([name])? > 0)
        })
    }
}

enum Renamed {
    Done,
    NotThere,
    NameIsTaken,
}

/// Under the new name there may be leftovers of a check before it was taken over; the renamed
/// deployment's own replace them.
fn rename_elsewhere(transaction: &Transaction<'_>, old: &str, new: &str) -> rusqlite::Result<()> {
    if old == new {
        return Ok(());
    }
    for sql in FORGET_ELSEWHERE {
        statement(transaction, sql)?.execute([new])?;
    }
    for sql in RENAME_ELSEWHERE {
        statement(transaction, sql)?.execute([old, new])?;
    }
    Ok(())
}

fn exists(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let count: u64 = statement(connection, EXISTS)?.query_row([name], |row| row.get(0))?;
    Ok(count > 0)
}

pub(super) fn no_deployment(name: &str) -> StoreError {
    StoreError::NotThere { what: "deployment", name: name.to_owned() }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Deployment> {
    Ok(Deployment {
        name: row.get("name")?,
        kind: row.get("kind")?,
        engine: row.get("engine")?,
        target_key: row.get("target_key")?,
        target_json: row.get("target")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        current_release: row.get("current_release")?,
        observed_at: row.get("observed_at")?,
        status_json: row.get("status")?,
    })
}

fn observation(row: &Row<'_>) -> rusqlite::Result<Observation> {
    Ok(Observation {
        name: row.get(0)?,
        kind: row.get(1)?,
        engine: row.get(2)?,
        current_release: row.get(3)?,
        observed_at: row.get(4)?,
        status_json: row.get(5)?,
    })
}

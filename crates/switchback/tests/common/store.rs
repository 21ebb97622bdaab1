//! The store, read beside the program and never written.

use std::{fs, path::Path};

use rusqlite::{Connection, OpenFlags};

use serde_json::Value;

use super::world::World;

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) action: String,
    pub(crate) outcome: Option<String>,
    pub(crate) exit_code: Option<i64>,
}

impl Line {
    /// `update committed 0`
    pub(crate) fn text(&self) -> String {
        let outcome = self.outcome.as_deref().unwrap_or("open");
        let code = self.exit_code.map(|it| format!(" {it}")).unwrap_or_default();
        format!("{} {outcome}{code}", self.action)
    }
}

impl World {
    /// What was done, oldest first.
    pub(crate) fn history(&self) -> Vec<String> {
        self.history_of("state").iter().map(Line::text).collect()
    }

    /// What another store has done, oldest first.
    pub(crate) fn history_of(&self, store: &str) -> Vec<Line> {
        let sql = "SELECT id, action, outcome, exit_code FROM operations ORDER BY started_at, id";
        let Some(connection) = self.open(store) else { return Vec::new() };
        let mut statement = connection.prepare(sql).expect("the history can be read");
        let lines = statement.query_map([], |row| {
            let (id, action) = (row.get(0)?, row.get(1)?);
            Ok(Line { id, action, outcome: row.get(2)?, exit_code: row.get(3)? })
        });
        let lines = lines.expect("the history can be read");
        lines.map(|it| it.expect("a line can be read")).collect()
    }

    /// The journal of an operation in the store that began it.
    pub(crate) fn journal(&self, operation: &str) -> Vec<Value> {
        let Some(connection) = self.open("state") else { return Vec::new() };
        let sql = "SELECT record FROM journal WHERE operation = ?1 ORDER BY sequence";
        let mut statement = connection.prepare(sql).expect("the journal can be read");
        let records = statement.query_map([operation], |row| row.get::<_, String>(0));
        let records = records.expect("the journal can be read");
        let parse = |it: rusqlite::Result<String>| serde_json::from_str(&it.unwrap()).unwrap();
        records.map(parse).collect()
    }

    /// How far the last operation has come, by its journal: the part of the plan that its last step
    /// belongs to, or what follows it. `planning` where nothing was written.
    pub(crate) fn phase(&self) -> &'static str {
        phase_in(&self.state("state"))
    }

    /// Puts a copy of the store on another disk. The program has closed it then, and all of it is in one
    /// file.
    #[track_caller]
    pub(crate) fn copy_store(&self, to: &Path) {
        let _known = self.run(&["status", "web"]).exits(0);
        let copy = to.join("switchback.db");
        fs::copy(self.state("state").join("switchback.db"), &copy).expect("the store is copied");
        fs::File::open(copy).and_then(|it| it.sync_all()).expect("it is on the disk");
    }

    fn open(&self, store: &str) -> Option<Connection> {
        open(&self.state(store))
    }
}

/// As [`World::phase`], of the store in a folder: for those who have no world.
pub(crate) fn phase_in(state: &Path) -> &'static str {
    let Some(connection) = open(state) else { return "planning" };
    let sql = "SELECT record FROM journal WHERE operation = (SELECT id FROM operations \
               WHERE finished_at IS NULL ORDER BY started_at DESC LIMIT 1) ORDER BY sequence";
    let mut statement = connection.prepare(sql).expect("the journal can be read");
    let records = statement.query_map([], |row| row.get::<_, String>(0));
    let records = records.expect("the journal can be read");
    let parse = |it: rusqlite::Result<String>| serde_json::from_str(&it.unwrap()).unwrap();
    phase_of(&records.map(parse).collect::<Vec<Value>>())
}

/// How many records the last operation has in the store in a folder.
pub(crate) fn records_in(state: &Path) -> usize {
    let Some(connection) = open(state) else { return 0 };
    let sql = "SELECT count(*) FROM journal WHERE operation = (SELECT id FROM operations \
               ORDER BY started_at DESC LIMIT 1)";
    connection.query_row(sql, [], |row| row.get(0)).expect("the journal can be read")
}

fn open(state: &Path) -> Option<Connection> {
    let path = state.join("switchback.db");
    path.exists().then(|| {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(path, flags).expect("the store can be read")
    })
}

fn phase_of(records: &[Value]) -> &'static str {
    let Some(plan) = records.first().map(|it| &it["plan"]) else { return "planning" };
    let last = |part: &str| plan[part].as_array().and_then(|it| it.last())?["id"].as_u64();
    let mut phase = "staging";
    for record in records {
        let step = record["step"].as_u64();
        phase = match record["record"].as_str().unwrap_or_default() {
            "step_started" if step > last("seal").or(last("apply")) => "retiring",
            "step_started" if step > last("apply") => "sealing",
            "step_started" if step > last("stage") => "switching",
            "step_applied" if step == last("apply") => "verifying",
            "verified" if phase != "rolling_back" => "sealing",
            "committed" => "retiring",
            "rollback_started" => "rolling_back",
            _ => phase,
        };
    }
    phase
}

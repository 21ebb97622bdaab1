//! The store, read beside the program and never written.

use rusqlite::{Connection, OpenFlags};

use super::world::World;

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
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
        let sql = "SELECT action, outcome, exit_code FROM operations ORDER BY started_at, id";
        let Some(connection) = self.open(store) else { return Vec::new() };
        let mut statement = connection.prepare(sql).expect("the history can be read");
        let lines = statement.query_map([], |row| {
            Ok(Line { action: row.get(0)?, outcome: row.get(1)?, exit_code: row.get(2)? })
        });
        let lines = lines.expect("the history can be read");
        lines.map(|it| it.expect("a line can be read")).collect()
    }

    fn open(&self, store: &str) -> Option<Connection> {
        let path = self.state(store).join("switchback.db");
        path.exists().then(|| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
            Connection::open_with_flags(path, flags).expect("the store can be read")
        })
    }
}

//! What lies with the target, beside the program.

use serde_json::Value;

use super::world::World;

/// The records that are kept with a target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorded {
    /// `state.json`; null where there is none.
    pub(crate) state: Value,
    /// `journal.json`; null where there is none.
    pub(crate) journal: Value,
}

impl World {
    /// The records with the target, also while the anchor does not run.
    #[track_caller]
    pub(crate) fn recorded(&self) -> Recorded {
        Recorded { state: self.record("state.json"), journal: self.record("journal.json") }
    }

    /// Puts another record in the place of one.
    #[track_caller]
    pub(crate) fn replace_record(&self, file: &str, record: &Value) {
        let from = self.folder.path().join(format!("changed-{file}"));
        std::fs::write(&from, record.to_string()).expect("a file");
        self.docker(&["cp", from.to_str().expect("a path in UTF-8"), &self.place_of(file)]);
    }

    fn place_of(&self, file: &str) -> String {
        format!("switchback-anchor:/switchback/targets/{}/{file}", self.name)
    }

    #[track_caller]
    fn record(&self, file: &str) -> Value {
        let from = self.place_of(file);
        let to = self.folder.path().join(format!("looked-at-{file}"));
        match self.docker_output(&["cp", &from, to.to_str().expect("a path in UTF-8")]) {
            Ok(_) => {
                let text = std::fs::read(&to).expect("what was copied can be read");
                serde_json::from_slice(&text).expect("a record is one JSON document")
            }
            // Nothing was ever kept, or the anchor itself is not there before the first update.
            Err(error) if error.contains("ould not find the file") => Value::Null,
            Err(error) if error.contains("o such container") => Value::Null,
            // As Podman says it.
            Err(error) if error.contains("daemon: no such file or directory") => Value::Null,
            Err(error) => panic!("{file} of {} cannot be read: {error}", self.name),
        }
    }
}

impl Recorded {
    /// The releases that are kept.
    pub(crate) fn releases(&self) -> impl Iterator<Item = &Value> {
        self.state["releases"].as_array().into_iter().flatten()
    }

    /// What the release is called that runs, as far as is recorded.
    pub(crate) fn current_label(&self) -> Option<&str> {
        let mut releases = self.releases();
        let current = releases.find(|it| it["release"]["number"] == self.state["current"])?;
        current["release"]["label"].as_str()
    }
}

//! What one look at a service saw.

use serde::{Deserialize, Serialize};

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Whether its process runs.
    pub running: bool,
    /// How often it has been restarted.
    pub restarts: u32,
    /// Its process id; 0 where nothing runs.
    pub pid: u32,
    /// Its exit code, if it has ended and nothing will start it again.
    pub exited: Option<i64>,
    /// Whether the kernel killed it for its memory.
    pub out_of_memory: bool,
    /// Each probe in the order of the configuration.
    pub probes: Vec<ProbeSeen>,
    /// The version that the application reports.
    pub version: Option<String>,
    /// The containers that go along with it and have to run beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<BesideSeen>,
    /// Why nothing could be seen of it; the other fields then say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<Blind>,
}

/// Why a look has seen nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "blind")]
pub enum Blind {
    /// Nothing of that name is there any more: somebody else has taken it away.
    Gone,
    /// Whoever knows did not answer.
    Unreachable {
        /// Why.
        why: String,
    },
}

/// What one look saw of a container that goes along.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BesideSeen {
    /// Its name.
    pub name: String,
    /// Whether its process runs.
    pub running: bool,
    /// How often it has been restarted.
    pub restarts: u32,
    /// Its process id; 0 where nothing runs.
    pub pid: u32,
    /// Its exit code, if it has ended and nothing will start it again.
    pub exited: Option<i64>,
}

impl BesideSeen {
    /// What was seen, for people.
    pub fn summary(&self) -> String {
        match (self.exited, self.running) {
            (Some(code), _) => format!("it has ended with exit code {code}"),
            (None, true) => "its process was replaced".to_owned(),
            (None, false) => "it is not running".to_owned(),
        }
    }
}

/// What one probe saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSeen {
    /// Which probe: its kind and its address.
    pub probe: String,
    /// Whether it found the service ready.
    pub ready: bool,
    /// What it saw, in words.
    pub detail: String,
}

impl Seen {
    /// What was seen, for people: the first thing that is wrong, or the first probe's words.
    pub fn summary(&self) -> String {
        match &self.blind {
            Some(Blind::Gone) => return "it is gone".to_owned(),
            Some(Blind::Unreachable { why }) => return why.clone(),
            None => {}
        }
        if let Some(code) = self.exited {
            return format!("it has ended with exit code {code}");
        }
        if !self.running {
            return "it is not running".to_owned();
        }
        let wrong = self.probes.iter().find(|it| !it.ready);
        if let (None, Some(it)) = (wrong, self.beside.iter().find(|it| !it.running)) {
            return format!("{}, which goes along with it: {}", it.name, it.summary());
        }
        let wrong = wrong.or(self.probes.first());
        wrong.map_or_else(|| "it is running".to_owned(), |it| it.detail.clone())
    }

    /// Whether it runs, and all that go along with it, and every probe found it ready.
    pub fn is_ready(&self) -> bool {
        let is_well = self.blind.is_none() && self.running && self.all_run_beside();
        is_well && self.probes.iter().all(|it| it.ready)
    }

    /// Whether all that go along with it run.
    pub fn all_run_beside(&self) -> bool {
        self.beside.iter().all(|it| it.running)
    }
}

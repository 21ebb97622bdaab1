//! One error of a command, as people and programs are told it.

use serde_json::{Map, Value, json};
use switchback_core::{JournalError, PlanError, TargetError, engine::RecoverError, words};
use switchback_targets::{
    engine_api::{EngineError, LocationError},
    keeper::lease::Held,
    registry::{ReferenceError, RegistryError},
};

use crate::{
    config::{ConfigError, LoadError},
    exit_code::ExitCode,
    store::{JournalFailure, StoreError},
};

/// What went wrong, to what, why, and the next command to type.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// The contract's error code.
    pub code: String,
    /// What happened, with all its causes.
    pub message: String,
    /// The next command to type.
    pub hint: Option<String>,
    /// More facts for programs: `field`, `step`, `log_tail`.
    pub facts: Box<Map<String, Value>>,
}

impl CommandError {
    /// An error of the contract's code.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), hint: None, facts: Box::default() }
    }

    /// With the next command to type.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With one more fact for programs.
    #[must_use]
    pub fn fact(mut self, key: &str, value: Value) -> Self {
        let _earlier = self.facts.insert(key.to_owned(), value);
        self
    }

    /// The `error` object of the contract.
    pub fn object(&self) -> Value {
        let mut object = Map::new();
        object.insert("code".to_owned(), json!(self.code));
        object.insert("message".to_owned(), json!(self.message));
        if let Some(hint) = &self.hint {
            object.insert("hint".to_owned(), json!(hint));
        }
        object.extend(self.facts.iter().map(|(key, value)| (key.clone(), value.clone())));
        object.insert("retryable".to_owned(), json!(self.is_retryable()));
        Value::Object(object)
    }

    /// The document in place of a result.
    pub fn document(&self) -> Value {
        json!({ "error": self.object() })
    }

    /// How the command ends.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::of_error(&self.code)
    }

    /// Whether the same command may work a little later.
    fn is_retryable(&self) -> bool {
        matches!(
            self.code.as_str(),
            "locked"
                | "engine_unreachable"
                | "registry_unreachable"
                | "host_unreachable"
                | "timeout"
                | "plan_stale"
                | "no_capacity"
        )
    }
}

/// An error with all its sources, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        // A library that repeats itself, such as the database in its own source, is heard once.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        let is_database = source.downcast_ref::<rusqlite::Error>().is_some();
        next = source.source().filter(|_| !is_database);
    }
    text
}

impl From<EngineError> for CommandError {
    fn from(error: EngineError) -> Self {
        let made = Self::new(error.code(), error.to_string());
        match error.hint() {
            Some(hint) => made.hint(hint),
            None => made,
        }
    }
}

impl From<LocationError> for CommandError {
    fn from(error: LocationError) -> Self {
        let hint = error.hint();
        Self::new("usage", error.to_string()).hint(hint)
    }
}

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        let made = Self::new(error.code(), format!("Failed to check registry: {}", chain(&error)));
        match error.hint() {
            Some(hint) => made.hint(hint),
            None => made,
        }
    }
}

impl From<ReferenceError> for CommandError {
    fn from(error: ReferenceError) -> Self {
        Self::new("usage", error.to_string()).hint(
            "switchback check   # shows what is followed; write a reference as registry.example/acme/web:1.4",
        )
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for CommandError {
    fn from(error: &StoreError) -> Self {
        Self::new(error.code(), chain(error)).hint(error.hint())
    }
}

impl From<JournalFailure> for CommandError {
    fn from(error: JournalFailure) -> Self {
        Self::new(error.code(), chain(&error)).hint(error.hint())
    }
}

impl From<TargetError> for CommandError {
    fn from(error: TargetError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<PlanError> for CommandError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::NothingToDo { .. } => Self::new("internal", error.to_string()),
            PlanError::Refused { code, problem, hint } => {
                Self { hint, ..Self::new(&code, problem) }
            }
        }
    }
}

impl From<RecoverError> for CommandError {
    fn from(error: RecoverError) -> Self {
        match error {
            RecoverError::Fenced(fenced) => Self::new("locked", fenced.to_string())
                .hint("switchback status   # whoever has the lease has the last word"),
            RecoverError::Journal(error) => error.into(),
        }
    }
}

impl From<JournalError> for CommandError {
    fn from(error: JournalError) -> Self {
        let code = match &error {
            JournalError::Illegal => "store_too_new",
            JournalError::Storage(_) => "store_unusable",
        };
        Self::new(code, chain(&error))
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        let message = format!("{}: {}", error.field, error.problem);
        let mut made = Self::new("config_invalid", message)
            .hint(error.fix_command.clone())
            .fact("field", json!(error.field))
            .fact("problem", json!(error.problem))
            .fact("fix_command", json!(error.fix_command))
            .fact("file", json!(error.file));
        for (key, value) in [("line", error.line), ("column", error.column)] {
            if let Some(value) = value {
                made = made.fact(key, json!(value));
            }
        }
        made
    }
}

impl From<LoadError> for CommandError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Invalid(error) => (*error).into(),
            other => {
                let hint = other.hint();
                Self { hint, ..Self::new("config_invalid", chain(&other)) }
            }
        }
    }
}

/// Somebody else is at work on the target.
pub fn locked(held: &Held, deployment: &str, now: u64) -> CommandError {
    let holder = &held.holder;
    let since = i64::try_from(holder.since).unwrap_or_default();
    let since = jiff::Timestamp::from_millisecond(since).unwrap_or_default();
    let (message, hint) = if held.seems_expired(now) {
        let span = words::milliseconds(now.saturating_sub(held.last_sign()));
        (
            format!(
                "an operation was begun on it at {since} by {holder}, whose lease seems to have expired: its last sign of life was {span} ago"
            ),
            format!("switchback recover {deployment}"),
        )
    } else {
        (
            format!("another operation is at work on it, since {since}: {holder}"),
            format!(
                "switchback status {deployment}   # shows whether it goes on; wait for it with --lock-timeout 5m; if that process is gone: switchback recover {deployment}"
            ),
        )
    };
    CommandError::new("locked", message).hint(hint).fact(
        "locked_by",
        json!({ "user": holder.user, "host": holder.host, "pid": holder.pid,
                "operation": holder.operation, "since": since.to_string() }),
    )
}

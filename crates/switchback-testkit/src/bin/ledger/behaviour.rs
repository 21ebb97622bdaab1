//! How one release of the ledger behaves: read from the environment that its image sets.

use std::time::Duration;

/// Everything that differs from one image to the next.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    /// `LEDGER_VERSION`, default 1.0.0.
    pub(crate) version: String,
    /// `LEDGER_MIGRATE`: what starting does to the table.
    pub(crate) migrate: Migrate,
    /// `LEDGER_HEALTH`: what `GET /health` answers, or how the process ends.
    pub(crate) health: Health,
    /// `LEDGER_STOP=ignore-sigterm`.
    pub(crate) ignores_sigterm: bool,
    /// `LEDGER_START_DELAY_MS`: before the port is opened.
    pub(crate) start_delay: Duration,
    /// `LEDGER_PORT`, default 8080.
    pub(crate) port: u16,
    /// `LEDGER_DB`, default `/data/ledger.db`.
    pub(crate) database: String,
}

/// `none`, `add-column` or `drop-column`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Migrate {
    /// The table stays as it is.
    None,
    /// Adds a column that older releases do not mind.
    AddColumn,
    /// Drops a column without which older releases are ill.
    DropColumn,
}

/// `ok`, `never`, `500`, `wrong-version`, `crash-after-8s` (any number), `flap`, `hang` or `exit0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// Healthy where the table is as this release needs it.
    Ok,
    /// `{"healthy":false}` with 503.
    Never,
    /// Status 500 and no JSON.
    Status500,
    /// Healthy, and the version is another one.
    WrongVersion,
    /// Healthy, and ends with code 1 that long after its start.
    CrashAfter(Duration),
    /// A second healthy, a second not.
    Flap,
    /// Accepts the request and never answers.
    Hang,
    /// Ends with code 0 as soon as the table is migrated.
    Exit0,
}

impl Behaviour {
    /// Reads the environment; an unknown word is an error, because a test that asked for it would
    /// otherwise pass for the wrong reason.
    pub(crate) fn from_environment() -> Result<Self, String> {
        Ok(Self {
            version: variable("LEDGER_VERSION", "1.0.0"),
            migrate: migrate(&variable("LEDGER_MIGRATE", "none"))?,
            health: health(&variable("LEDGER_HEALTH", "ok"))?,
            ignores_sigterm: match variable("LEDGER_STOP", "at-once").as_str() {
                "at-once" => false,
                "ignore-sigterm" => true,
                other => return Err(format!("LEDGER_STOP={other} is not known")),
            },
            start_delay: Duration::from_millis(number("LEDGER_START_DELAY_MS", "0")?),
            port: number("LEDGER_PORT", "8080")?,
            database: variable("LEDGER_DB", "/data/ledger.db"),
        })
    }
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn number<N: std::str::FromStr>(name: &str, default: &str) -> Result<N, String> {
    let value = variable(name, default);
    value.parse().map_err(|_| format!("{name}={value} is not a number in range"))
}

fn migrate(word: &str) -> Result<Migrate, String> {
    match word {
        "none" => Ok(Migrate::None),
        "add-column" => Ok(Migrate::AddColumn),
        "drop-column" => Ok(Migrate::DropColumn),
        other => Err(format!("LEDGER_MIGRATE={other} is not known")),
    }
}

fn health(word: &str) -> Result<Health, String> {
    let crash = word.strip_prefix("crash-after-").and_then(|rest| rest.strip_suffix('s'));
    if let Some(seconds) = crash.and_then(|seconds| seconds.parse().ok()) {
        return Ok(Health::CrashAfter(Duration::from_secs(seconds)));
    }
    match word {
        "ok" => Ok(Health::Ok),
        "never" => Ok(Health::Never),
        "500" => Ok(Health::Status500),
        "wrong-version" => Ok(Health::WrongVersion),
        "flap" => Ok(Health::Flap),
        "hang" => Ok(Health::Hang),
        "exit0" => Ok(Health::Exit0),
        other => Err(format!("LEDGER_HEALTH={other} is not known")),
    }
}

//! What an engine answers in place of a result.

use switchback_core::{Fenced, TargetError};

/// What to type where the disk on which the engine keeps images, containers and volumes is full.
pub const NO_SPACE_HINT: &str =
    "docker system df   # the engine's disk is full: make room there, then repeat the command";

/// What an engine answers in place of a result.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing answers there.
    #[error("cannot reach the container engine at {location} ({source_of_location}): {reason}")]
    Unreachable {
        /// The address.
        location: String,
        /// Where the address was found.
        source_of_location: String,
        /// What the system says.
        reason: String,
    },
    /// This user may not use it.
    #[error("no permission for the container engine at {location} ({source_of_location})")]
    Denied {
        /// The address.
        location: String,
        /// Where the address was found.
        source_of_location: String,
    },
    /// It speaks only an older API.
    #[error("{engine} is too old: {needed} or newer is needed")]
    TooOld {
        /// What is there.
        engine: String,
        /// What is needed.
        needed: &'static str,
    },
    /// The connection broke.
    #[error("the connection to the container engine broke: {reason}")]
    Broken {
        /// What the system says.
        reason: String,
    },
    /// It refused.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// In the engine's words.
        message: String,
    },
    /// It did not answer in time.
    #[error("the container engine did not answer in time ({what})")]
    TimedOut {
        /// What it was asked.
        what: String,
    },
    /// It answered something else.
    #[error("the container engine answered {what} with something else: {got}")]
    Nonsense {
        /// What it was asked.
        what: &'static str,
        /// The beginning of what came.
        got: String,
    },
    /// A person's own container has a name that we need.
    #[error("a container named {name} is there, and is not Switchback's")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// It was not asked, because the right to change the target went to somebody else.
    #[error(transparent)]
    Fenced(#[from] Fenced),
}

impl EngineError {
    /// The contract's error code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::TimedOut { .. } => {
                "engine_unreachable"
            }
            Self::Denied { .. } => "not_permitted",
            Self::TooOld { .. } | Self::NameTaken { .. } => "preflight_failed",
            Self::Fenced(_) => "locked",
            Self::Refused { message, .. } if message.contains("no space left on device") => {
                "no_space"
            }
            Self::Refused { status: 401 | 403, .. } => "not_permitted",
            Self::Refused { .. } | Self::Nonsense { .. } => "internal",
        }
    }

    /// The next command to type.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { location, .. } => match location.strip_prefix("unix://") {
                Some(path) => Some(format!(
                    "systemctl status docker   # is it running, and may you use {path}? \
                     Else name another engine in DOCKER_HOST"
                )),
                None => Some(format!("docker -H {location} version   # is the address right?")),
            },
            Self::Denied { location, .. } => {
                let path = location.strip_prefix("unix://").unwrap_or(location);
                Some(format!(
                    "ls -l {path}   # run as its owner or as a member of its group: sudo usermod -aG docker $USER, and log in again"
                ))
            }
            Self::TooOld { .. } => Some("docker version".to_owned()),
            Self::NameTaken { name } => Some(format!("docker rename {name} another-name")),
            Self::Refused { .. } if self.code() == "no_space" => Some(NO_SPACE_HINT.to_owned()),
            Self::Broken { .. }
            | Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::Fenced(_)
            | Self::Nonsense { .. } => None,
        }
    }

    /// Whether the same request may work a little later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::TimedOut { .. } | Self::Unreachable { .. })
    }

    /// The bare reason, without what was tried.
    pub fn reason(&self) -> String {
        match self {
            Self::Unreachable { reason, .. } | Self::Broken { reason } => reason.clone(),
            Self::Denied { .. }
            | Self::TooOld { .. }
            | Self::NameTaken { .. }
            | Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::Fenced(_)
            | Self::Nonsense { .. } => self.to_string(),
        }
    }

    /// As a step's error. `code` is used where the engine itself refused.
    pub fn into_target(self, code: &str, action: impl Into<String>) -> TargetError {
        let code = match self.code() {
            "internal" => code,
            own => own,
        };
        TargetError::failed(code, action, self.reason())
    }
}

impl From<bollard::errors::Error> for EngineError {
    fn from(error: bollard::errors::Error) -> Self {
        use bollard::errors::Error;
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::Refused { status: status_code, message }
            }
            Error::DockerStreamError { error } => Self::Refused { status: 200, message: error },
            other => Self::Broken { reason: chain(&other) },
        }
    }
}

/// An error with all its sources, each once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = source.source();
    }
    text
}

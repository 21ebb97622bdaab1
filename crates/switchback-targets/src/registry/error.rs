//! What can go wrong between us and a registry, and what to type next.

use std::time::Duration;

use switchback_core::words;

use super::platform::Platform;
use super::reference::Reference;

/// A question to a registry that has no answer. Never a reason to believe "nothing newer".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No connection, or it broke.
    #[error("registry {registry} cannot be reached: {cause}")]
    Unreachable {
        /// Its host.
        registry: String,
        /// In words.
        cause: String,
    },
    /// It took the question and did not answer.
    #[error("registry {registry} gave no answer within {}", words::duration(*limit))]
    Timeout {
        /// Its host.
        registry: String,
        /// How long we waited.
        limit: Duration,
    },
    /// 401 or 403.
    #[error("registry {registry} refuses {reference} (HTTP {status}) {login}")]
    Denied {
        /// Its name in references.
        registry: String,
        /// What was asked for.
        reference: String,
        /// The last answer.
        status: u16,
        /// As whom we asked.
        login: LoginTried,
    },
    /// 404: there is no such repository or no such tag; registries do not say which.
    #[error("{reference} does not exist in its registry (no such tag or repository)")]
    NotFound {
        /// What was asked for.
        reference: String,
    },
    /// 429.
    #[error("registry {registry} is limiting our requests{}", in_seconds(*retry_after))]
    RateLimited {
        /// Its name in references.
        registry: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
        /// As whom we asked.
        login: LoginTried,
    },
    /// An answer that is no answer: an error of the server, rubbish, too much, or other bytes than
    /// their digest says.
    #[error("registry {registry} answered {reference} with {problem}")]
    BadAnswer {
        /// Its host.
        registry: String,
        /// What was asked for.
        reference: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The image exists, but not for the machine that should run it.
    #[error("{reference} is not made for {wanted}, only for {}", list(available))]
    PlatformMissing {
        /// What was asked for.
        reference: String,
        /// The machine.
        wanted: Platform,
        /// What there is.
        available: Vec<Platform>,
    },
    /// This process cannot make requests at all.
    #[error("cannot set up requests to registries: {cause}")]
    Setup {
        /// In words.
        cause: String,
    },
}

/// As whom a registry was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginTried {
    /// As nobody, and there is no login for it where we looked.
    NoneFound {
        /// The file that has none.
        looked_in: String,
    },
    /// As nobody, because the login could not be read.
    Unreadable {
        /// In words.
        cause: String,
    },
    /// With a login.
    Used {
        /// Whose; None with a token.
        user: Option<String>,
    },
}

impl std::fmt::Display for LoginTried {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoneFound { looked_in } => {
                write!(formatter, "without a login, and {looked_in} has none for it")
            }
            Self::Unreadable { cause } => {
                write!(formatter, "without a login, and the one for it cannot be read: {cause}")
            }
            Self::Used { user: Some(user) } => write!(formatter, "to the login of {user}"),
            Self::Used { user: None } => {
                write!(formatter, "to the token that it is logged in with")
            }
        }
    }
}

impl RegistryError {
    /// The word of the contract for `error.code`.
    pub fn code(&self) -> &'static str {
        match self {
            // A registry that limits us or answers rubbish is, for this update, not there.
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::RateLimited { .. }
            | Self::BadAnswer { .. } => "registry_unreachable",
            Self::Denied { .. } => "registry_denied",
            Self::NotFound { .. } | Self::PlatformMissing { .. } => "ref_not_found",
            Self::Setup { .. } => "internal",
        }
    }

    /// The word for `reason` beside the status `unknown` of a check; finer than [`Self::code`].
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "registry_unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Denied { .. } => "registry_denied",
            Self::NotFound { .. } => "ref_not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::BadAnswer { .. } => "bad_answer",
            Self::PlatformMissing { .. } => "platform_missing",
            Self::Setup { .. } => "internal",
        }
    }

    /// Whether the same question may be answered later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::RateLimited { .. }
                | Self::BadAnswer { .. }
        )
    }

    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { registry, .. } | Self::Timeout { registry, .. } => Some(format!(
                "curl -sSI https://{registry}/v2/   # see whether it answers from here"
            )),
            Self::Denied { registry, login, .. } => Some(hint_for_login(registry, login)),
            Self::NotFound { reference } => {
                Some(format!("docker manifest inspect {reference}   # see what exists"))
            }
            Self::RateLimited { registry, login: LoginTried::NoneFound { .. }, .. } => {
                Some(format!("{}   # a login has a higher limit", login_command(registry)))
            }
            Self::PlatformMissing { reference, .. } => Some(format!(
                "docker manifest inspect {reference}   # see for what it is made, or name a tag that has it"
            )),
            Self::RateLimited { .. } | Self::BadAnswer { .. } | Self::Setup { .. } => None,
        }
    }
}

fn hint_for_login(registry: &str, login: &LoginTried) -> String {
    let command = login_command(registry);
    match login {
        LoginTried::NoneFound { .. } => command,
        LoginTried::Unreadable { .. } => format!("{command}   # or repair the login"),
        LoginTried::Used { .. } => {
            format!("{command}   # as somebody who may read it")
        }
    }
}

/// Docker Hub is the default of `docker login`.
fn login_command(registry: &str) -> String {
    if registry == "docker.io" {
        "docker login".to_owned()
    } else {
        format!("docker login {registry}")
    }
}

fn in_seconds(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(", for another {}", words::duration(wait)))
}

fn list(platforms: &[Platform]) -> String {
    if platforms.is_empty() {
        return "nothing that it names".to_owned();
    }
    let names: Vec<String> = platforms.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// An answer to `reference` that cannot be used.
pub(super) fn bad_answer(reference: &Reference, problem: impl Into<String>) -> RegistryError {
    RegistryError::BadAnswer {
        registry: reference.api_host().to_owned(),
        reference: reference.familiar(),
        problem: problem.into(),
    }
}

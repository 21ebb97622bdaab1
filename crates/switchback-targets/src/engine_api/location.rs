//! Where the engine is: named, from the environment, from the current Docker context, or the
//! default socket.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::address::without_login;
use sha2::{Digest, Sha256};

/// Where an engine is, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineLocation {
    /// `unix:///…` or `tcp://host:port`.
    pub url: String,
    /// Who said so, for messages.
    pub source: &'static str,
}

/// Why an engine's address is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Over SSH, or another transport that is not there yet.
    #[error("the engine address {url} is not supported: only unix:// and tcp:// are")]
    Unsupported {
        /// The address.
        url: String,
    },
    /// An engine takes no login in its address.
    #[error(
        "the engine address {url} has a login, of which an engine over TCP knows nothing; leave it out"
    )]
    Login {
        /// The address, without it.
        url: String,
    },
    /// The Docker context that is current cannot be read.
    #[error("the Docker context {context} cannot be read: {reason}")]
    Context {
        /// Its name.
        context: String,
        /// Why.
        reason: String,
    },
}

impl LocationError {
    /// The next command to type.
    pub fn hint(&self) -> String {
        match self {
            Self::Unsupported { .. } | Self::Login { .. } => {
                "export DOCKER_HOST=unix:///var/run/docker.sock   # or name the engine in the configuration: deployment.NAME.engine"
                    .to_owned()
            }
            Self::Context { .. } => "docker context use default".to_owned(),
        }
    }
}

/// Finds the engine. `configured` is the deployment's own `engine`; `environment` looks up a
/// variable.
pub fn locate(
    configured: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<EngineLocation, LocationError> {
    let given = |key| environment(key).filter(|it: &String| !it.is_empty());
    let (url, source) = match (configured, given("DOCKER_HOST")) {
        (Some(url), _) => (url.to_owned(), "engine in the configuration"),
        (None, Some(url)) => (url, "DOCKER_HOST"),
        (None, None) => {
            let folder = given("DOCKER_CONFIG")
                .map(PathBuf::from)
                .or_else(|| given("HOME").map(|home| Path::new(&home).join(".docker")));
            let context = given("DOCKER_CONTEXT");
            match folder.map(|it| of_context(&it, context)).transpose()?.flatten() {
                Some(url) => (url, "the current Docker context"),
                None => ("unix:///var/run/docker.sock".to_owned(), "the default socket"),
            }
        }
    };
    let shown = without_login(&url);
    if url.starts_with("tcp://") && shown != url {
        return Err(LocationError::Login { url: shown });
    }
    if url.starts_with("unix:///") || url.starts_with("tcp://") {
        return Ok(EngineLocation { url, source });
    }
    Err(LocationError::Unsupported { url: shown })
}

/// The address of the current context, unless that is the default one.
fn of_context(folder: &Path, named: Option<String>) -> Result<Option<String>, LocationError> {
    let current = || {
        let config = fs_err::read(folder.join("config.json")).ok()?;
        let config: Value = serde_json::from_slice(&config).ok()?;
        config["currentContext"].as_str().map(str::to_owned)
    };
    let Some(context) = named.or_else(current).filter(|it| !it.is_empty() && it != "default")
    else {
        return Ok(None);
    };
    // The folder of a context is named by the hash of its name.
    let hash = crate::container::hash::hexadecimal(&Sha256::digest(&context));
    let path = folder.join("contexts/meta").join(hash).join("meta.json");
    let failed = |reason: String| LocationError::Context { context: context.clone(), reason };
    let meta = fs_err::read(&path).map_err(|it| failed(it.to_string()))?;
    let meta: Value = serde_json::from_slice(&meta).map_err(|it| failed(it.to_string()))?;
    let host = meta["Endpoints"]["docker"]["Host"].as_str();
    host.map(|it| Some(it.to_owned())).ok_or_else(|| failed("it names no host".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(configured: Option<&str>, pairs: &[(&str, &str)]) -> Result<String, LocationError> {
        let find = |key: &str| pairs.iter().find(|it| it.0 == key).map(|it| it.1.to_owned());
        locate(configured, find).map(|it| it.url)
    }

    #[test]
    fn the_configuration_wins_over_the_environment_and_that_over_the_default() {
        let host = [("DOCKER_HOST", "tcp://10.0.0.1:2375")];
        assert_eq!(at(Some("unix:///run/e.sock"), &host).unwrap(), "unix:///run/e.sock");
        assert_eq!(at(None, &host).unwrap(), "tcp://10.0.0.1:2375");
        assert_eq!(at(None, &[]).unwrap(), "unix:///var/run/docker.sock");
    }

    #[test]
    fn the_current_context_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let hash = "b71199ebd070b36beab7317920c2c2f1d777df8d05e5527d8458fda57cb17a7a"; // of "remote"
        let meta = folder.path().join("contexts/meta").join(hash);
        fs_err::create_dir_all(&meta).unwrap();
        let text = r#"{"Name":"remote","Endpoints":{"docker":{"Host":"unix:///run/r.sock"}}}"#;
        fs_err::write(meta.join("meta.json"), text).unwrap();
        let config = folder.path().to_str().unwrap();
        let with = [("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "remote")];
        assert_eq!(at(None, &with).unwrap(), "unix:///run/r.sock");
        let gone = [("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "gone")];
        assert!(matches!(at(None, &gone), Err(LocationError::Context { .. })));
    }

    #[test]
    fn an_engine_over_ssh_is_refused_by_name_and_without_its_login() {
        let refused = at(Some("ssh://root@host"), &[]).unwrap_err();
        assert!(refused.to_string().contains("ssh://***@host"));
        let refused = at(Some("tcp://ada:canary@host:2375"), &[]).unwrap_err();
        assert_eq!(refused, LocationError::Login { url: "tcp://***@host:2375".to_owned() });
    }
}

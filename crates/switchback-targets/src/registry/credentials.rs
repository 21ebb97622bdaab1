//! Docker's logins: where the docker command line keeps them, and how it looks them up.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde_json::{Value, json};

use super::helper;
use super::login::{Login, Secret};

/// A helper talks to a key store or a cloud; it gets as long as a request to a registry.
const HELPER_LIMIT: Duration = Duration::from_secs(10);

/// Tokens that helpers give live for hours; a login made just now should count soon.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// The names under which people configure a helper for Docker Hub.
const DOCKER_HUB_NAMES: [&str; 3] = ["https://index.docker.io/v1/", "index.docker.io", "docker.io"];

/// The logins of the user who runs us, read when a registry asks for one.
#[derive(Debug)]
pub struct Credentials {
    file: Option<PathBuf>,
    helpers: Option<PathBuf>,
    helper_limit: Duration,
    known: tokio::sync::Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    login: Login,
    since: Instant,
}

/// A login that is configured and cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The configuration file is there and not readable, or is no JSON.
    #[error("{}: {cause}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// In words.
        cause: String,
    },
    /// A credential helper failed or hung.
    #[error("{cause}")]
    Helper {
        /// In words, with the helper's name.
        cause: String,
    },
}

impl Credentials {
    /// As the docker command line finds them: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
    pub fn from_environment() -> Self {
        let folder = std::env::var_os("DOCKER_CONFIG")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".docker")));
        Self::reading(folder.map(|folder| folder.join("config.json")))
    }

    /// From this file alone.
    pub fn in_file(file: impl Into<PathBuf>) -> Self {
        Self::reading(Some(file.into()))
    }

    /// No logins: every registry is asked as nobody.
    pub fn none() -> Self {
        Self::reading(None)
    }

    fn reading(file: Option<PathBuf>) -> Self {
        Self {
            file,
            helpers: None,
            helper_limit: HELPER_LIMIT,
            known: tokio::sync::Mutex::default(),
        }
    }

    /// For tests: helpers from a folder instead of the search path, and less patience with them.
    #[cfg(test)]
    pub(super) fn with_helpers(mut self, folder: &Path, limit: Duration) -> Self {
        self.helpers = Some(folder.to_owned());
        self.helper_limit = limit;
        self
    }

    /// Where the logins are, for messages.
    pub(super) fn looked_in(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None => "the configuration of docker".to_owned(),
        }
    }

    /// The login for a registry under the name at which Docker files it (`registry.example:5000`,
    /// `https://index.docker.io/v1/`). [`Login::Anonymous`] if there is none.
    pub async fn login(&self, server: &str) -> Result<Login, CredentialError> {
        // Held while a helper runs, so that a hundred questions start it once.
        let mut known = self.known.lock().await;
        if let Some(entry) = known.get(server)
            && entry.since.elapsed() < KEPT_FOR
        {
            return Ok(entry.login.clone());
        }
        let login = self.look_up(server).await?;
        known.insert(server.to_owned(), Known { login: login.clone(), since: Instant::now() });
        Ok(login)
    }

    async fn look_up(&self, server: &str) -> Result<Login, CredentialError> {
        let Some(file) = &self.file else {
            return Ok(Login::Anonymous);
        };
        let Some(config) = read(file).await? else {
            return Ok(Login::Anonymous);
        };
        if let Some(name) = helper_for(&config, server) {
            let login = helper::ask(self.program(name), server, self.helper_limit)
                .await
                .map_err(|cause| CredentialError::Helper { cause })?;
            if login != Login::Anonymous {
                return Ok(login);
            }
        }
        from_auths(&config, server)
            .map_err(|cause| CredentialError::File { file: file.clone(), cause })
    }

    fn program(&self, helper: &str) -> OsString {
        let name = format!("docker-credential-{helper}");
        match &self.helpers {
            Some(folder) => folder.join(name).into_os_string(),
            None => OsString::from(name),
        }
    }
}

/// The configuration. None: there is none, and nobody has ever logged in here.
async fn read(file: &Path) -> Result<Option<Value>, CredentialError> {
    let failed = |cause: String| CredentialError::File { file: file.to_owned(), cause };
    let text = match tokio::fs::read(file).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    // The position is enough to find the mistake; the text around it may be a secret.
    let config = serde_json::from_slice(&text).map_err(|error| {
        failed(format!("not JSON at line {}, column {}", error.line(), error.column()))
    })?;
    Ok(Some(config))
}

/// The helper that keeps the login for `server`: its own before the general one.
fn helper_for<'a>(config: &'a Value, server: &str) -> Option<&'a str> {
    let helpers = &config["credHelpers"];
    let own = if DOCKER_HUB_NAMES.contains(&server) {
        DOCKER_HUB_NAMES.iter().find_map(|name| helpers[*name].as_str())
    } else {
        helpers[server].as_str()
    };
    own.or_else(|| config["credsStore"].as_str()).filter(|name| !name.is_empty())
}

/// The login written into the file itself.
///
/// The crate gets no more than this part: it would run helpers without any deadline.
fn from_auths(config: &Value, server: &str) -> Result<Login, String> {
    let auths = json!({ "auths": with_text_only(&config["auths"]) }).to_string();
    // The crate knows all names of Docker Hub's entry, if it is asked by this one.
    let server = if DOCKER_HUB_NAMES.contains(&server) { "index.docker.io" } else { server };
    match docker_credential::get_credential_from_reader(auths.as_bytes(), server) {
        Ok(DockerCredential::IdentityToken(token)) => Ok(Login::Token(Secret::new(token))),
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(Login::Basic { user, secret: Secret::new(password) })
        }
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(Login::Anonymous),
        Err(_) => Err(format!("the login for {server} is not readable")),
    }
}

/// The entries without their empty fields: docker writes `"auth": ""` where a helper has the login.
fn with_text_only(auths: &Value) -> Value {
    let mut auths = auths.clone();
    for entry in auths.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
        if let Some(fields) = entry.as_object_mut() {
            fields.retain(|_, field| field.as_str().is_some_and(|text| !text.is_empty()));
        }
    }
    auths
}

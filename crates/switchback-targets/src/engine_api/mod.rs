//! A Docker-compatible engine: where it is, what it speaks, and what is asked of it.
//!
//! Streams (pull, exec, archives, logs) go through bollard. Documents that must come back whole
//! (inspect, create, update) go as plain JSON: bollard's models are those of the newest API and
//! drop what older engines have, such as `Config.MacAddress`, the only sign of an address that a
//! person asked for.

mod archive;
mod documents;
mod error;
mod exec;
mod guard;
mod images;
mod location;
mod logs;
mod own;
mod pipe;
mod podman;
mod removal;
mod untold;

use std::{fmt::Write as _, sync::Arc, time::Duration};

pub use archive::ArchivedFile;
use bollard::{ClientVersion, Docker};
pub use error::{EngineError, NO_SPACE_HINT};
pub use exec::{ExecOutput, Input};
pub use guard::Guard;
pub use images::{ImportedImage, PullProgress};
pub use location::{EngineLocation, LocationError, locate};
pub use pipe::{Open, Pipe};
pub(crate) use podman::ALL_OF_A_DEVICE;
use serde_json::Value;
use switchback_core::Millis;
pub(crate) use untold::UNTOLD;

use self::{documents::Documents, removal::Removal};
use crate::patience::within;

/// The oldest API that is spoken: Docker 20.10's, the oldest engine a distribution still ships.
const OLDEST_API: (u64, u64) = (1, 41);

/// The newest API that inspects are asked in: 1.52 no longer tells an address that a person asked
/// for from one that the engine made up.
const NEWEST_API: (u64, u64) = (1, 51);

/// For an answer that the engine gives from memory, in milliseconds; one that takes ten seconds is ill.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// For the list of all containers. Podman locks and looks at each for it: with 400 of them and others
/// who asked for it too, it took more than ten seconds on two cores.
const LIST_LIMIT: Duration = Duration::from_secs(30);

/// For what the engine reads from a container's file system: it mounts that, starts a process of its
/// own there and waits for the disk. Ten seconds were met on two busy cores whose disk stood still.
const FILES_LIMIT: Duration = Duration::from_secs(60);

/// How long an engine may take to say that it is there. Four seconds were too few for engines that many
/// asked at once on two cores.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How often, and with what pauses, Podman is asked again that gave up a look because some container
/// went away meanwhile: each time another one has to.
const STUMBLES: u32 = 10;
const STUMBLE_PAUSE: Duration = Duration::from_millis(50);

/// What the system calls a socket that may not be opened.
const DENIED: &str = "permission denied";

/// What bollard may take for any one request. The steps of a plan have limits of their own that
/// follow from their effects, so this one never ends anything.
const CLIENT_LIMIT_S: u64 = 24 * 60 * 60;

/// A connection to one engine.
#[derive(Debug, Clone)]
pub struct EngineClient {
    docker: Docker,
    documents: Documents,
    location: EngineLocation,
    facts: EngineFacts,
    guard: Option<Arc<dyn Guard>>,
    boot_time: fn() -> Millis,
    remembered: own::Remembered,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// The id of the engine's data root; two engines never share one.
    pub id: String,
    /// Its version ("20.10.24").
    pub version: String,
    /// The API that is spoken with it.
    pub api: (u64, u64),
    /// `linux`.
    pub os: String,
    /// As in image manifests: `amd64`, `arm64`.
    pub architecture: String,
    /// Whether it is Podman's service.
    pub is_podman: bool,
    /// The log driver of containers that ask for none.
    pub log_driver: String,
}

impl EngineClient {
    /// Connects, asks who is there, and settles on an API version.
    pub async fn connect(location: &EngineLocation) -> Result<Self, EngineError> {
        let docker = |api: &ClientVersion| connect(location, api);
        Self::meet(location, Documents::new(location)?, docker, boot_time).await
    }

    /// The same with an engine at the other end of a pipe.
    pub async fn connect_through(pipe: &Pipe) -> Result<Self, EngineError> {
        let location = EngineLocation { url: pipe::BASE.to_owned(), source: "a pipe" };
        let docker = |api: &ClientVersion| pipe.docker(api);
        Self::meet(&location, Documents::through(pipe), docker, pipe.boot_time).await
    }

    async fn meet(
        location: &EngineLocation,
        documents: Documents,
        docker: impl FnOnce(&ClientVersion) -> Result<Docker, bollard::errors::Error>,
        boot_time: fn() -> Millis,
    ) -> Result<Self, EngineError> {
        let unreachable = |reason: String| EngineError::Unreachable {
            location: location.url.clone(),
            source_of_location: location.source.to_owned(),
            reason,
        };
        let version = within(CONNECT_LIMIT, documents.get("/version")).await;
        let version = match version {
            None => {
                return Err(unreachable(format!("no answer within {} s", CONNECT_LIMIT.as_secs())));
            }
            Some(Err(EngineError::Broken { reason })) if reason == DENIED => {
                return Err(EngineError::Denied {
                    location: location.url.clone(),
                    source_of_location: location.source.to_owned(),
                });
            }
            Some(Err(error)) => return Err(unreachable(error.reason())),
            Some(Ok(version)) => version,
        };
        if version["ApiVersion"].as_str().is_none() {
            return Err(unreachable("what answers there is no container engine".to_owned()));
        }
        let api = settle(&version)?;
        let documents = documents.with_version(api);
        let info = within(READ_LIMIT, documents.get("/info")).await;
        let info = info.ok_or_else(|| unreachable("no answer within 10 s".to_owned()))??;
        let spoken =
            ClientVersion { major_version: as_usize(api.0), minor_version: as_usize(api.1) };
        let docker = docker(&spoken).map_err(|it| unreachable(it.to_string()))?;
        Ok(Self {
            docker,
            documents,
            location: location.clone(),
            facts: facts(&version, &info, api),
            guard: None,
            boot_time,
            remembered: own::Remembered::default(),
        })
    }

    /// Milliseconds on the clock by which leases on it are measured. It goes on in suspend.
    pub(crate) fn boot_time(&self) -> Millis {
        (self.boot_time)()
    }

    /// What the engine says of itself.
    pub fn facts(&self) -> &EngineFacts {
        &self.facts
    }

    /// Where the engine is.
    pub fn location(&self) -> &EngineLocation {
        &self.location
    }

    /// A document, by its path below the API's version.
    pub async fn get(&self, path: &str) -> Result<Value, EngineError> {
        self.get_within(READ_LIMIT, path).await
    }

    async fn get_within(&self, limit: Duration, path: &str) -> Result<Value, EngineError> {
        let mut tries = STUMBLES;
        loop {
            let answer = within(limit, self.documents.get(path)).await;
            let answer = answer.ok_or_else(|| EngineError::TimedOut { what: path.to_owned() })?;
            if tries == 0 || !answer.as_ref().is_err_and(podman::has_stumbled) {
                return answer;
            }
            tries -= 1;
            tokio::time::sleep(STUMBLE_PAUSE).await;
        }
    }

    /// A document that may not be there.
    pub async fn find(&self, path: &str) -> Result<Option<Value>, EngineError> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(EngineError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A request that changes something. It waits as long as the effect takes: the caller's step
    /// has the limit.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, EngineError> {
        self.pass().await?;
        self.documents.send("POST", path, body).await
    }

    /// Removes something. True if it was there. Where its removal has already begun, waits for the
    /// end of that.
    pub async fn delete(&self, path: &str) -> Result<bool, EngineError> {
        self.pass().await?;
        let mut asked = 0;
        loop {
            let answer = self.documents.send("DELETE", path, None).await;
            asked += 1;
            match removal::judge(answer, asked) {
                Removal::Over(came) => return came,
                Removal::UnderWay => tokio::time::sleep(removal::PAUSE).await,
            }
        }
    }

    /// The inspect of a container, by its whole id or its name. The engine also finds one by the
    /// beginning of its id, so that `db` may be anybody's: such an answer counts as none.
    pub async fn container(&self, id: &str) -> Result<Option<Value>, EngineError> {
        let found = self.find(&format!("/containers/{}/json", encode(id))).await?;
        let found = found.map_or(Ok(None), |it| is_meant(it, id))?;
        let found = found.map(with_sorted_mounts);
        match found {
            Some(inspect) if self.facts.is_podman => self.podman_container(inspect).await.map(Some),
            found => Ok(found),
        }
    }

    /// The inspect of an image, by id or reference.
    pub async fn image(&self, reference: &str) -> Result<Option<Value>, EngineError> {
        let found = self.find(&format!("/images/{}/json", encode(reference))).await?;
        Ok(if self.facts.is_podman { found.map(podman::image) } else { found })
    }

    /// All images that have a name.
    pub async fn images(&self) -> Result<Vec<Value>, EngineError> {
        match self.get("/images/json").await? {
            Value::Array(list) if self.facts.is_podman => {
                Ok(list.into_iter().map(podman::image).collect())
            }
            Value::Array(list) => Ok(list),
            other => Err(EngineError::Nonsense { what: "/images/json", got: kind(&other) }),
        }
    }

    /// All containers, stopped ones too.
    pub async fn containers(&self) -> Result<Vec<Value>, EngineError> {
        match self.get_within(LIST_LIMIT, "/containers/json?all=1").await? {
            Value::Array(list) => Ok(list),
            other => Err(EngineError::Nonsense { what: "/containers/json", got: kind(&other) }),
        }
    }
}

/// An inspect, if it is the one of the container with that id or name.
fn is_meant(found: Value, wanted: &str) -> Result<Option<Value>, EngineError> {
    let id = found["Id"].as_str().unwrap_or_default();
    if id.is_empty() {
        return Err(EngineError::Nonsense { what: "an inspect", got: kind(&found) });
    }
    let name = found["Name"].as_str().unwrap_or_default();
    let is_it = id == wanted || name.trim_start_matches('/') == wanted.trim_start_matches('/');
    Ok(is_it.then_some(found))
}

/// The engine lists mounts in another order each time; two looks at one container have to be equal.
fn with_sorted_mounts(mut inspect: Value) -> Value {
    if let Some(mounts) = inspect["Mounts"].as_array_mut() {
        mounts
            .sort_by(|one, other| one["Destination"].as_str().cmp(&other["Destination"].as_str()));
    }
    inspect
}

/// Escapes a name or reference for a path. Slashes and colons of image references stay.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b'/'
            | b':'
            | b'@' => {
                out.push(char::from(byte));
            }
            _ => {
                let _infallible = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn connect(
    location: &EngineLocation,
    api: &ClientVersion,
) -> Result<Docker, bollard::errors::Error> {
    match location.url.strip_prefix("unix://") {
        Some(path) => Docker::connect_with_unix(path, CLIENT_LIMIT_S, api),
        None => Docker::connect_with_http(&location.url, CLIENT_LIMIT_S, api),
    }
}

/// Milliseconds on the clock that goes on in suspend.
fn boot_time() -> Millis {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

/// The newest API that both sides speak.
fn settle(version: &Value) -> Result<(u64, u64), EngineError> {
    let word = |key: &str| version[key].as_str().unwrap_or_default().to_owned();
    let (engine, newest) = (word("Version"), word("ApiVersion"));
    let is_podman = is_podman(version);
    // Podman names its own version; its Docker API is 1.41, and right only since 5.1.
    if is_podman && number(&engine) < (5, 1) {
        return Err(EngineError::TooOld {
            engine: format!("Podman {engine}"),
            needed: "Podman 5.1",
        });
    }
    let newest = number(&newest);
    if newest < OLDEST_API {
        return Err(EngineError::TooOld {
            engine: format!("Docker {engine} (API {}.{})", newest.0, newest.1),
            needed: "Docker 20.10 (API 1.41)",
        });
    }
    let oldest = version["MinAPIVersion"].as_str().map_or((0, 0), number);
    Ok(newest.min(NEWEST_API).max(oldest))
}

fn is_podman(version: &Value) -> bool {
    let components = version["Components"].as_array().map_or(&[][..], Vec::as_slice);
    components.iter().any(|it| it["Name"].as_str().is_some_and(|it| it.contains("Podman")))
}

fn facts(version: &Value, info: &Value, api: (u64, u64)) -> EngineFacts {
    let word = |key: &str| version[key].as_str().unwrap_or_default().to_owned();
    EngineFacts {
        id: identity(version, info),
        version: word("Version"),
        api,
        os: word("Os"),
        architecture: word("Arch"),
        is_podman: is_podman(version),
        log_driver: info["LoggingDriver"].as_str().unwrap_or("json-file").to_owned(),
    }
}

/// What stays the same for one engine. Podman gives itself another id each time it is asked, so that
/// there the host and the folder of its store have to do.
fn identity(version: &Value, info: &Value) -> String {
    let word = |key: &str| info[key].as_str().filter(|it| !it.is_empty());
    let name = word("Name").unwrap_or_default();
    if is_podman(version) {
        return format!("podman {name} {}", word("DockerRootDir").unwrap_or_default());
    }
    word("ID").unwrap_or(name).to_owned()
}

/// The first two numbers of a version.
fn number(text: &str) -> (u64, u64) {
    let mut parts = text.split('.').map(|it| it.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn as_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn kind(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests;

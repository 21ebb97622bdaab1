//! The lab as tests see it: a real engine and real registries, which `scripts/lab up` has started.

mod cleanup;
mod error;
mod http;
mod layer;
mod port;
mod prober;
mod registry;
mod settings;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

pub use cleanup::Cleanup;
pub use error::LabError;
pub use port::free_port;
pub use prober::{Prober, Report};
pub use settings::Credentials;

use layer::Layer;
use registry::Registry;
use settings::Settings;

/// No docker command of a test takes longer: the longest waits 10 s for a container to stop.
const DOCKER_DEADLINE: Duration = Duration::from_secs(60);

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    engine: String,
    open: Registry,
    private: Registry,
    docker_config: PathBuf,
    images: PathBuf,
}

/// An engine that may be pruned, killed and restarted by whoever has locked it.
#[derive(Debug, Clone)]
pub struct SpareEngine {
    /// The engine as `DOCKER_HOST` names it: `tcp://IP:PORT`.
    pub url: String,
    /// The container that it is, on the lab's engine.
    pub container: String,
    /// The lab's engine as `DOCKER_HOST` names it.
    pub lab: String,
    /// The file that whoever uses it has locked.
    pub lock: PathBuf,
}

impl Lab {
    /// Finds the lab in `$SWITCHBACK_LAB`, else in `switchback-lab` in the user's cache folder,
    /// and looks whether it answers. With another `$SWITCHBACK_LAB_ENGINE` in the environment, that
    /// engine is meant.
    pub fn connect() -> Result<Self, LabError> {
        let settings = Settings::read(settings::file("env"))?;
        let engine = match std::env::var("SWITCHBACK_LAB_ENGINE") {
            Ok(engine) if !engine.is_empty() => engine,
            _ => settings.get("SWITCHBACK_LAB_ENGINE")?,
        };
        Self::on(engine, &settings)
    }

    /// An engine beside the lab's own that tests may do anything to.
    pub fn spare() -> Result<SpareEngine, LabError> {
        let settings = Settings::read(settings::file("engines/spare/env"))?;
        Ok(SpareEngine {
            url: settings.get("SWITCHBACK_LAB_ENGINE")?,
            container: settings.get("SWITCHBACK_LAB_CONTAINER")?,
            lab: Settings::read(settings::file("env"))?.get("SWITCHBACK_LAB_ENGINE")?,
            lock: settings::file("engines/spare/lock"),
        })
    }

    /// The lab with another engine.
    pub fn with_engine(engine: &str) -> Result<Self, LabError> {
        Self::on(engine.to_owned(), &Settings::read(settings::file("env"))?)
    }

    fn on(engine: String, settings: &Settings) -> Result<Self, LabError> {
        let lab = Self {
            engine,
            open: Registry { address: settings.get("SWITCHBACK_LAB_REGISTRY")?, credentials: None },
            private: Registry {
                address: settings.get("SWITCHBACK_LAB_PRIVATE_REGISTRY")?,
                credentials: Some(Credentials {
                    user: settings.get("SWITCHBACK_LAB_PRIVATE_USER")?,
                    password: settings.get("SWITCHBACK_LAB_PRIVATE_PASSWORD")?,
                }),
            },
            docker_config: settings.get("SWITCHBACK_LAB_DOCKER_CONFIG")?.into(),
            images: settings.get("SWITCHBACK_LAB_IMAGES")?.into(),
        };
        settings::must_answer("engine", &lab.engine)?;
        settings::must_answer("registry", &lab.open.address)?;
        settings::must_answer("private registry", &lab.private.address)?;
        Ok(lab)
    }

    /// The engine as `DOCKER_HOST` names it: `unix:///…` or `tcp://IP:PORT`.
    pub fn engine_url(&self) -> &str {
        &self.engine
    }

    /// The address at which ports that are published on this engine are reached from here.
    pub fn host(&self) -> &str {
        let remote = self.engine.strip_prefix("tcp://").and_then(|it| it.rsplit_once(':'));
        remote.map_or("127.0.0.1", |(host, _)| host)
    }

    /// The address of the engine's host on which a port has to be published to be reached from here.
    pub fn publish_address(&self) -> &'static str {
        if self.engine.starts_with("tcp://") { "0.0.0.0" } else { "127.0.0.1" }
    }

    /// `127.0.0.1:PORT` of the registry that anybody may read and write.
    pub fn registry(&self) -> &str {
        &self.open.address
    }

    /// `127.0.0.1:PORT` of the registry that asks for [`Lab::private_credentials`].
    pub fn private_registry(&self) -> &str {
        &self.private.address
    }

    /// User and password for [`Lab::private_registry`].
    ///
    /// # Panics
    /// Never: a lab is not connected without them.
    pub fn private_credentials(&self) -> &Credentials {
        self.private.credentials.as_ref().expect("set by connect")
    }

    /// A `DOCKER_CONFIG` folder in which these credentials are stored.
    pub fn docker_config(&self) -> &PathBuf {
        &self.docker_config
    }

    /// Puts a ledger that behaves as `environment` says under `REGISTRY/repository:tag`, and
    /// returns the manifest's digest (`sha256:…`). No engine takes part, so no engine has the image
    /// before it pulls. Equal environments give equal digests; for another release of the same
    /// behaviour add a variable, for example `LEDGER_BUILD`.
    pub async fn publish(
        &self,
        repository: &str,
        tag: &str,
        environment: &[(&str, &str)],
    ) -> Result<String, LabError> {
        self.publish_config(repository, tag, &ledger_config(environment)).await
    }

    /// As [`Lab::publish`], with the whole `Config` of the image (start from [`ledger_config`]).
    pub async fn publish_config(
        &self,
        repository: &str,
        tag: &str,
        config: &Value,
    ) -> Result<String, LabError> {
        self.open.publish(repository, tag, config, &self.layers(&["ledger"])?).await
    }

    /// As [`Lab::publish_config`], as an image for another architecture (`arm64`). What is in it is
    /// for this one all the same.
    pub async fn publish_for(
        &self,
        architecture: &str,
        repository: &str,
        tag: &str,
        config: &Value,
    ) -> Result<String, LabError> {
        let layers = self.layers(&["ledger"])?;
        self.open.publish_for(architecture, repository, tag, config, &layers).await
    }

    /// As [`Lab::publish`], into the private registry.
    pub async fn publish_private(
        &self,
        repository: &str,
        tag: &str,
        environment: &[(&str, &str)],
    ) -> Result<String, LabError> {
        let config = ledger_config(environment);
        self.private.publish(repository, tag, &config, &self.layers(&["ledger"])?).await
    }

    /// As [`Lab::publish_config`], from layers that `scripts/lab` has made, lowest first.
    pub async fn publish_layers(
        &self,
        repository: &str,
        tag: &str,
        config: &Value,
        layers: &[&str],
    ) -> Result<String, LabError> {
        self.open.publish(repository, tag, config, &self.layers(layers)?).await
    }

    fn layers(&self, names: &[&str]) -> Result<Vec<Layer>, LabError> {
        names.iter().map(|name| Layer::open(&self.images, name)).collect()
    }

    /// Runs the docker client on this lab's engine and returns its stdout without the last newline.
    pub async fn docker(&self, arguments: &[&str]) -> Result<String, LabError> {
        let failed = |message| LabError::Docker { arguments: arguments.join(" "), message };
        let run = tokio::process::Command::new("docker")
            .args(arguments)
            .env("DOCKER_HOST", &self.engine)
            .env("DOCKER_CONFIG", &self.docker_config)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(DOCKER_DEADLINE, run)
            .await
            .map_err(|_| failed(format!("it did not end within {DOCKER_DEADLINE:?}")))?
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Something that removes containers, volumes and images of a test when it is dropped.
    pub fn cleanup(&self) -> Cleanup {
        Cleanup::new(self.engine.clone(), self.docker_config.clone())
    }

    /// A name for a container, volume or repository that no other test has: `web-4711-3`.
    pub fn unique(&self, name: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The `Config` of a ledger image: it listens on 8080, keeps its rows in `/data`, and carries its
/// `LEDGER_VERSION` as the label in which images say their version.
pub fn ledger_config(environment: &[(&str, &str)]) -> Value {
    let variables: Vec<String> =
        environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let version = environment.iter().find(|(name, _)| *name == "LEDGER_VERSION");
    json!({
        "Env": variables,
        "Entrypoint": ["/ledger"],
        "ExposedPorts": { "8080/tcp": {} },
        "Labels": version.map(|(_, version)| json!({ "org.opencontainers.image.version": version })),
    })
}

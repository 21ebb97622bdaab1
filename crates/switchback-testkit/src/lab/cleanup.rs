//! Takes away what a test has made, also when the test fails.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Removes the containers, volumes and images named to it when it is dropped. Name them before they are made.
#[derive(Debug)]
#[must_use = "it removes everything as soon as it is dropped"]
pub struct Cleanup {
    engine: String,
    docker_config: PathBuf,
    containers: Vec<String>,
    volumes: Vec<String>,
    images: Vec<String>,
}

impl Cleanup {
    pub(super) fn new(engine: String, docker_config: PathBuf) -> Self {
        Self {
            engine,
            docker_config,
            containers: Vec::new(),
            volumes: Vec::new(),
            images: Vec::new(),
        }
    }

    /// A container to be removed by force, with its anonymous volumes.
    pub fn container(&mut self, name: &str) {
        self.containers.push(name.to_owned());
    }

    /// A volume to be removed after the containers.
    pub fn volume(&mut self, name: &str) {
        self.volumes.push(name.to_owned());
    }

    /// An image reference to be removed from the engine after the containers.
    pub fn image(&mut self, reference: &str) {
        self.images.push(reference.to_owned());
    }

    fn docker(&self, arguments: &[&str], names: &[String]) {
        if names.is_empty() {
            return;
        }
        // A test may have removed some of it already, and a test that panics must not panic again.
        Command::new("docker")
            .args(arguments)
            .args(names)
            .env("DOCKER_HOST", &self.engine)
            .env("DOCKER_CONFIG", &self.docker_config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok();
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        self.docker(&["rm", "--force", "--volumes"], &self.containers);
        self.docker(&["volume", "rm", "--force"], &self.volumes);
        self.docker(&["rmi"], &self.images);
    }
}

//! What a test leaves on the engine, found by its own unique name and removed by its exact names.

use std::cell::RefCell;

use super::world::World;

/// Names of what a test has made besides the containers that carry its own name.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) containers: RefCell<Vec<String>>,
    pub(crate) volumes: RefCell<Vec<String>>,
    pub(crate) networks: RefCell<Vec<String>>,
    /// Registry and repository.
    pub(crate) repositories: RefCell<Vec<String>>,
}

impl World {
    /// Containers that an update of ours has made or parked.
    pub(crate) fn temporary_containers(&self) -> Vec<String> {
        let mark = format!("{}.switchback-", self.name);
        let mut found = self.containers();
        found.retain(|it| it.contains(&mark) || self.is_lease(it));
        found.sort();
        found
    }

    fn is_lease(&self, name: &str) -> bool {
        name == format!("switchback-lease-{}", self.name)
    }

    fn containers(&self) -> Vec<String> {
        let listed = self.docker(&["ps", "--all", "--format", "{{.Names}}"]);
        listed.split([',', '\n']).map(str::to_owned).collect()
    }

    /// Image names that Switchback keeps for this test's container.
    pub(crate) fn kept_images(&self) -> Vec<String> {
        self.images_of(&format!("switchback-keep/{}", self.name))
    }

    /// Operations whose data is kept with the target.
    pub(crate) fn kept_snapshots(&self) -> Vec<String> {
        let folder = format!("/switchback/snapshots/{}", self.name);
        let list = ["exec", "switchback-anchor", "/keeper", "list", &folder];
        match self.docker_output(&list) {
            Ok(listed) => listed.lines().map(str::to_owned).collect(),
            // Nothing was ever kept, or the anchor itself is not there before the first update.
            Err(error) if error.contains("\"errno\":2") => Vec::new(),
            Err(error) if error.contains("No such container") => Vec::new(),
            Err(error) => panic!("the snapshots of {} cannot be listed: {error}", self.name),
        }
    }

    fn images_of(&self, repository: &str) -> Vec<String> {
        let listed = self.docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", repository]);
        // Podman tells every name of an image of which one is asked for.
        let is_it = |it: &&str| it.split(':').any(|part| part.ends_with(repository));
        let mut found: Vec<String> = listed.lines().filter(is_it).map(str::to_owned).collect();
        found.sort();
        found
    }

    /// Removes containers of this test, and what Switchback has made and parked beside them.
    pub(crate) fn remove_containers(&self, made: &[String]) {
        let is_of = |it: &str, made: &String| {
            it.strip_prefix(made.as_str())
                .is_some_and(|it| it.is_empty() || it.starts_with(".switchback-"))
        };
        // Podman leaves one that others depend on, and takes it once they are gone.
        for _ in 0..2 {
            let mut containers = self.containers();
            containers.retain(|it| made.iter().any(|made| is_of(it, made)));
            self.quietly(&["rm", "--force", "--volumes"], &containers);
        }
    }

    fn remove_everything(&self) {
        // A test that has failed because its engine is away says so itself.
        if self.docker_output(&["version"]).is_err() {
            return;
        }
        self.quietly(&["rm", "--force", "--volumes"], &self.temporary_containers());
        self.remove_containers(&self.made.containers.borrow());
        self.remove_what_is_kept();
        self.quietly(&["network", "rm"], &self.made.networks.borrow());
        self.quietly(&["volume", "rm", "--force"], &self.made.volumes.borrow());
        self.remove_kept_images();
        self.remove_images_of(&self.repository_reference());
        for repository in self.made.repositories.borrow().iter() {
            self.remove_images_of(repository);
        }
    }

    /// What the targets hold of us outlives the containers, and a lab is used for months.
    fn remove_what_is_kept(&self) {
        for made in self.made.containers.borrow().iter() {
            for kind in ["targets", "snapshots"] {
                let folder = format!("/switchback/{kind}/{made}");
                self.docker_output(&["exec", "switchback-anchor", "/keeper", "remove", &folder])
                    .ok();
            }
        }
    }

    fn remove_kept_images(&self) {
        let all = self.docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
        let is_of = |it: &str, made: &String| it.contains(&format!("switchback-keep/{made}:"));
        let is_ours = |it: &&str| self.made.containers.borrow().iter().any(|made| is_of(it, made));
        let ours: Vec<String> = all.lines().filter(is_ours).map(str::to_owned).collect();
        self.quietly(&["rmi"], &ours);
    }

    fn remove_images_of(&self, repository: &str) {
        let own = self.docker(&["images", "--quiet", "--no-trunc", repository]);
        let mut own: Vec<String> = own.lines().map(str::to_owned).collect();
        own.sort();
        own.dedup();
        for image in own {
            // An image has a name for each tag and each digest; each of these is in our repository.
            let names = "{{join .RepoTags \"\\n\"}}\n{{join .RepoDigests \"\\n\"}}";
            let names = self.docker_output(&["image", "inspect", "--format", names, &image]);
            let names = names.unwrap_or_default();
            let ours = |it: &&str| it.starts_with(repository);
            let names: Vec<String> = names.lines().filter(ours).map(str::to_owned).collect();
            self.quietly(&["rmi"], &names);
        }
    }

    fn quietly(&self, arguments: &[&str], names: &[String]) {
        if names.is_empty() {
            return;
        }
        let mut all = arguments.to_vec();
        all.extend(names.iter().map(String::as_str));
        self.docker_output(&all).ok();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::env::var_os("SWITCHBACK_TEST_KEEP").is_none() {
            self.remove_everything();
        }
    }
}

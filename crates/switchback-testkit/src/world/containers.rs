//! What a request does to a container, and what it is answered.

use super::{Answered, Inner, refused};
use crate::engine::{Answer, Container, Refusal, Request, RestartPolicy, Specification, Status};

impl Inner {
    pub(super) fn container(&self, key: &str) -> Result<&Container, Refusal> {
        self.position(key).map(|it| &self.containers[it])
    }

    fn container_mut(&mut self, key: &str) -> Result<&mut Container, Refusal> {
        self.position(key).map(|it| &mut self.containers[it])
    }

    /// By id, by name, or by the first twelve digits of the id, in this order.
    fn position(&self, key: &str) -> Result<usize, Refusal> {
        let at = |is: &dyn Fn(&Container) -> bool| self.containers.iter().position(is);
        at(&|it| it.id == key)
            .or_else(|| at(&|it| it.name == key))
            .or_else(|| at(&|it| key.len() >= 12 && it.id.starts_with(key)))
            .ok_or_else(|| refused(404, format!("No such container: {key}")))
    }

    pub(super) fn listed(&self, all: bool) -> Vec<Container> {
        let is_listed =
            |it: &&Container| all || matches!(it.status, Status::Running | Status::Paused);
        let mut listed: Vec<_> = self.containers.iter().filter(is_listed).cloned().collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        listed
    }

    pub(super) fn assert_free(&self, name: &str) -> Result<(), Refusal> {
        let is_word = |it: char| it.is_ascii_alphanumeric() || "_.-".contains(it);
        if name.len() < 2
            || !name.starts_with(|it: char| it.is_ascii_alphanumeric())
            || !name.chars().all(is_word)
        {
            return Err(refused(400, format!("Invalid container name ({name})")));
        }
        let is_taken =
            self.reserved.contains(name) || self.containers.iter().any(|it| it.name == name);
        if is_taken {
            return Err(refused(409, format!("The container name \"{name}\" is already in use")));
        }
        Ok(())
    }

    pub(super) fn create(&mut self, name: &str, specification: &Specification) -> Answered {
        let image_id = self.image(&specification.image)?.id;
        self.assert_free(name)?;
        self.made += 1;
        let id = format!("{:08x}{:056x}", self.made.wrapping_mul(0x9E37_79B1), self.made);
        self.add_volumes(specification);
        self.containers.push(Container {
            id: id.clone(),
            name: name.to_owned(),
            specification: specification.clone(),
            image_id,
            status: Status::Created,
            pid: 0,
            restarts: 0,
            exit_code: 0,
            was_started: false,
            was_stopped: false,
            is_busy: false,
        });
        Ok(Answer::Created(id))
    }

    pub(super) fn start(&mut self, key: &str) -> Answered {
        let at = self.position(key)?;
        match self.containers[at].status {
            Status::Running => return Ok(Answer::Unchanged),
            Status::Paused => {
                return Err(refused(409, "cannot start a paused container, try unpause instead"));
            }
            Status::Dead => {
                return Err(refused(409, "container is marked for removal and cannot be started"));
            }
            Status::Created | Status::Exited => {}
        }
        self.run(at)?;
        let container = &mut self.containers[at];
        (container.restarts, container.was_stopped) = (0, false);
        Ok(Answer::Done)
    }

    /// Gives it a process, if its ports and volumes are there. By hand or by its policy.
    pub(super) fn run(&mut self, at: usize) -> Result<(), Refusal> {
        let ports = self.containers[at].specification.ports.clone();
        let holds = |it: &Container, port| {
            matches!(it.status, Status::Running | Status::Paused)
                && it.specification.ports.contains(port)
        };
        for port in &ports {
            if self.containers.iter().any(|it| holds(it, port)) {
                self.containers[at].exit_code = 128;
                let message = format!("Bind for 0.0.0.0:{port} failed: port is already allocated");
                return Err(refused(500, message));
            }
        }
        // A volume that was pruned is made anew, empty.
        let specification = self.containers[at].specification.clone();
        self.add_volumes(&specification);
        for volume in &specification.volumes {
            let writer = self.containers[at].image_id.clone();
            self.data.entry(volume.clone()).or_default().push(writer);
        }
        self.made += 1;
        let container = &mut self.containers[at];
        (container.status, container.pid) = (Status::Running, 1_000 + self.made);
        (container.was_started, container.exit_code) = (true, 0);
        Ok(())
    }

    pub(super) fn stop(&mut self, key: &str) -> Answered {
        let container = self.container_mut(key)?;
        if !matches!(container.status, Status::Running | Status::Paused) {
            return Ok(Answer::Unchanged);
        }
        container.was_stopped = true;
        container.end(0);
        let id = container.id.clone();
        // Whoever else waits for its end has it.
        self.pending
            .retain(|(_, it)| !matches!(it, Request::Stop { container } if *container == id));
        Ok(Answer::Done)
    }

    pub(super) fn pause(&mut self, key: &str, freeze: bool) -> Answered {
        let container = self.container_mut(key)?;
        let (from, to) = if freeze {
            (Status::Running, Status::Paused)
        } else {
            (Status::Paused, Status::Running)
        };
        if container.status != from {
            // The engine's own answers differ here, and so do ours.
            let (status, problem) = match (freeze, container.status) {
                (true, Status::Paused) => (409, "already paused"),
                (true, _) => (409, "not running"),
                (false, _) => (500, "not paused"),
            };
            return Err(refused(status, format!("Container {} is {problem}", container.id)));
        }
        container.status = to;
        Ok(Answer::Done)
    }

    pub(super) fn rename(&mut self, key: &str, name: &str) -> Answered {
        let at = self.position(key)?;
        if self.containers[at].name == name {
            let message = "Renaming a container with the same name as its current name";
            return Err(refused(400, message));
        }
        self.assert_free(name)?;
        name.clone_into(&mut self.containers[at].name);
        Ok(Answer::Done)
    }

    pub(super) fn set_policy(&mut self, key: &str, policy: RestartPolicy) -> Answered {
        let keeps = self.hooks.keeps_policies;
        let container = self.container_mut(key)?;
        if container.status == Status::Dead {
            return Err(refused(409, "Container is marked for removal and cannot be updated"));
        }
        if !keeps {
            container.specification.policy = policy;
        }
        Ok(Answer::Done)
    }

    pub(super) fn remove(&mut self, key: &str, force: bool) -> Answered {
        let at = self.position(key)?;
        let runs = matches!(self.containers[at].status, Status::Running | Status::Paused);
        if runs && !force {
            let id = &self.containers[at].id;
            let message = format!("You cannot remove a running container {id}");
            return Err(refused(409, message));
        }
        self.containers.remove(at);
        self.forget_what_is_gone();
        Ok(Answer::Done)
    }

    pub(super) fn mark_dead(&mut self, key: &str) -> Result<(), Refusal> {
        let container = self.container_mut(key)?;
        container.end(137);
        container.status = Status::Dead;
        Ok(())
    }

    /// Volumes come with whoever mounts them.
    fn add_volumes(&mut self, specification: &Specification) {
        self.volumes.extend(specification.volumes.iter().cloned());
        self.volumes.extend(specification.binds().map(|(source, _)| source.to_owned()));
    }

    /// Files and pending programs of containers and volumes that are no longer there.
    pub(super) fn forget_what_is_gone(&mut self) {
        let (containers, volumes) = (&self.containers, &self.volumes);
        let is_there = |id: &String| containers.iter().any(|it| it.id == *id);
        self.files.retain(|(id, _), _| match id.as_str() {
            "" => volumes.contains(super::programs::VOLUME),
            _ => is_there(id),
        });
        self.data.retain(|volume, _| volumes.contains(volume));
        if !volumes.contains(super::programs::VOLUME) {
            self.copies.clear();
        }
        self.pending.retain(|(_, request)| match request {
            Request::Exec { container, .. } => is_there(container),
            _ => true,
        });
    }

    /// Programs in it end with it. Its policy plays no part.
    pub(super) fn restart_one(&mut self, key: &str) -> Answered {
        let at = self.position(key)?;
        let id = self.containers[at].id.clone();
        self.pending
            .retain(|(_, it)| !matches!(it, Request::Exec { container, .. } if *container == id));
        self.containers[at].end(0);
        self.run(at)?;
        self.containers[at].was_stopped = false;
        Ok(Answer::Done)
    }

    /// The signal is sent, and the process does not go.
    pub(super) fn mark_stopped(&mut self, key: &str) -> Result<(), Refusal> {
        self.container_mut(key)?.was_stopped = true;
        Ok(())
    }
}

impl Container {
    pub(super) fn end(&mut self, code: i64) {
        (self.status, self.pid, self.exit_code) = (Status::Exited, 0, code);
    }

    /// Whether its policy starts it when its process has ended, or with the engine.
    pub(super) fn comes_back(&self, with_the_engine: bool) -> bool {
        self.was_started
            && self.status == Status::Exited
            && match self.specification.policy {
                RestartPolicy::No => false,
                RestartPolicy::Always => with_the_engine || !self.was_stopped,
                RestartPolicy::UnlessStopped => !self.was_stopped,
                RestartPolicy::OnFailure => self.exit_code != 0 && !self.was_stopped,
            }
    }
}

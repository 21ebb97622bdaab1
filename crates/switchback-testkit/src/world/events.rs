//! What nobody of ours asked for, and what comes later than its caller waits.

use std::collections::BTreeMap;

use switchback_core::Millis;

use super::{Answered, Inner, refused};
use crate::{
    engine::{Answer, Container, Request, Status},
    faults::Event,
};

impl Inner {
    pub(super) fn happen(&mut self, now: Millis, event: &Event) {
        let before = self.running_writers();
        match event {
            Event::EngineRestart => {
                self.log.push((now, "engine restart".to_owned()));
                self.restart();
            }
            Event::EngineKilled => {
                self.log.push((now, "engine killed".to_owned()));
                for container in &mut self.containers {
                    container.was_stopped |=
                        matches!(container.status, Status::Running | Status::Paused);
                }
                self.restart();
            }
            Event::Prune { volumes } => {
                self.log.push((now, "prune".to_owned()));
                self.prune(*volumes);
            }
            Event::Stranger(request) => drop(self.effect(now, request)),
            Event::Crash { container, code } => {
                self.log.push((now, format!("crash {container}")));
                self.crash(container, *code);
            }
        }
        self.watch_volumes(now, &before);
    }

    /// Everything that runs ends, what was under way is forgotten, and the policies decide who is
    /// started again. Whoever finds its port taken stays down.
    fn restart(&mut self) {
        self.pending.clear();
        self.reserved.clear();
        for container in &mut self.containers {
            if matches!(container.status, Status::Running | Status::Paused) {
                container.end(0);
            }
        }
        for at in 0..self.containers.len() {
            if self.containers[at].comes_back(true) {
                self.run(at).ok(); // Nobody is there to be told.
            }
        }
    }

    /// Removes what does not run, then what nobody uses any more.
    fn prune(&mut self, volumes: bool) {
        self.containers.retain(|it| matches!(it.status, Status::Running | Status::Paused));
        self.prune_images();
        let containers = &self.containers;
        let uses = |it: &Container, volume: &String| {
            it.specification.volumes.contains(volume)
                || it.specification.binds().any(|(source, _)| source == volume)
        };
        self.volumes.retain(|volume| !volumes || containers.iter().any(|it| uses(it, volume)));
        self.forget_what_is_gone();
    }

    fn crash(&mut self, key: &str, code: i64) {
        let runs = |it: &Container| it.name == key && it.status == Status::Running;
        let Some(at) = self.containers.iter().position(runs) else { return };
        self.containers[at].end(code);
        if self.containers[at].comes_back(false) && self.run(at).is_ok() {
            self.containers[at].restarts += 1;
        }
    }

    /// Half an effect, see [`crate::Effect::Half`].
    pub(super) fn half(&mut self, now: Millis, request: &Request) -> Answered {
        let done = match request {
            Request::Create { name, .. } => self.assert_free(name).map(|()| {
                self.reserved.insert(name.clone());
            }),
            Request::Stop { container } => self.mark_stopped(container),
            Request::Remove { container, .. } => self.mark_dead(container),
            Request::Pull { reference } => {
                self.pull_half(reference);
                Ok(())
            }
            _ => Ok(()),
        };
        if done.is_ok() {
            self.log.push((now, format!("half {}", request.line())));
        }
        Err(refused(500, "it broke off half-way"))
    }

    /// Keeps an effect for later. The name that a create will take is taken at once, and a
    /// request about a container stays about that one, whatever it is called by then.
    pub(super) fn defer(&mut self, due: Millis, request: &Request) {
        let mut request = request.clone();
        match &mut request {
            Request::Create { name, .. } => {
                self.reserved.insert(name.clone());
            }
            Request::Start { container }
            | Request::Stop { container }
            | Request::Pause { container }
            | Request::Unpause { container }
            | Request::Rename { container, .. }
            | Request::SetPolicy { container, .. }
            | Request::Restart { container }
            | Request::Exec { container, .. }
            | Request::WriteFiles { container, .. }
            | Request::Remove { container, .. } => {
                if let Ok(found) = self.container(container) {
                    container.clone_from(&found.id.clone());
                }
            }
            _ => {}
        }
        self.pending.push((due, request));
    }

    /// Lets everything happen that was due until now, in its order.
    pub(super) fn catch_up(&mut self, now: Millis) {
        self.pending.sort_by_key(|it| it.0);
        while self.pending.first().is_some_and(|it| it.0 <= now) {
            let (due, request) = self.pending.remove(0);
            if let Request::Create { name, .. } = &request {
                self.reserved.remove(name);
            }
            let came = matches!(
                self.effect(due, &request),
                Ok(Answer::Done | Answer::Created(_) | Answer::Output(_))
            );
            if let Some(last) = self.log.last_mut().filter(|_| came) {
                last.1.insert_str(0, "late ");
            }
        }
    }

    /// A start holds its container until it is over: whoever looks at that one or asks for a change of
    /// it meanwhile waits, and finds it started. (A stop does not: it waits for the process, and others go first.)
    pub(super) fn wait_for_starts(&mut self, now: Millis, request: &Request) {
        let (Request::Start { container }
        | Request::Inspect { container }
        | Request::Stop { container }
        | Request::Pause { container }
        | Request::Unpause { container }
        | Request::Rename { container, .. }
        | Request::SetPolicy { container, .. }
        | Request::Restart { container }
        | Request::Remove { container, .. }) = request
        else {
            return;
        };
        let Ok(id) = self.container(container).map(|it| it.id.clone()) else { return };
        let is_it = |(_, it): &(Millis, Request)| matches!(it, Request::Start { container } if *container == id);
        if let Some(at) = self.pending.iter().position(is_it) {
            let (_, start) = self.pending.remove(at);
            let came = matches!(self.effect(now, &start), Ok(Answer::Done));
            if let Some(last) = self.log.last_mut().filter(|_| came) {
                last.1.insert_str(0, "late ");
            }
        }
    }

    /// How many running containers write to each volume.
    pub(super) fn running_writers(&self) -> BTreeMap<String, usize> {
        let mut writers = BTreeMap::new();
        for container in self.containers.iter().filter(|it| it.status == Status::Running) {
            for volume in &container.specification.volumes {
                *writers.entry(volume.clone()).or_default() += 1;
            }
        }
        writers
    }

    /// Remembers each volume that has just got a second writer.
    pub(super) fn watch_volumes(&mut self, now: Millis, before: &BTreeMap<String, usize>) {
        for (volume, writers) in self.running_writers() {
            if writers > 1 && writers > before.get(&volume).copied().unwrap_or(0) {
                self.overlaps.push((now, volume));
            }
        }
    }
}

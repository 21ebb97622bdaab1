//! A fake container engine that goes on without its callers.
//!
//! It can finish an effect after its caller has left, twice, half, or never, restart in between,
//! and be changed by a stranger. It counts effects, and remembers each instant at which two
//! containers wrote to one volume.

mod containers;
mod events;
mod images;
mod programs;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::pending,
    sync::{Mutex, MutexGuard, PoisonError},
};

use switchback_core::{Clock, Millis};

use crate::{
    clock::VirtualClock,
    engine::{Answer, Container, Engine, Image, Logged, Refusal, Request, Status},
    faults::{ANY, Effect, Event, Fault, Reply},
};

/// The engine, the registry beside it, and whoever else is at work there.
#[derive(Debug, Default)]
pub struct World {
    clock: VirtualClock,
    inner: Mutex<Inner>,
}

/// Everything that is there. Each change of it is decided in one of the modules below.
#[derive(Debug, Clone, Default)]
struct Inner {
    containers: Vec<Container>,
    images: Vec<Image>,
    volumes: BTreeSet<String>,
    /// What each volume holds: the images of those who were started with it, in their order.
    data: BTreeMap<String, Vec<String>>,
    /// Copies of that, by folder and mount.
    copies: BTreeMap<String, Vec<String>>,
    /// Files of containers' own layers by container and path, and of our volume by path.
    files: BTreeMap<(String, String), Vec<u8>>,
    /// Images whose service never becomes ready.
    ill: BTreeSet<String>,
    /// What never may happen and has.
    damage: Vec<Logged>,
    hooks: Hooks,
    /// Names that a half-made container holds.
    reserved: BTreeSet<String>,
    /// What the registry has: each reference and the id of its image.
    registry: BTreeMap<String, String>,
    /// Effects whose caller has left, and when they come.
    pending: Vec<(Millis, Request)>,
    faults: VecDeque<Fault>,
    log: Vec<Logged>,
    overlaps: Vec<Logged>,
    made: u32,
}

/// What the engine is told not to do, so that a test can see what that protects from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hooks {
    /// It says that it has set a restart policy, and has not.
    pub keeps_policies: bool,
    /// The keeper says that it has written the target's journal, and has not.
    pub loses_journal: bool,
}

type Answered = Result<Answer, Refusal>;

fn refused(status: u16, message: impl Into<String>) -> Refusal {
    Refusal { status, message: message.into() }
}

impl World {
    /// An empty world on that clock.
    pub fn new(clock: VirtualClock) -> Self {
        Self { clock, inner: Mutex::default() }
    }

    /// Puts an image into the registry. Its id follows from the digest, and the tag moves to it.
    pub fn publish(&self, tag: &str, digest: &str) {
        self.look(|it| it.publish(tag, digest));
    }

    /// Adds a fault. Of two for one request the older one is met first.
    pub fn fault(&self, fault: Fault) {
        self.look(|it| it.faults.push_back(fault));
    }

    /// Lets something happen now.
    pub fn happen(&self, event: &Event) {
        let now = self.clock.now();
        self.look(|it| it.happen(now, event));
    }

    /// Every effect that took place so far, whoever caused it, with its time.
    pub fn log(&self) -> Vec<Logged> {
        self.look(|it| it.log.clone())
    }

    /// The effects as one line, to be compared with a transcript.
    pub fn transcript(&self) -> String {
        let lines: Vec<_> = self.log().into_iter().map(|it| it.1).collect();
        lines.join(", ")
    }

    /// How many effects of that verb took place.
    pub fn count(&self, verb: &str) -> usize {
        let is = |it: &&Logged| it.1 == verb || it.1.starts_with(&format!("{verb} "));
        self.log().iter().filter(is).count()
    }

    /// Every instant at which a second container began to write to a volume.
    pub fn overlaps(&self) -> Vec<Logged> {
        self.look(|it| it.overlaps.clone())
    }

    /// Makes every service of that image one that never becomes ready.
    pub fn spoil(&self, image: &str) {
        self.look(|it| it.ill.insert(image.to_owned()));
    }

    /// Takes protections away.
    pub fn set_hooks(&self, hooks: Hooks) {
        self.look(|it| it.hooks = hooks);
    }

    /// What never may happen and has: a copy of data that was being written, or the like.
    pub fn damage(&self) -> Vec<Logged> {
        self.look(|it| it.damage.clone())
    }

    /// What a volume holds: the images of those who were started with it, in their order.
    pub fn data(&self, volume: &str) -> Vec<String> {
        self.look(|it| it.data.get(volume).cloned().unwrap_or_default())
    }

    /// All images.
    pub fn images(&self) -> Vec<Image> {
        self.look(|it| it.images.clone())
    }

    /// The files of our volume, by path.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let ours = |it: &Inner| {
            let all = it.files.iter().filter(|it| it.0.0.is_empty());
            all.map(|((_, path), content)| (path.clone(), content.clone())).collect()
        };
        self.look(|it| ours(it))
    }

    /// The container that answers on that port of the host.
    pub fn serves(&self, port: u16) -> Option<Container> {
        let serves = |it: &&Container| {
            it.status == Status::Running && it.specification.ports.contains(&port)
        };
        self.look(|it| it.containers.iter().find(serves).cloned())
    }

    /// All containers, by name.
    pub fn containers(&self) -> Vec<Container> {
        self.look(|it| it.listed(true))
    }

    /// The named volumes.
    pub fn volumes(&self) -> BTreeSet<String> {
        self.look(|it| it.volumes.clone())
    }

    /// Whether an effect is still to come.
    pub fn is_quiet(&self) -> bool {
        self.look(|it| it.pending.is_empty())
    }

    /// A world of its own that stands as this one does now, with a clock at the same time and
    /// without the faults: what a process that died has left behind.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        self.copied_to(VirtualClock::default())
    }

    /// The same on that clock, which is set to the time of this world.
    #[must_use]
    pub fn copied_to(&self, clock: VirtualClock) -> Self {
        clock.pass(self.clock.now());
        let mut inner = self.look(|it| it.clone());
        inner.faults.clear();
        Self { clock, inner: Mutex::new(inner) }
    }

    /// The clock of this world.
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// Nobody sees the world before what was due has happened.
    fn look<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner: MutexGuard<'_, Inner> =
            self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.catch_up(self.clock.now());
        look(&mut inner)
    }
}

impl Engine for World {
    async fn call(&self, request: Request) -> Answered {
        let now = self.clock.now();
        let (answer, reply) = self.look(|it| it.meet(now, &request));
        match reply {
            Reply::True => answer,
            Reply::Refused(status) => Err(refused(status, "injected")),
            Reply::Lost => Err(refused(0, "the connection was lost")),
            Reply::Never => pending().await,
        }
    }
}

impl Inner {
    /// Takes a request with whatever fault is there for it.
    fn meet(&mut self, now: Millis, request: &Request) -> (Answered, Reply) {
        let Some(fault) = self.take_fault(request.verb()) else {
            return (self.effect(now, request), Reply::True);
        };
        if let Some(event) = &fault.before {
            self.happen(now, event);
        }
        let answer = match fault.effect {
            Effect::Whole => self.effect(now, request),
            Effect::Twice => {
                // The caller learns what the repeated request was answered.
                self.effect(now, request).ok();
                self.effect(now, request)
            }
            Effect::Half => self.half(now, request),
            Effect::Never => Err(refused(500, "injected")),
            Effect::Late(span) => {
                self.defer(now.saturating_add(span), request);
                Err(refused(500, "it is still under way"))
            }
        };
        if let Some(event) = &fault.between {
            self.happen(now, event);
        }
        (answer, fault.reply)
    }

    fn take_fault(&mut self, verb: &str) -> Option<Fault> {
        let at = self.faults.iter().position(|it| it.verb == verb || it.verb == ANY)?;
        match &mut self.faults[at].after {
            0 => self.faults.remove(at),
            more => {
                *more -= 1;
                None
            }
        }
    }

    /// Carries a request out, and logs it if it changed anything.
    fn effect(&mut self, now: Millis, request: &Request) -> Answered {
        self.wait_for_starts(now, request);
        let before = self.running_writers();
        let line = self.named_line(request);
        let answer = self.carry_out(request);
        let is_effect = matches!(answer, Ok(Answer::Done | Answer::Created(_) | Answer::Output(_)));
        if is_effect && !request.is_a_look() {
            self.log.push((now, line));
        }
        self.watch_volumes(now, &before);
        answer
    }

    /// The line of a request, with ids replaced by names.
    fn named_line(&self, request: &Request) -> String {
        let line = request.line();
        let of = |it: &Container| line.contains(&it.id).then(|| line.replace(&it.id, &it.name));
        self.containers.iter().find_map(of).unwrap_or(line)
    }

    fn carry_out(&mut self, request: &Request) -> Answered {
        match request {
            Request::Create { name, specification } => self.create(name, specification),
            Request::Start { container } => self.start(container),
            Request::Stop { container } => self.stop(container),
            Request::Pause { container } => self.pause(container, true),
            Request::Unpause { container } => self.pause(container, false),
            Request::Rename { container, name } => self.rename(container, name),
            Request::SetPolicy { container, policy } => self.set_policy(container, *policy),
            Request::Remove { container, force } => self.remove(container, *force),
            Request::Inspect { container } => {
                let mut found = self.container(container)?.clone();
                let is_program = |it: &Request| matches!(it, Request::Exec { container, .. } if *container == found.id);
                found.is_busy = self.pending.iter().any(|(_, it)| is_program(it));
                Ok(Answer::Container(Box::new(found)))
            }
            Request::List { all } => Ok(Answer::Containers(self.listed(*all))),
            Request::Pull { reference } => self.pull(reference),
            Request::Tag { image, tag } => self.tag(image, tag),
            Request::RemoveImage { reference } => self.remove_image(reference),
            Request::InspectImage { reference } => Ok(Answer::Image(self.image(reference)?)),
            Request::Import { reference } => self.import(reference),
            Request::InspectVolume { name } => match self.volumes.contains(name) {
                true => Ok(Answer::Done),
                false => Err(refused(404, format!("get {name}: no such volume"))),
            },
            Request::Restart { container } => self.restart_one(container),
            Request::Exec { container, argv, input } => {
                self.exec(container, argv, input).map(Answer::Output)
            }
            Request::WriteFiles { container, folder, files } => {
                self.write_files(container, folder, files)
            }
            Request::ReadFiles { container, path } => self.read_files(container, path),
        }
    }
}

#[cfg(test)]
mod tests;

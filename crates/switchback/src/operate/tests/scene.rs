//! Where a schedule begins: a fake engine with a service on it, and the stores of two operators.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use switchback_core::Clock;
use switchback_targets::{
    container::{
        goal::IncomingImage,
        settings::{
            CommandLine, ContainerSettings, DataPolicy, DataSettings, HealthSettings,
            ProbeSettings, Retain,
        },
    },
    engine_api::{EngineClient, Pipe},
    registry::{Client, Credentials, Reference, install_crypto_provider},
};
use switchback_testkit::{
    Engine, Request, VirtualClock, World, engine::RestartPolicy, engine::Specification,
    http::Server,
};
use tempfile::TempDir;

use super::{time, wire::Wire};
use crate::operate::connect::Connected;

/// What is followed.
pub(super) const REFERENCE: &str = "registry.test/shop/web:1";

/// Digests of three versions.
pub(super) const VERSIONS: [&str; 3] = [
    "sha256:1111111111111111111111111111111111111111111111111111111111111111",
    "sha256:2222222222222222222222222222222222222222222222222222222222222222",
    "sha256:3333333333333333333333333333333333333333333333333333333333333333",
];

/// The volume of the service.
pub(super) const VOLUME: &str = "data";

thread_local! {
    static INCOMING: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The id of the image of a version.
pub(super) fn image_of(digest: &str) -> String {
    format!("sha256:image-of-{digest}")
}

/// From now on the registry of this thread has that version under the followed name.
pub(super) fn publish(world: &World, digest: &str) {
    world.publish(REFERENCE, digest);
    INCOMING.set(Some(digest.to_owned()));
}

/// What the registry of this thread's fake world answers, if it lives in one.
pub(in super::super) fn incoming(reference: &Reference) -> Option<IncomingImage> {
    let digest = INCOMING.with_borrow(Clone::clone)?;
    let label = digest.rsplit(':').next().map(str::to_owned);
    Some(IncomingImage {
        reference: reference.familiar(),
        config: json!({ "Cmd": ["serve"], "Labels": { "org.opencontainers.image.version": label } }),
        digest: Some(format!("{}@{digest}", reference.familiar_name())),
        id: None,
        label,
        size_bytes: Some(4096),
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
    })
}

thread_local! {
    // One a thread: whoever waited for another thread's lock in it would see his own time pass meanwhile.
    static NO_REGISTRY: &'static Client = {
        install_crypto_provider();
        Box::leak(Box::new(Client::new(Credentials::none())))
    };
}

/// A client of registries that is never used: the world has its own.
pub(super) fn no_registry() -> &'static Client {
    NO_REGISTRY.with(|it| *it)
}

/// The service of the scene, with a probe of its own and a snapshot on each switch.
fn settings() -> ContainerSettings {
    let command = CommandLine::Exec(vec!["probe".to_owned()]);
    ContainerSettings {
        deployment: "web".to_owned(),
        image: Some(REFERENCE.to_owned()),
        container: "web".to_owned(),
        accounts: Vec::new(),
        data: DataSettings { policy: DataPolicy::Snapshot, ..DataSettings::default() },
        retain: Retain { releases: 3, snapshots: 2 },
        auto_rollback: true,
        run: None,
        health: HealthSettings {
            probes: vec![ProbeSettings::Exec { command }],
            interval_ms: 1_000,
            timeout_ms: 2_000,
            healthy_streak: 2,
            min_healthy_time_ms: 4_000,
            healthy_deadline_ms: Some(20_000),
        },
    }
}

/// A deployment as one process of ours reaches it.
pub(super) async fn connected(wire: Arc<Wire>) -> Connected {
    let server = Server::new(wire);
    let pipe = Pipe { open: Arc::new(move || server.open()), boot_time: time::boot_time };
    let engine = EngineClient::connect_through(&pipe).await.expect("it is in this process");
    Connected { name: "web".to_owned(), settings: settings(), engine }
}

/// Two stores and an engine, in a state from which operations begin.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) stores: TempDir,
}

/// In memory where that can be: a store waits for its disk at each record.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a temporary folder can be made")
}

impl Scene {
    /// The first version serves, made by hand; beside it a container of somebody else's.
    pub(super) async fn new() -> Self {
        let world = World::new(VirtualClock::default());
        world.publish(REFERENCE, VERSIONS[0]);
        let create = |name: &str, document: Value| {
            let specification = Specification {
                image: REFERENCE.to_owned(),
                // With another one it would stay away once its engine was killed.
                policy: RestartPolicy::Always,
                volumes: if name == "web" { vec![VOLUME.to_owned()] } else { Vec::new() },
                document,
                ..Specification::default()
            };
            Request::Create { name: name.to_owned(), specification }
        };
        let document = json!({ "Image": REFERENCE, "HostConfig": {
            "Binds": [format!("{VOLUME}:/data")], "NetworkMode": "default" } });
        let start = |name: &str| Request::Start { container: name.to_owned() };
        for request in [
            Request::Pull { reference: REFERENCE.to_owned() },
            create("web", document),
            start("web"),
            create("neighbour", json!({ "Image": REFERENCE })),
            start("neighbour"),
        ] {
            world.call(request).await.expect("nothing stands in the way");
        }
        Self { world, stores: folder() }
    }

    /// The same once more, on the clock of the runtime; this thread lives in it from now on.
    pub(super) fn again(&self) -> Self {
        let clock = VirtualClock::of_the_runtime();
        let world = self.world.copied_to(clock.clone());
        time::live_by(&clock);
        let stores = folder();
        copy(self.stores.path(), stores.path());
        Self { world, stores }
    }

    /// The folder of an operator's store.
    pub(super) fn store(&self, operator: &str) -> PathBuf {
        self.stores.path().join(operator)
    }

    /// The scene as it stands, to begin from later.
    pub(super) fn kept(self, world: &World) -> Self {
        let clock = VirtualClock::default();
        let now = world.clock().now();
        let kept = Self { world: world.copied_to(clock), ..self };
        debug_assert_eq!(kept.world.clock().now(), now, "it goes on from then");
        kept
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("an entry can be read");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).expect("it is new");
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).expect("a file can be copied");
        }
    }
}

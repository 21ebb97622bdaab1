//! Updating from another Rust program: the same operations as the command line, by the same code.

use std::path::{Path, PathBuf};

use serde_json::Value;
use switchback_core::{Interrupt, event::Event};
use switchback_targets::registry::{Client, Credentials, install_crypto_provider};
use tokio::sync::mpsc::unbounded_channel;

use crate::{
    config::{Config, Deployment, Location, RealWorld},
    context::only,
    error::CommandError,
    operate::{
        Request, Surroundings, Wanted,
        connect::connect,
        decisions,
        downtime::Folded,
        drive,
        look::{EngineView, rung, way_back},
        who::Who,
    },
    store::{Mode, Store},
};

/// A deployment of a configuration, ready to be updated.
///
/// ```no_run
/// use switchback::{Service, UpdateResult, has_previous_image, rollback_image, update_image};
///
/// # async fn example() -> Result<(), switchback::error::CommandError> {
/// let service = Service::open("switchback.toml", "state", "web")?;
/// match update_image(&service, |event| eprintln!("{event:?}")).await? {
///     UpdateResult::Success(done) => println!("{} runs now", done["new_version"]),
///     UpdateResult::AlreadyLatest => println!("nothing to do, and nothing was restarted"),
///     UpdateResult::RolledBack { reason, .. } => println!("the old version serves again: {reason}"),
///     other => println!("a person must look: {other:?}"),
/// }
/// if has_previous_image(&service).await? {
///     let _taken_back = rollback_image(&service, |_| {}).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Service {
    deployment: Deployment,
    store: Store,
    registry: Client,
    interrupt: Interrupt,
}

impl Service {
    /// The deployment `name` of the configuration file `config`, with the controller's database in
    /// the folder `state`, which is made if it is not there.
    ///
    /// # Errors
    /// The file cannot be read or has a mistake (`config_invalid`), has no such deployment
    /// (`not_found`), or the database cannot be used (`store_unusable`, `store_too_new`).
    pub fn open(
        config: impl AsRef<Path>,
        state: impl Into<PathBuf>,
        name: &str,
    ) -> Result<Self, CommandError> {
        let location = Location { path: config.as_ref().to_owned(), flag: None };
        let config = Config::load(&location, &RealWorld)?;
        let deployment = only(&config, Some(name))?.clone();
        let store = Store::open(&state.into(), Mode::CreateParents)?;
        install_crypto_provider();
        let registry = Client::new(Credentials::from_environment());
        Ok(Self { deployment, store, registry, interrupt: Interrupt::never() })
    }

    /// Stops operations when `interrupt` asks for it: whatever is not committed goes back.
    #[must_use]
    pub fn interrupted_by(self, interrupt: Interrupt) -> Self {
        Self { interrupt, ..self }
    }
}

/// What became of an update or a rollback that was begun. Each result object is that of the command
/// line's `--output json`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "an update that went back is not a success"]
pub enum UpdateResult {
    /// The other version runs, proven by its gate. The result object.
    Success(Box<Value>),
    /// What runs is what the image's name points to. Nothing was touched.
    AlreadyLatest,
    /// The switch happened and did not hold; what ran before serves again, verified.
    RolledBack {
        /// Why.
        reason: String,
        /// The result object.
        result: Box<Value>,
    },
    /// The way back failed too: a person must look.
    Stuck {
        /// Why.
        reason: String,
        /// The result object, with what to do in `error.hint`.
        result: Box<Value>,
    },
}

/// Updates to what the followed image's name points to now: pulls, recreates the container, lets it
/// prove itself, and goes back if it does not. `on_event` gets every event of the operation.
///
/// # Errors
/// What kept the update from beginning, or made it fail before anything that runs was touched.
pub async fn update_image(
    service: &Service,
    on_event: impl FnMut(&Event) + Send,
) -> Result<UpdateResult, CommandError> {
    run(service, Wanted::Update { to: None }, on_event).await
}

/// Goes back to the last good release that is not the running one. Data stays as it is.
///
/// # Errors
/// `no_previous_release` where there is none; else as [`update_image`].
pub async fn rollback_image(
    service: &Service,
    on_event: impl FnMut(&Event) + Send,
) -> Result<UpdateResult, CommandError> {
    run(service, Wanted::Rollback { to: None, with_data: false }, on_event).await
}

/// Whether [`rollback_image`] has a release to go back to, looked up on the engine: its container,
/// its image, or a digest by which a registry may still have it.
///
/// # Errors
/// The engine or the record kept there cannot be read.
pub async fn has_previous_image(service: &Service) -> Result<bool, CommandError> {
    let connected = connect(&service.deployment).await?;
    let view = EngineView::of(&connected.engine, &[connected.target()]).await?;
    let kept = view.kept(&connected)?;
    let Some(state) = kept.state else { return Ok(false) };
    let decided = decisions::known(&service.store, &connected.name, Some(&state))?;
    let previous = way_back(&state, &decided);
    Ok(previous.is_some_and(|it| rung(&view, &state, it) < switchback_core::release::Rung::Lost))
}

async fn run(
    service: &Service,
    goal: Wanted,
    mut on_event: impl FnMut(&Event) + Send,
) -> Result<UpdateResult, CommandError> {
    let (events, mut receiver) = unbounded_channel::<Event>();
    let around = Surroundings {
        store: &service.store,
        registry: &service.registry,
        who: Who::of_this_process(),
        events,
        interrupt: service.interrupt.clone(),
    };
    let request = Request { goal, trigger: "api".to_owned(), ..Request::default() };
    let folded = Folded::default();
    let work = async {
        let mut agree = |_: &Value| Ok(());
        let done = drive::drive(&around, &service.deployment, &request, &folded, &mut agree).await;
        // Ends the stream of events.
        drop(around);
        done
    };
    let watch = async {
        while let Some(event) = receiver.recv().await {
            folded.fold(&event);
            on_event(&event);
        }
    };
    let (result, ()) = tokio::join!(work, watch);
    outcome(result?)
}

fn outcome(result: Value) -> Result<UpdateResult, CommandError> {
    let word = |pointer: &str| {
        result.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let reason = word("/error/message");
    match result["outcome"].as_str() {
        Some("committed") => Ok(UpdateResult::Success(Box::new(result))),
        Some("up_to_date") => Ok(UpdateResult::AlreadyLatest),
        Some("rolled_back") => Ok(UpdateResult::RolledBack { reason, result: Box::new(result) }),
        Some("stuck") => Ok(UpdateResult::Stuck { reason, result: Box::new(result) }),
        _ => {
            let made = CommandError::new(&word("/error/code"), reason);
            Err(match word("/error/hint") {
                hint if hint.is_empty() => made,
                hint => made.hint(hint),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_committed_is_a_success() {
        let of = |word: &str| {
            outcome(
                json!({"outcome": word, "error": {"code": "gate_failed", "message": "it ended"}}),
            )
        };
        assert!(matches!(of("committed"), Ok(UpdateResult::Success(_))));
        assert_eq!(of("up_to_date"), Ok(UpdateResult::AlreadyLatest));
        assert!(
            matches!(of("rolled_back"), Ok(UpdateResult::RolledBack { reason, .. }) if reason == "it ended")
        );
        assert!(matches!(of("stuck"), Ok(UpdateResult::Stuck { .. })));
        assert_eq!(of("failed").unwrap_err().code, "gate_failed");
        assert!(of("a word of a later version").is_err());
    }
}

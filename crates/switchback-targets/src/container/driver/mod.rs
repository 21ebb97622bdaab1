//! Acts on a container deployment, and decides nothing.
//!
//! Every change can be repeated, has its barrier, and is taken back by its goal: the pre-image
//! holds. One file a group of changes, each with look, apply, settle and undo side by side.

mod accounts;
mod commit;
mod create;
mod data;
mod fresh_volumes;
mod images;
mod lifecycle;
mod names;
mod predecessors;
mod revive;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bollard::auth::DockerCredentials;
use serde_json::Value;
use switchback_core::{
    Before, Driver, Force, Millis, Plan, PlanError, Reporter, Target, TargetError, event::EventKind,
};

use super::{
    change::{Change, Receipt, Subject},
    document::{Owner, TargetState},
    goal::Desired,
    killed::Killed,
    members::Member,
    observe::{Observed, observe},
    plan::{Planned, plan},
    specification::Specification,
};
use crate::{engine_api::EngineClient, keeper::Keeper};

/// What a driver is made with.
#[derive(Debug)]
pub struct DriverSetup {
    /// The engine.
    pub engine: EngineClient,
    /// The container's name.
    pub target: String,
    /// Where the keeper's programs run: in the container that is the lease.
    pub keeper: Keeper,
    /// The name that people use for the deployment.
    pub deployment: String,
    /// Who owns the target.
    pub owner: Owner,
    /// Who pulls.
    pub login: Option<DockerCredentials>,
    /// The image that is followed.
    pub reference: Option<String>,
    /// What was recorded with the target.
    pub state: Option<TargetState>,
    /// Hears of progress.
    pub reporter: Reporter,
    /// Milliseconds since the epoch.
    pub now: fn() -> Millis,
}

/// Acts on one container deployment.
#[derive(Debug)]
pub struct ContainerDriver {
    setup: DriverSetup,
    /// What containers are made from, by temporary name.
    specifications: HashMap<String, Specification>,
    /// What each of them replaces, by temporary name; whether it is made as its predecessor ran.
    predecessors: HashMap<String, (Member, bool)>,
    /// The restart policies of what is parked, by container id: parking takes them away.
    policies: HashMap<String, Value>,
    /// Where a parked container is taken back: id and name of what it replaces, and its own id.
    taken_back: Option<(String, String, String)>,
    /// Ids of containers that this transaction made, by temporary name.
    created: Mutex<HashMap<String, String>>,
    /// Temporary names that somebody else's containers were found to have.
    refused: Mutex<HashSet<String>>,
    evidence: Mutex<Option<Evidence>>,
    /// Containers that did not end when they were asked to.
    killed: Mutex<Vec<Killed>>,
    /// Whether the container that was taken down had ever been started, once that was seen.
    has_run: Mutex<Option<bool>>,
    /// Whether the snapshot is known to have been taken.
    has_snapshot: AtomicBool,
    /// Ids of those of the old version that had ended before it had proven itself, and were started.
    revived: Mutex<HashSet<String>>,
    /// Whether what has ended on the way back stays so.
    leaves_ended: bool,
}

/// What is kept of a version that was taken back.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The last lines that it wrote.
    pub log_tail: Vec<String>,
    /// Its `State`, as the engine reported it.
    pub state: Value,
}

impl ContainerDriver {
    /// A driver that can look, settle and take back.
    pub fn new(setup: DriverSetup) -> Self {
        Self {
            setup,
            specifications: HashMap::new(),
            predecessors: HashMap::new(),
            taken_back: None,
            policies: HashMap::new(),
            created: Mutex::default(),
            refused: Mutex::default(),
            evidence: Mutex::default(),
            killed: Mutex::default(),
            has_run: Mutex::default(),
            has_snapshot: AtomicBool::new(false),
            revived: Mutex::default(),
            leaves_ended: false,
        }
    }

    /// Starts nothing that has ended on the way back.
    #[must_use]
    pub fn leaving_what_has_ended(mut self) -> Self {
        self.leaves_ended = true;
        self
    }

    /// Hands over what carrying out a plan needs besides the plan.
    #[must_use]
    pub fn with_plan(mut self, planned: &Planned, at: &Observed, is_cloned: bool) -> Self {
        self.specifications.clone_from(&planned.specifications);
        for (index, member) in at.members.iter().enumerate() {
            let policy = member.restart_policy().clone();
            let _new = self.policies.insert(member.id().to_owned(), policy);
            let change = planned.plan.stage.iter().find_map(|step| match &step.change {
                Change::CreateContainer { name, final_name, .. } if final_name == member.name() => {
                    Some(name.clone())
                }
                _ => None,
            });
            if let Some(name) = change {
                let _new = self.predecessors.insert(name, (member.clone(), is_cloned || index > 0));
            }
        }
        let incoming = planned.plan.seal.iter().find_map(|step| match &step.change {
            Change::RecordRelease { commit } => Some(&commit.incoming),
            _ => None,
        });
        if let (Some(Subject::Existing(id)), Some(target)) = (incoming, at.target()) {
            let (old, name) = (target.id().to_owned(), target.name().to_owned());
            self.taken_back = Some((old, name, id.clone()));
        }
        self
    }

    /// What is kept of a version that was taken back, once.
    pub fn take_evidence(&self) -> Option<Evidence> {
        self.evidence.lock().ok()?.take()
    }

    /// Containers that did not end when they were asked to, once.
    pub fn take_killed(&self) -> Vec<Killed> {
        self.killed.lock().map(|mut it| std::mem::take(&mut *it)).unwrap_or_default()
    }

    fn engine(&self) -> &EngineClient {
        &self.setup.engine
    }

    fn progress(&self, kind: EventKind) {
        self.setup.reporter.send((self.setup.now)(), kind);
    }

    fn created_id(&self, name: &str) -> Option<String> {
        self.created.lock().ok()?.get(name).cloned()
    }

    /// The container that a change is about, if it is there. One that this plan makes is known by
    /// the id that its creation gave, or by its temporary name, which nobody else uses.
    async fn find(&self, subject: &Subject) -> Result<Option<Value>, TargetError> {
        let (known, name) = match subject {
            Subject::Existing(id) => (Some(id.clone()), None),
            Subject::Created(name) => (self.created_id(name), Some(name)),
        };
        if let Some(id) = known {
            return self.look(&id).await;
        }
        match name {
            Some(name) => self.look(name).await,
            None => Ok(None),
        }
    }

    async fn look(&self, id: &str) -> Result<Option<Value>, TargetError> {
        let found = self.engine().container(id).await;
        found.map_err(|it| it.into_target("engine_unreachable", format!("look at container {id}")))
    }

    async fn expect(&self, subject: &Subject, what: &str) -> Result<Value, TargetError> {
        self.find(subject).await?.ok_or_else(|| TargetError::Drifted {
            expected: format!("container {what}"),
            found: "none".to_owned(),
        })
    }
}

impl Target for ContainerDriver {
    type Observed = Observed;
    type Desired = Desired;
    type Change = Change;

    async fn inspect(&self) -> Result<Observed, TargetError> {
        let DriverSetup { engine, target, reference, state, .. } = &self.setup;
        observe(engine, target, reference.as_deref(), state.clone()).await
    }

    fn plan(at: &Observed, to: &Desired) -> Result<Plan<Change>, PlanError> {
        plan(at, to).map(|it| it.plan)
    }

    fn is_irreversible(change: &Change) -> bool {
        change.is_irreversible()
    }
}

impl Driver for ContainerDriver {
    type Receipt = Receipt;

    async fn precheck(&self, change: &Change) -> Result<Before, TargetError> {
        use Change as C;
        match change {
            C::PullImage { reference, .. } | C::KeepImage { reference, .. } => {
                self.image_before(reference).await
            }
            C::MoveTag { reference, image, .. } => self.tag_before(reference, image).await,
            C::RemoveTag { reference } => self.tag_to_remove(reference).await,
            C::CreateContainer { name, .. } => self.create_before(name).await,
            C::StopContainer { id, name, .. } => self.stop_before(id, name).await,
            C::StartContainer { subject, name } => self.start_before(subject, name).await,
            C::PauseContainer { subject, name } => self.pause_before(subject, name).await,
            C::SetRestartPolicy { subject, name, from, to } => {
                self.policy_before(subject, name, from, to).await
            }
            C::Rename { subject, from, to } => self.name_before(subject, from, to).await,
            C::RecordRelease { commit } => self.record_before(&commit.operation).await,
            C::RemoveContainer { id, .. } => self.remove_before(id).await,
            C::CopyAccounts { .. }
            | C::BackUpData { .. }
            | C::TakeSnapshot { .. }
            | C::RestoreData { .. }
            | C::HandOverData { .. }
            | C::HandOverBackup { .. }
            | C::RemoveSnapshot { .. } => Ok(Before::Absent),
        }
    }

    async fn apply(&self, change: &Change) -> Result<Receipt, TargetError> {
        use Change as C;
        match change {
            C::PullImage { reference, .. } => self.pull(reference).await?,
            C::KeepImage { image, reference, .. } | C::MoveTag { reference, image, .. } => {
                self.name_image(image, reference).await?;
            }
            C::RemoveTag { reference } => self.remove_image_name(reference).await?,
            C::CreateContainer { name, image, .. } => return self.create(name, image).await,
            C::CopyAccounts { from, to, users } => self.copy_accounts(from, to, users).await?,
            C::BackUpData { container, command, .. } => {
                self.run_hook(container, command, "back up data").await?;
            }
            C::StopContainer { id, name, timeout_s, .. } => self.stop(id, name, *timeout_s).await?,
            C::TakeSnapshot { data } => self.take_snapshot(data).await?,
            C::SetRestartPolicy { subject, name, to, .. } => {
                self.set_policy(subject, name, to).await?;
            }
            C::Rename { subject, from, to } => self.rename(subject, from, to).await?,
            C::RestoreData { data, aside } => self.restore(data, &data.snapshot, aside).await?,
            // Nothing is done: from this record on the new version may write.
            C::HandOverData { .. } | C::HandOverBackup { .. } => {}
            C::StartContainer { subject, name } => self.start(subject, name).await?,
            C::PauseContainer { subject, name } => self.pause(subject, name, true).await?,
            C::RecordRelease { commit } => self.record(commit).await?,
            C::RemoveContainer { id, name } => self.remove_parked(id, name).await?,
            C::RemoveSnapshot { operation } => self.remove_snapshot(operation).await?,
        }
        Ok(Receipt::default())
    }

    async fn settle(
        &self,
        change: &Change,
        patience: Millis,
        force: Force,
    ) -> Result<(), TargetError> {
        use Change as C;
        match change {
            C::CreateContainer { name, .. } => self.settle_create(name, patience).await,
            C::StopContainer { id, name, .. } => self.settle_stop(id, name, patience, force).await,
            C::StartContainer { subject, .. } => self.settle_start(subject, patience).await,
            C::TakeSnapshot { .. }
            | C::RestoreData { .. }
            | C::HandOverData { .. }
            | C::HandOverBackup { .. } => self.settle_programs().await,
            // These the engine does at once under the container's own lock, or their undo removes
            // by force what they were done to.
            C::PullImage { .. }
            | C::KeepImage { .. }
            | C::MoveTag { .. }
            | C::RemoveTag { .. }
            | C::CopyAccounts { .. }
            | C::BackUpData { .. }
            | C::SetRestartPolicy { .. }
            | C::Rename { .. }
            | C::PauseContainer { .. }
            | C::RecordRelease { .. }
            | C::RemoveContainer { .. }
            | C::RemoveSnapshot { .. } => Ok(()),
        }
    }

    async fn undo(
        &self,
        change: &Change,
        before: &Before,
        _receipt: Option<&Receipt>,
    ) -> Result<(), TargetError> {
        use Change as C;
        match change {
            C::PullImage { reference, .. } | C::KeepImage { reference, .. } => {
                self.remove_image_name(reference).await
            }
            C::MoveTag { reference, .. } => self.move_tag_back(reference, before).await,
            C::CreateContainer { name, .. } => self.remove_created(name).await,
            C::BackUpData { operation, container, restore, .. } => {
                self.restore_backup(operation, container, restore).await
            }
            C::HandOverBackup { operation } => self.want_backup(operation).await,
            C::StopContainer { id, name, was, .. } => self.start_again(id, name, *was).await,
            C::SetRestartPolicy { subject, name, from, .. } => {
                self.set_policy_back(subject, name, from).await
            }
            C::Rename { subject, from, to } => self.rename_back(subject, from, to).await,
            C::RestoreData { data, aside } => self.restore_aside(data, aside).await,
            C::HandOverData { data } => self.take_data_back(data).await,
            C::StartContainer { subject, name } => self.take_down(subject, name).await,
            C::PauseContainer { subject, name } => self.pause(subject, name, false).await,
            C::RecordRelease { commit } => self.record_back(&commit.operation).await,
            // The accounts went into a container that is removed, or that had them before; a
            // snapshot stays until the old version has passed its gate.
            C::CopyAccounts { .. } | C::TakeSnapshot { .. } => Ok(()),
            C::RemoveContainer { .. } | C::RemoveTag { .. } | C::RemoveSnapshot { .. } => {
                Err(TargetError::failed("internal", format!("{change}"), "it cannot be taken back"))
            }
        }
    }

    fn recall(&self, change: &Change, receipt: &Receipt) {
        if matches!(change, Change::TakeSnapshot { .. }) {
            self.has_snapshot.store(true, Ordering::SeqCst);
        }
        if let (Change::CreateContainer { name, .. }, Some(id)) = (change, &receipt.container)
            && let Ok(mut created) = self.created.lock()
        {
            let _same = created.insert(name.clone(), id.clone());
        }
    }

    fn presumed(change: &Change) -> Before {
        match change {
            Change::StopContainer { was, .. } => lifecycle::as_before(*was),
            Change::SetRestartPolicy { from, .. } => Before::Image(from.to_string()),
            Change::Rename { from, .. } => Before::Image(from.clone()),
            Change::MoveTag { was: Some(was), .. } => Before::Image(was.clone()),
            // Somebody may have pulled it before. Every other name carries the operation's id.
            Change::PullImage { .. } => Before::Present,
            _ => Before::Absent,
        }
    }

    async fn revive(&self, change: &Change) -> Result<(), TargetError> {
        match change {
            Change::StopContainer { id, name, was, .. } if !self.leaves_ended => {
                self.start_if_ended(id, name, *was).await
            }
            _ => Ok(()),
        }
    }
}

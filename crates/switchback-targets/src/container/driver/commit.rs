//! The commit point on the target: its new state, written in one piece from what is seen there.

use serde_json::Value;
use switchback_core::{Before, TargetError, release::Release};

use super::ContainerDriver;
use crate::{
    container::{
        change::{CommitDraft, PreviousDraft, Subject},
        document::{KeptRelease, TargetState},
        members::Member,
        plan::digest_of,
        specification::{Specification, Surroundings},
    },
    keeper::{self, programs},
};

/// The state of a target.
pub(crate) const STATE_FILE: &str = "state.json";

/// The state before a commit, kept until the next one so that the commit can be taken back.
const BEFORE_FILE: &str = "state.before.json";

impl ContainerDriver {
    pub(super) async fn read(&self, file: &str) -> Result<Option<TargetState>, TargetError> {
        let read = keeper::read_record(self.engine(), &self.setup.target, file).await;
        let bytes =
            read.map_err(|it| it.into_target("internal", format!("read {file} of the target")))?;
        bytes.map(|it| TargetState::read(&it)).transpose().map_err(|it| {
            TargetError::failed(
                "store_unusable",
                format!("read {file} of the target"),
                it.to_string(),
            )
        })
    }

    async fn write(&self, file: &str, state: &TargetState) -> Result<(), TargetError> {
        let path = format!("{}/{file}", keeper::target_folder(&self.setup.target));
        let written = programs::put(self.engine(), &self.setup.keeper, &path, state.write()).await;
        written.map_err(|it| {
            TargetError::failed(it.code(), format!("write {file} of the target"), it.to_string())
        })
    }

    pub(super) async fn record_before(&self, operation: &str) -> Result<Before, TargetError> {
        let found = self.read(STATE_FILE).await?;
        let is_ours = found.is_some_and(|it| it.operation == operation);
        Ok(if is_ours { Before::Present } else { Before::Absent })
    }

    pub(super) async fn record(&self, commit: &CommitDraft) -> Result<(), TargetError> {
        let before = match self.read(STATE_FILE).await? {
            // Written by an earlier try of this very step.
            Some(state) if state.operation == commit.operation => return Ok(()),
            Some(state) => state,
            None => TargetState::new(&self.setup.deployment, self.setup.owner.clone(), ""),
        };
        let found = self.expect(&commit.incoming, &commit.name).await?;
        let release = self.as_committed(&commit.release, &commit.operation);
        let specification = self.specification_of(&commit.incoming, &before, commit.release.number);
        let keep = commit.keep.clone();
        let mut running = self.kept(found, &release, &commit.name, keep, specification).await?;
        // What was parked with a release that is gone back to has its own data still.
        if let (Subject::Existing(_), Some(known)) =
            (&commit.incoming, before.release(commit.release.number))
        {
            running.dependents.clone_from(&known.dependents);
        }
        let previous = match &commit.previous {
            None => None,
            Some(it) => {
                let it = &self.as_left(it, &commit.operation).await?;
                match self.look(&it.container).await? {
                    Some(found) => {
                        let known =
                            before.release(it.release.number).map(|it| it.specification.clone());
                        let keep = it.keep.clone();
                        let kept = self.kept(found, &it.release, &it.parked, keep, known).await?;
                        Some(KeptRelease { dependents: it.dependents.clone(), ..kept })
                    }
                    None => self.kept_without_container(it).await?,
                }
            }
        };
        self.write(BEFORE_FILE, &before).await?;
        let owner = self.setup.owner.clone();
        let deployment = self.setup.deployment.clone();
        let mut after = before.after(&commit.operation, running, previous, &commit.dropped);
        if let Some(decisions) = &commit.decisions {
            after.decisions.clone_from(decisions);
        }
        after.drop_snapshots(&commit.dropped_snapshots);
        self.write(STATE_FILE, &TargetState { deployment, owner, ..after }).await
    }

    /// A release that is made by this commit is as old as the commit, not as its plan.
    fn as_committed(&self, release: &Release, operation: &str) -> Release {
        let is_new = release.operation.as_deref() == Some(operation);
        Release { at: if is_new { (self.setup.now)() } else { release.at }, ..release.clone() }
    }

    /// What is left, with the time at which its snapshot was taken, which the snapshot itself tells.
    async fn as_left(
        &self,
        draft: &PreviousDraft,
        operation: &str,
    ) -> Result<PreviousDraft, TargetError> {
        let mut draft = draft.clone();
        if let Some(snapshot) =
            draft.release.snapshot.as_mut().filter(|it| it.operation == operation)
        {
            let taken = keeper::snapshot_time(self.engine(), &self.setup.target, operation).await;
            let taken = taken.map_err(|it| it.into_target("internal", "look at the snapshot"))?;
            snapshot.at = taken.unwrap_or(snapshot.at);
        }
        Ok(draft)
    }

    /// What the container was made from: what we made it with, or what was recorded.
    fn specification_of(
        &self,
        incoming: &Subject,
        state: &TargetState,
        number: u32,
    ) -> Option<Specification> {
        match incoming {
            Subject::Created(name) => self.specifications.get(name).cloned(),
            Subject::Existing(_) => state.release(number).map(|it| it.specification.clone()),
        }
    }

    async fn kept(
        &self,
        inspect: Value,
        release: &Release,
        name: &str,
        keep: Option<String>,
        specification: Option<Specification>,
    ) -> Result<KeptRelease, TargetError> {
        let image = inspect["Image"].as_str().unwrap_or_default().to_owned();
        let found = self.engine().image(&image).await;
        let found = found.map_err(|it| it.into_target("internal", "look at the image"))?;
        let member = Member {
            inspect,
            image: found.unwrap_or(Value::Null),
            written: Vec::new(),
            files: Vec::new(),
        };
        let facts = self.engine().facts();
        let around = Surroundings {
            old_image: &member.image,
            api: facts.api,
            log_driver: &facts.log_driver,
        };
        let mut specification =
            specification.unwrap_or_else(|| Specification::of_running(&member.inspect, around));
        // A parked container has lost its restart policy; what it had is in what it was made from.
        if let Some(policy) = self.policies.get(member.id()) {
            specification.body["HostConfig"]["RestartPolicy"] = policy.clone();
        }
        Ok(KeptRelease {
            release: release.clone(),
            container: member.id().to_owned(),
            name: name.to_owned(),
            image,
            reference: member.image_reference().split('@').next().unwrap_or_default().to_owned(),
            digest: digest_of(&member),
            keep,
            specification,
            inspect: member.inspect,
            dependents: Vec::new(),
        })
    }

    /// The way back of a commit: the state before it.
    pub(super) async fn record_back(&self, operation: &str) -> Result<(), TargetError> {
        let Some(now) = self.read(STATE_FILE).await? else { return Ok(()) };
        if now.operation != operation {
            return Ok(());
        }
        let before = self.read(BEFORE_FILE).await?;
        let fresh = || TargetState::new(&self.setup.deployment, self.setup.owner.clone(), "");
        self.write(STATE_FILE, &before.unwrap_or_else(fresh)).await
    }
}

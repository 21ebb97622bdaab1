//! The steps of stage, switch and seal, in their order.

use serde_json::json;

use super::{Incoming, Planner};
use crate::container::{
    change::{Change, CommitDraft, Subject},
    goal::IncomingImage,
    members::{Doing, Member},
    settings::DataPolicy,
};

impl Planner<'_> {
    /// Everything slow or fallible, while the old version serves.
    pub(super) fn stage(&self) -> Vec<Change> {
        let mut steps = Vec::new();
        let is_named = |it: &str| it.contains(&self.to.operation);
        if let (Some(target), Some(reference)) =
            (self.at.target(), self.keep_of_current().filter(|it| is_named(it)))
        {
            let image = target.image_id().to_owned();
            steps.push(Change::KeepImage { image, reference, is_current: true });
        }
        if let Incoming::New { image, again, .. } = &self.incoming {
            if let (None, Some(reference)) = (&image.id, &image.digest) {
                let (reference, size_bytes) = (reference.clone(), image.size_bytes);
                steps.push(Change::PullImage { reference, size_bytes });
            }
            let named = image.id.clone().or_else(|| image.digest.clone());
            if let (Some(image), Some(reference)) =
                (named, self.keep_of_incoming().filter(|it| is_named(it)))
            {
                steps.push(Change::KeepImage { image, reference, is_current: false });
            }
            steps.push(Change::CreateContainer {
                name: self.temporary(&self.at.name),
                final_name: self.at.name.clone(),
                image: self.made_from(image, again.is_some()),
                specification: self.to.key.hash(&self.incoming.specification().body),
            });
        }
        for dependent in self.at.members.iter().skip(1) {
            let specification = super::incoming::as_it_runs(&self.at.engine, dependent);
            steps.push(Change::CreateContainer {
                name: self.temporary(dependent.name()),
                final_name: dependent.name().to_owned(),
                image: dependent.own_image_reference(),
                specification: self.to.key.hash(&specification.body),
            });
        }
        if let Some(target) = self.at.target().filter(|_| !self.to.settings.accounts.is_empty()) {
            steps.push(Change::CopyAccounts {
                from: target.id().to_owned(),
                to: self.successor(0, target),
                users: self.to.settings.accounts.clone(),
            });
        }
        steps
    }

    /// Podman knows a digest only beside the names that an image has at the moment, and what is gone
    /// back to may have only ours.
    fn made_from(&self, image: &IncomingImage, is_again: bool) -> String {
        match &image.id {
            Some(id) if is_again && self.at.engine.is_podman => id.clone(),
            _ => image.create_reference(),
        }
    }

    /// The switch. The restart policy is taken from the old one only once it has stopped: until
    /// then an engine that restarts brings the service back.
    pub(super) fn apply(&self) -> Vec<Change> {
        let mut steps = Vec::new();
        let members = &self.at.members;
        steps.extend(self.backup());
        for member in members.iter().rev() {
            steps.extend(stop(member));
        }
        let is_touched = self.takes_snapshot() || self.wanted_snapshot().is_some();
        if self.takes_snapshot() {
            steps.push(Change::TakeSnapshot { data: self.data_set(&self.to.operation) });
        }
        for member in members {
            steps.extend(park_policy(member));
        }
        if let Some(snapshot) = self.wanted_snapshot() {
            let aside = format!("{}-before", self.to.operation);
            steps.push(Change::RestoreData { data: self.data_set(&snapshot), aside });
        }
        for member in members {
            let subject = Subject::Existing(member.id().to_owned());
            let (from, to) = (member.name().to_owned(), self.parked(member.name()));
            steps.push(Change::Rename { subject, from, to });
        }
        steps.extend(self.take_names());
        if is_touched && self.takes_snapshot() {
            steps.push(Change::HandOverData { data: self.data_set(&self.to.operation) });
        }
        if steps.iter().any(|it| matches!(it, Change::BackUpData { .. })) {
            steps.push(Change::HandOverBackup { operation: self.to.operation.clone() });
        }
        steps.extend(self.starts());
        steps.extend(self.unpark_policy());
        steps
    }

    fn backup(&self) -> Option<Change> {
        let data = &self.to.settings.data;
        let target = self.at.target().filter(|it| it.doing() == Doing::Running)?;
        let (backup, restore) = data.backup.as_ref().zip(data.restore.as_ref())?;
        (data.policy == DataPolicy::Command).then(|| Change::BackUpData {
            operation: self.to.operation.clone(),
            container: target.id().to_owned(),
            command: backup.argv(),
            restore: restore.argv(),
        })
    }

    /// Gives the successors their names.
    fn take_names(&self) -> Vec<Change> {
        let mut steps = Vec::new();
        let (subject, from) = match &self.incoming {
            Incoming::New { .. } => {
                let name = self.temporary(&self.at.name);
                (Subject::Created(name.clone()), name)
            }
            Incoming::Kept { release } => {
                (Subject::Existing(release.container.clone()), release.name.clone())
            }
        };
        steps.push(Change::Rename { subject, from, to: self.at.name.clone() });
        for dependent in self.at.members.iter().skip(1) {
            let from = self.temporary(dependent.name());
            let (subject, to) = (Subject::Created(from.clone()), dependent.name().to_owned());
            steps.push(Change::Rename { subject, from, to });
        }
        steps
    }

    /// Gives a parked one its restart policy, once it is started: one that has it while it stands still is
    /// started by an engine that restarts, with whatever data lies there. On the way back it loses it
    /// before it is stopped. What is made anew can have it from the beginning: no engine starts what
    /// has never run.
    fn unpark_policy(&self) -> Option<Change> {
        let Incoming::Kept { release } = &self.incoming else { return None };
        let (from, to) = (json!({"Name": "no"}), release.specification.restart_policy());
        let (subject, name) = (Subject::Existing(release.container.clone()), self.at.name.clone());
        (to["Name"] != from["Name"]).then(|| Change::SetRestartPolicy { subject, name, from, to })
    }

    /// What ran is started; who was stopped stays so.
    fn starts(&self) -> Vec<Change> {
        let subject = self.incoming.subject(&self.temporary(&self.at.name));
        let mut starts = Vec::new();
        if self.doing() != Doing::Stopped {
            starts.push(Change::StartContainer { subject, name: self.at.name.clone() });
        }
        for dependent in self.at.members.iter().skip(1).filter(|it| it.was().is_some()) {
            let subject = Subject::Created(self.temporary(dependent.name()));
            starts.push(Change::StartContainer { subject, name: dependent.name().to_owned() });
        }
        starts
    }

    /// What makes it final on the target; the record comes last and is the commit point there.
    pub(super) fn seal(&self, commit: &CommitDraft) -> Vec<Change> {
        let mut steps = Vec::new();
        for (index, member) in self.at.members.iter().enumerate() {
            if member.doing() == Doing::Paused {
                let (subject, name) = (self.successor(index, member), member.name().to_owned());
                steps.push(Change::PauseContainer { subject, name });
            }
        }
        let (reference, image) = match &self.incoming {
            Incoming::New { image, .. } => {
                (image.reference.clone(), image.id.clone().or_else(|| image.digest.clone()))
            }
            Incoming::Kept { release } => (release.reference.clone(), Some(release.image.clone())),
        };
        let local = self.at.local_image.as_ref();
        let was = local.and_then(|it| it["Id"].as_str()).map(str::to_owned);
        if let Some(image) = image.filter(|it| is_tag(&reference) && Some(it) != was.as_ref()) {
            steps.push(Change::MoveTag { reference, image, was });
        }
        steps.push(Change::RecordRelease { commit: Box::new(commit.clone()) });
        steps
    }
}

fn stop(member: &Member) -> Option<Change> {
    Some(Change::StopContainer {
        id: member.id().to_owned(),
        name: member.name().to_owned(),
        timeout_s: member.stop_timeout_s(),
        was: member.was()?,
    })
}

/// A name that can be pointed elsewhere: not an id and not a digest.
fn is_tag(reference: &str) -> bool {
    !reference.contains('@') && !reference.starts_with("sha256:")
}

fn park_policy(member: &Member) -> Option<Change> {
    let from = member.restart_policy().clone();
    let is_none = matches!(from["Name"].as_str(), None | Some("" | "no"));
    (!is_none).then(|| Change::SetRestartPolicy {
        subject: Subject::Existing(member.id().to_owned()),
        name: member.name().to_owned(),
        from,
        to: json!({"Name": "no", "MaximumRetryCount": 0}),
    })
}

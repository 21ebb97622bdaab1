//! From what was observed and what is wanted to every step. Pure: it takes no clock and no network.

mod incoming;
mod retire;
mod switch;

use std::collections::HashMap;

use switchback_core::{
    Expectation, GatePolicy, Plan, PlanError, Step, StepId,
    plan::check::check,
    release::{Evidence, Rejected, Release, Snapshot},
};

use self::incoming::Incoming;
pub use self::incoming::{digest_of, label_of, version_of, wanted_specification};
use super::{
    change::{Change, CommitDraft, DataMount, DataSet, PreviousDraft, Subject},
    decisions::Decisions,
    document::KeptDependent,
    driver::ContainerDriver,
    gate::keeps_restarting,
    goal::{Desired, Goal},
    members::{Doing, Member, data_of},
    observe::Observed,
    preflight,
    settings::{DataPolicy, HealthSettings},
    specification::Specification,
};

/// Healthchecks of an image may take longer than this by themselves; see [`deadline`].
const DEFAULT_DEADLINE_MS: u64 = 5 * 60 * 1000;

/// A plan, and what carrying it out needs besides: specifications are secret and in no journal.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The steps.
    pub plan: Plan<Change>,
    /// What each container is made from, by its temporary name.
    pub specifications: HashMap<String, Specification>,
    /// The release that would be committed.
    pub release: Release,
    /// The release that would be left, if anything runs.
    pub previous: Option<Release>,
}

/// Plans, and has the finished plan read by code that did not build it.
pub fn plan(at: &Observed, to: &Desired) -> Result<Planned, PlanError> {
    if let Some(refusal) = preflight::first_refusal(at, to) {
        return Err(refusal);
    }
    let incoming = incoming::of(at, to)?;
    let planned = Planner { at, to, incoming }.plan();
    let findings = check::<ContainerDriver>(&planned.plan);
    match findings.first() {
        None => Ok(planned),
        Some(finding) => Err(PlanError::Refused {
            code: "internal".to_owned(),
            problem: format!("the plan is unsound: {finding}"),
            hint: None,
        }),
    }
}

/// A plan in the making.
struct Planner<'a> {
    at: &'a Observed,
    to: &'a Desired,
    incoming: Incoming,
}

impl Planner<'_> {
    fn plan(&self) -> Planned {
        let release = self.release();
        let previous = self.previous();
        let commit = self.commit(&release, previous.as_ref());
        let parts =
            [self.stage(), self.apply(), self.seal(&commit), retire::steps(self.at, &commit)];
        let mut id = 0;
        let mut number = |changes: Vec<Change>| -> Vec<Step<Change>> {
            let step = |change: Change| {
                id += 1;
                Step { id: StepId(id - 1), limit: change.limit(), change }
            };
            changes.into_iter().map(step).collect()
        };
        let [stage, apply, seal, retire] = parts.map(&mut number);
        let auto_rollback = self.to.settings.auto_rollback || self.at.members.is_empty();
        let plan = Plan { stage, apply, gate: self.gate(), seal, retire, auto_rollback };
        Planned { plan, specifications: self.specifications(), release, previous }
    }

    /// The temporary name of what is made in place of a member.
    fn temporary(&self, name: &str) -> String {
        format!("{name}.switchback-{}-new", self.to.operation)
    }

    /// The name under which a member is parked.
    fn parked(&self, name: &str) -> String {
        format!("{name}.switchback-{}-old", self.to.operation)
    }

    /// The name of ours for an image that this operation keeps.
    fn keep(&self, which: &str) -> String {
        format!("{}:{}-{which}", keep_repository(&self.at.name), self.to.operation)
    }

    fn release(&self) -> Release {
        // Going back to a release makes no new number, also where its container is made again.
        if let Incoming::Kept { release } | Incoming::New { again: Some(release), .. } =
            &self.incoming
        {
            return release.release.clone();
        }
        let image = self.incoming.image();
        let number = self.at.state.as_ref().map_or(1, super::document::TargetState::next_number);
        let is_first_of_all = self.previous().is_some_and(|it| it.number == number);
        Release {
            number: if is_first_of_all { number + 1 } else { number },
            version: image.map(super::goal::IncomingImage::version).unwrap_or_default(),
            label: image.and_then(|it| it.label.clone()),
            specification: self.to.key.hash(&self.incoming.specification().body),
            at: self.to.now,
            evidence: if self.doing() == Doing::Stopped {
                Evidence::Unverified
            } else {
                Evidence::Verified
            },
            operation: Some(self.to.operation.clone()),
            snapshot: None,
            irreversible: self.doing() == Doing::OneShot && !self.takes_snapshot(),
        }
    }

    /// What runs now, under its number. Something that was put there by hand gets one of its own.
    fn previous(&self) -> Option<Release> {
        let target = self.at.target()?;
        let state = self.at.state.as_ref();
        let recorded = state.and_then(super::document::TargetState::running);
        let mut release = match recorded.filter(|it| it.container == target.id()) {
            Some(recorded) => recorded.release.clone(),
            None => Release {
                number: state.map_or(1, super::document::TargetState::next_number),
                version: incoming::version_of(target),
                label: incoming::label_of(target),
                specification: String::new(),
                at: self.to.now,
                evidence: match self.at.baseline.as_ref().filter(|it| !it.probes.is_empty()) {
                    Some(baseline) if baseline.is_healthy() => Evidence::SeenHealthy,
                    Some(_) => Evidence::SeenIll,
                    None => Evidence::Unverified,
                },
                operation: None,
                snapshot: None,
                irreversible: false,
            },
        };
        if self.takes_snapshot() {
            release.snapshot =
                Some(Snapshot { operation: self.to.operation.clone(), at: self.to.now });
        }
        Some(release)
    }

    fn commit(&self, release: &Release, previous: Option<&Release>) -> CommitDraft {
        let previous = self.at.target().zip(previous).map(|(target, release)| PreviousDraft {
            release: release.clone(),
            container: target.id().to_owned(),
            parked: self.parked(&self.at.name),
            dependents: self.parked_dependents(),
            keep: self.keep_of_current(),
        });
        let mut numbers: Vec<Release> = Vec::new();
        let state = self.at.state.iter().flat_map(|it| &it.releases).map(|it| it.release.clone());
        for it in state.chain(previous.iter().map(|it| it.release.clone())).chain([release.clone()])
        {
            if numbers.iter().all(|known| known.number != it.number) {
                numbers.push(it);
            }
        }
        let retain = self.to.settings.retain.releases;
        let draft = CommitDraft {
            operation: self.to.operation.clone(),
            dropped: switchback_core::release::surplus(&numbers, release.number, retain),
            release: release.clone(),
            incoming: self.incoming.subject(&self.temporary(&self.at.name)),
            name: self.at.name.clone(),
            keep: self.keep_of_incoming(),
            previous,
            decisions: Some(self.decisions(release)),
            dropped_snapshots: Vec::new(),
        };
        CommitDraft {
            dropped_snapshots: retire::surplus_snapshots(self.at, self.to, &draft),
            ..draft
        }
    }

    /// What was named although it was rejected, and has proven itself, is rejected no longer. What a
    /// rollback by hand leaves is skipped from then on: run in any way, unless it is the same version
    /// run in another way that it goes back to.
    fn decisions(&self, release: &Release) -> Decisions {
        let mut decisions = self.to.decisions.clone();
        decisions.rejected.retain(|it| !it.covers(&release.version, &release.specification));
        let left = matches!(self.to.goal, Goal::Rollback { .. }).then(|| self.previous()).flatten();
        let is_same = left.as_ref().is_some_and(|it| it.version == release.version);
        // Where the way in which it was run is not known, it cannot be told from what is gone back to.
        if let Some(left) = left.filter(|it| !(is_same && it.specification.is_empty())) {
            decisions.reject(Rejected {
                version: left.version,
                specification: if is_same { left.specification } else { String::new() },
                reason: "rolled back by hand".to_owned(),
                at: self.to.now,
            });
        }
        decisions
    }

    fn keep_of_current(&self) -> Option<String> {
        let target = self.at.target()?;
        let state = self.at.state.as_ref();
        let recorded = state.and_then(super::document::TargetState::running);
        let recorded =
            recorded.filter(|it| it.container == target.id()).and_then(|it| it.keep.clone());
        Some(recorded.unwrap_or_else(|| self.keep("old")))
    }

    fn keep_of_incoming(&self) -> Option<String> {
        match &self.incoming {
            Incoming::Kept { release, .. } => release.keep.clone(),
            Incoming::New { keep, .. } => Some(keep.clone().unwrap_or_else(|| self.keep("new"))),
        }
    }

    fn doing(&self) -> Doing {
        self.at.target().map_or(Doing::Running, Member::doing)
    }

    fn takes_snapshot(&self) -> bool {
        self.to.settings.data.policy == DataPolicy::Snapshot && !self.data().is_empty()
    }

    fn data(&self) -> Vec<DataMount> {
        data_of(&self.at.members)
    }

    fn data_set(&self, snapshot: &str) -> DataSet {
        let exclude = self.to.settings.data.exclude.clone();
        DataSet { snapshot: snapshot.to_owned(), mounts: self.data(), exclude }
    }

    fn gate(&self) -> GatePolicy {
        let health = &self.to.settings.health;
        let doing = self.doing();
        let image = self.incoming.image_config();
        let reports = health.probes.iter().any(reports_version);
        let expect = Expectation {
            version: self.incoming.label().filter(|_| reports),
            one_shot: doing == Doing::OneShot,
            stopped: doing == Doing::Stopped,
            beside: self.beside(),
        };
        GatePolicy {
            interval: health.interval_ms,
            patience: health.timeout_ms + 1_000,
            streak: usize::try_from(health.healthy_streak).unwrap_or(1).max(1),
            deadline: deadline(health, &self.incoming.specification().body, &image),
            window: health.min_healthy_time_ms,
            expect,
            baseline: self.at.baseline.clone(),
        }
    }

    /// The dependents that have to stay up. Of one that kept restarting before nobody can ask that.
    fn beside(&self) -> Vec<String> {
        let now = i64::try_from(self.to.now).unwrap_or(i64::MAX);
        let now = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
        let stays_up =
            |it: &&Member| it.doing() == Doing::Running && !keeps_restarting(&it.inspect, now);
        let dependents = self.at.members.iter().skip(1).filter(stays_up);
        dependents.map(|it| it.name().to_owned()).collect()
    }

    /// What is parked with the version that is left, and kept as long as that is: a dependent may
    /// have written into its own layer as the container itself may.
    fn parked_dependents(&self) -> Vec<KeptDependent> {
        let dependents = self.at.members.iter().skip(1);
        let parked = dependents.map(|it| KeptDependent {
            container: it.id().to_owned(),
            name: self.parked(it.name()),
        });
        parked.collect()
    }

    fn specifications(&self) -> HashMap<String, Specification> {
        let mut all = HashMap::new();
        if let Incoming::New { specification, .. } = &self.incoming {
            all.insert(self.temporary(&self.at.name), (**specification).clone());
        }
        for dependent in self.at.members.iter().skip(1) {
            let specification = incoming::as_it_runs(&self.at.engine, dependent);
            all.insert(self.temporary(dependent.name()), specification);
        }
        all
    }

    /// Whom a member's successor is known as.
    fn successor(&self, index: usize, member: &Member) -> Subject {
        match index {
            0 => self.incoming.subject(&self.temporary(&self.at.name)),
            _ => Subject::Created(self.temporary(member.name())),
        }
    }

    /// Where the data of the incoming release is, for `--with-data`.
    fn wanted_snapshot(&self) -> Option<String> {
        match &self.to.goal {
            Goal::Rollback { with_data: true, number } => {
                let state = self.at.state.as_ref()?;
                state.release(*number)?.release.snapshot.as_ref().map(|it| it.operation.clone())
            }
            _ => None,
        }
    }
}

fn reports_version(probe: &super::settings::ProbeSettings) -> bool {
    matches!(probe, super::settings::ProbeSettings::Http { version: Some(_), .. })
}

/// The deadline: as configured, else five minutes; never less than the health check takes to speak:
/// its start period, then each retry with its interval and time-out, and one interval of slack.
fn deadline(health: &HealthSettings, body: &serde_json::Value, image: &serde_json::Value) -> u64 {
    let asked = health.healthy_deadline_ms.unwrap_or(DEFAULT_DEADLINE_MS);
    let check = |field: &str| {
        let own = body["Healthcheck"][field].as_u64().filter(|it| *it > 0);
        own.or(image["Healthcheck"][field].as_u64().filter(|it| *it > 0))
    };
    let has_check = body["Healthcheck"].is_object() || image["Healthcheck"].is_object();
    if !has_check {
        return asked;
    }
    // The engine's defaults are 30 s, 30 s, 3 and none; its unit is the nanosecond.
    let ms = |field: &str, default_ms: u64| check(field).map_or(default_ms, |it| it / 1_000_000);
    let (interval, timeout) = (ms("Interval", 30_000), ms("Timeout", 30_000));
    let retries = check("Retries").unwrap_or(3);
    asked.max(ms("StartPeriod", 0) + retries * (interval + timeout) + interval)
}

/// How a container that runs is held to the gate of an update, with nothing to compare it with.
pub fn gate_of_running(health: &HealthSettings, target: &Member) -> GatePolicy {
    let is_one_shot = target.doing() == Doing::OneShot;
    GatePolicy {
        interval: health.interval_ms,
        patience: health.timeout_ms + 1_000,
        streak: usize::try_from(health.healthy_streak).unwrap_or(1).max(1),
        deadline: deadline(health, &target.inspect["Config"], &target.image["Config"]),
        window: health.min_healthy_time_ms,
        expect: Expectation { one_shot: is_one_shot, ..Expectation::default() },
        baseline: None,
    }
}

/// The repository of our names for a container's images; their tags begin with the operation's id.
pub fn keep_repository(container: &str) -> String {
    format!("switchback-keep/{}", image_name(container))
}

/// A container's name as part of an image's name, which has no capitals.
fn image_name(container: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '-' };
    let name: String = container.chars().map(plain).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "container".to_owned() } else { name }
}

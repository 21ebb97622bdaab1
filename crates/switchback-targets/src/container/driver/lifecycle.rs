//! Stop, start, pause.

use std::time::Duration;

use serde_json::{Value, json};
use switchback_core::{Before, Force, Millis, TargetError};

use super::{ContainerDriver, Evidence};
use crate::{
    container::{
        change::{Subject, Was},
        killed::Killed,
        members::{is_up, stop_timeout_s},
    },
    engine_api::{EngineError, encode},
};

/// Between two looks of a barrier.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// How many lines are kept of what a version wrote before it was taken back.
const KEPT_LINES: u32 = 200;

/// What a stop found, in the words of its record.
pub(super) fn as_before(was: Was) -> Before {
    Before::Image(match was {
        Was::Running => "running".to_owned(),
        Was::Paused => "paused".to_owned(),
    })
}

pub(super) fn is(inspect: &Value, key: &str) -> bool {
    inspect["State"][key] == json!(true)
}

/// Whether its process has ever been there. What the engine does not tell counts as yes.
pub(super) fn has_ever_run(inspect: &Value) -> bool {
    is_up(inspect)
        || !inspect["State"]["StartedAt"].as_str().is_some_and(|it| it.starts_with("0001"))
}

fn is_unanswered(error: &TargetError) -> bool {
    error.code() == "engine_unreachable"
}

impl ContainerDriver {
    pub(super) async fn stop_before(&self, id: &str, name: &str) -> Result<Before, TargetError> {
        let found = self.expect(&Subject::Existing(id.to_owned()), name).await?;
        Ok(match (is(&found, "Paused"), is_up(&found)) {
            (true, _) => as_before(Was::Paused),
            (false, true) => as_before(Was::Running),
            (false, false) => Before::Present,
        })
    }

    pub(super) async fn stop(
        &self,
        id: &str,
        name: &str,
        timeout_s: u64,
    ) -> Result<(), TargetError> {
        let failed = |it: EngineError| it.into_target("internal", format!("stop container {name}"));
        // A paused process cannot hear a signal, and would be killed after the whole time-out.
        if self.look(id).await?.is_some_and(|it| is(&it, "Paused")) {
            drop(
                self.engine()
                    .post(&format!("/containers/{id}/unpause"), None)
                    .await
                    .map_err(failed)?,
            );
        }
        let path = format!("/containers/{id}/stop?t={timeout_s}");
        let begun = (self.setup.now)();
        drop(self.engine().post(&path, None).await.map_err(failed)?);
        if (self.setup.now)().saturating_sub(begun) >= timeout_s.saturating_mul(1_000) {
            self.note_killed(id, timeout_s).await;
        }
        Ok(())
    }

    /// Whoever had to be killed is named in the result. It is stopped; whether the engine tells how
    /// makes no difference to that.
    async fn note_killed(&self, id: &str, timeout_s: u64) {
        let found = self.look(id).await.ok().flatten();
        let killed = found.and_then(|it| Killed::at_stop(&it, timeout_s));
        if let (Some(killed), Ok(mut all)) = (killed, self.killed.lock()) {
            all.push(killed);
        }
    }

    /// A stop that was asked for goes on without us and kills at its end. So nothing is started
    /// while one may be pending: we wait for it, then do it ourselves.
    pub(super) async fn settle_stop(
        &self,
        id: &str,
        name: &str,
        patience: Millis,
        force: Force,
    ) -> Result<(), TargetError> {
        let mut waited: Millis = 0;
        loop {
            match self.look(id).await? {
                Some(found) if is_up(&found) => {}
                _ => return Ok(()),
            }
            if waited >= patience {
                break;
            }
            tokio::time::sleep(LOOK_PAUSE).await;
            waited += 100;
        }
        if force == Force::Forbidden {
            return Ok(());
        }
        // Waits under the container's own lock until whatever was pending is over.
        let failed =
            |it: EngineError| it.into_target("undo_failed", format!("stop container {name}"));
        drop(
            self.engine()
                .post(&format!("/containers/{id}/stop?t=0"), None)
                .await
                .map_err(failed)?,
        );
        Ok(())
    }

    /// The way back of a stop.
    pub(super) async fn start_again(
        &self,
        id: &str,
        name: &str,
        was: Was,
    ) -> Result<(), TargetError> {
        let found = self.bring_back(id, name).await?.ok_or_else(|| TargetError::Drifted {
            expected: format!("container {name}"),
            found: "none".to_owned(),
        })?;
        let id = found["Id"].as_str().unwrap_or(id).to_owned();
        let subject = Subject::Existing(id);
        if !is_up(&found) {
            self.start(&subject, name).await?;
        }
        if was == Was::Paused {
            self.pause(&subject, name, true).await?;
        }
        Ok(())
    }

    /// A container that is about to be started must not run already: somebody else did it.
    pub(super) async fn start_before(
        &self,
        subject: &Subject,
        name: &str,
    ) -> Result<Before, TargetError> {
        let found = self.expect(subject, name).await?;
        if is_up(&found) {
            let expected = format!("container {name} stopped");
            return Err(TargetError::Drifted { expected, found: "running".to_owned() });
        }
        Ok(Before::Absent)
    }

    pub(super) async fn start(&self, subject: &Subject, name: &str) -> Result<(), TargetError> {
        let id = match subject {
            Subject::Existing(id) => Some(id.clone()),
            Subject::Created(made) => self.created_id(made),
        };
        let id = match id {
            Some(id) => id,
            None => self.expect(subject, name).await?["Id"].as_str().unwrap_or_default().to_owned(),
        };
        let started = self.engine().post(&format!("/containers/{}/start", encode(&id)), None).await;
        started.map(drop).map_err(|it| {
            // A port that somebody else has taken says nothing about the version.
            let reason = it.reason();
            let is_taken = reason.contains("port is already allocated")
                || reason.contains("address already in use")
                || reason.contains("Address already in use");
            let code = if is_taken { "drifted" } else { "start_failed" };
            it.into_target(code, format!("start container {name}"))
        })
    }

    /// An engine that is at work on a start answers no question about that container until it is
    /// over, however long a runtime takes. So a question that found no answer is asked again.
    pub(super) async fn settle_start(
        &self,
        subject: &Subject,
        patience: Millis,
    ) -> Result<(), TargetError> {
        let until = (self.setup.now)().saturating_add(patience);
        loop {
            match self.find(subject).await {
                Err(error) if is_unanswered(&error) && (self.setup.now)() < until => {}
                settled => return settled.map(drop),
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// The way back of a start: what we made is removed by force, which also ends a start that is
    /// still pending; what was parked is stopped. What it wrote is kept.
    pub(super) async fn take_down(&self, subject: &Subject, name: &str) -> Result<(), TargetError> {
        let Some(found) = self.find(subject).await? else { return Ok(()) };
        let id = found["Id"].as_str().unwrap_or_default().to_owned();
        self.keep_evidence(&id, &found).await;
        if matches!(subject, Subject::Created(_))
            && let Ok(mut has_run) = self.has_run.lock()
        {
            *has_run = Some(has_run.unwrap_or(false) || has_ever_run(&found));
        }
        match subject {
            Subject::Created(_) => self.remove_made(&id, name).await,
            Subject::Existing(_) => {
                let timeout_s = stop_timeout_s(&found);
                self.stop(&id, name, timeout_s).await
            }
        }
    }

    async fn keep_evidence(&self, id: &str, found: &Value) {
        let log_tail = match self.engine().log_tail(id, KEPT_LINES).await {
            Ok(lines) => lines,
            Err(error) => vec![format!("(its log could not be read: {error})")],
        };
        if let Ok(mut evidence) = self.evidence.lock()
            && evidence.is_none()
        {
            *evidence = Some(Evidence { log_tail, state: found["State"].clone() });
        }
    }

    pub(super) async fn pause_before(
        &self,
        subject: &Subject,
        name: &str,
    ) -> Result<Before, TargetError> {
        let found = self.expect(subject, name).await?;
        Ok(if is(&found, "Paused") { Before::Present } else { Before::Absent })
    }

    pub(super) async fn pause(
        &self,
        subject: &Subject,
        name: &str,
        pause: bool,
    ) -> Result<(), TargetError> {
        let Some(found) = self.find(subject).await? else { return Ok(()) };
        if is(&found, "Paused") == pause {
            return Ok(());
        }
        let (id, verb) =
            (found["Id"].as_str().unwrap_or_default(), if pause { "pause" } else { "unpause" });
        let done = self.engine().post(&format!("/containers/{id}/{verb}"), None).await;
        done.map(drop).map_err(|it| it.into_target("internal", format!("{verb} container {name}")))
    }
}

//! Names and restart policies.

use serde_json::{Value, json};
use switchback_core::{Before, TargetError};

use super::ContainerDriver;
use crate::{
    container::{change::Subject, members::is_temporary},
    engine_api::{EngineError, encode},
};

fn name_of(inspect: &Value) -> &str {
    inspect["Name"].as_str().unwrap_or_default().trim_start_matches('/')
}

fn id_of(inspect: &Value) -> &str {
    inspect["Id"].as_str().unwrap_or_default()
}

impl ContainerDriver {
    pub(super) async fn name_before(
        &self,
        subject: &Subject,
        from: &str,
        to: &str,
    ) -> Result<Before, TargetError> {
        let found = self.expect(subject, from).await?;
        match name_of(&found) {
            it if it == to => Ok(Before::Present),
            it if it == from => Ok(Before::Image(from.to_owned())),
            other => Err(TargetError::Drifted {
                expected: format!("a container named {from}"),
                found: format!("it is named {other}"),
            }),
        }
    }

    pub(super) async fn rename(
        &self,
        subject: &Subject,
        from: &str,
        to: &str,
    ) -> Result<(), TargetError> {
        let id = match subject {
            Subject::Existing(id) => Some(id.clone()),
            Subject::Created(made) => self.created_id(made),
        };
        let id = id.unwrap_or_else(|| from.to_owned());
        let path = format!("/containers/{}/rename?name={}", encode(&id), encode(to));
        let renamed = self.engine().post(&path, None).await;
        renamed.map(drop).map_err(|it: EngineError| {
            it.into_target("drifted", format!("rename container {from} to {to}"))
        })
    }

    /// A container that we made may be gone by now; one that ran before is brought back. Of one that
    /// was parked nothing that runs has need: if somebody has removed it, its release is made from
    /// what is recorded, should it ever be gone back to.
    pub(super) async fn rename_back(
        &self,
        subject: &Subject,
        from: &str,
        to: &str,
    ) -> Result<(), TargetError> {
        let was_parked = is_temporary(from);
        let found = match subject {
            Subject::Existing(id) if !was_parked => self.bring_back(id, from).await?,
            Subject::Existing(_) | Subject::Created(_) => self.find(subject).await?,
        };
        let found = match (found, subject) {
            (Some(found), _) => found,
            (None, _) if was_parked => return Ok(()),
            (None, Subject::Created(_)) => return Ok(()),
            (None, Subject::Existing(_)) => {
                let expected = format!("container {to}");
                return Err(TargetError::Drifted { expected, found: "none".to_owned() });
            }
        };
        match name_of(&found) {
            it if it == from => Ok(()),
            it if it == to => {
                let id = id_of(&found).to_owned();
                self.rename(&Subject::Existing(id), to, from).await
            }
            other => Err(TargetError::Drifted {
                expected: format!("a container named {to}"),
                found: format!("it is named {other}"),
            }),
        }
    }

    pub(super) async fn policy_before(
        &self,
        subject: &Subject,
        name: &str,
        from: &Value,
        to: &Value,
    ) -> Result<Before, TargetError> {
        let found = self.expect(subject, name).await?;
        let policy = &found["HostConfig"]["RestartPolicy"];
        match &policy["Name"] {
            it if *it == to["Name"] => Ok(Before::Present),
            it if *it == from["Name"] => Ok(Before::Image(from.to_string())),
            other => Err(TargetError::Drifted {
                expected: format!("restart policy {} on {name}", from["Name"]),
                found: other.to_string(),
            }),
        }
    }

    pub(super) async fn set_policy(
        &self,
        subject: &Subject,
        name: &str,
        policy: &Value,
    ) -> Result<(), TargetError> {
        let found = self.expect(subject, name).await?;
        let path = format!("/containers/{}/update", id_of(&found));
        let body = json!({ "RestartPolicy": policy });
        let done = self.engine().post(&path, Some(&body)).await;
        done.map(drop)
            .map_err(|it| it.into_target("internal", format!("set the restart policy of {name}")))
    }

    /// A container that is gone has none to set. If it is made again, then as it ran.
    pub(super) async fn set_policy_back(
        &self,
        subject: &Subject,
        name: &str,
        from: &Value,
    ) -> Result<(), TargetError> {
        match self.find(subject).await? {
            None => Ok(()),
            Some(_) => self.set_policy(subject, name, from).await,
        }
    }
}

//! A container that does not end when it is asked to: every stop takes its whole time-out, and all of
//! that is downtime. Whether a process heeds the signal is known to nobody before it is sent; so it is
//! said after the first stop by us, and before the next one.

use serde_json::{Value, json};
use switchback_core::words;

use super::{
    members::Member,
    observe::Observed,
    settings::{ContainerSettings, key_of},
};

/// The exit code of a process that SIGKILL has ended.
const KILLED: i64 = 137;

/// A container that had to be killed at the end of its time-out, or will have to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Killed {
    /// Its name.
    pub name: String,
    /// Its time-out, in seconds.
    pub timeout_s: u64,
    /// Whether it runs with an init as its first process.
    pub has_init: bool,
}

/// Whether a container, by its inspect, was killed from outside and not for want of memory.
fn was_killed(inspect: &Value) -> bool {
    let state = &inspect["State"];
    state["ExitCode"].as_i64() == Some(KILLED) && state["OOMKilled"] != json!(true)
}

impl Killed {
    /// What a stop that took its whole time-out has come to, by the inspect after it.
    pub fn at_stop(inspect: &Value, timeout_s: u64) -> Option<Self> {
        let name = inspect["Name"].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
        let has_init = inspect["HostConfig"]["Init"] == json!(true);
        was_killed(inspect).then_some(Self { name, timeout_s, has_init })
    }

    /// What the next stop will come to: what was left last had to be killed, and what runs is stopped
    /// in the same way.
    pub fn expected(at: &Observed) -> Option<Self> {
        let target = at.target().filter(|it| it.was().is_some())?;
        let state = at.state.as_ref()?;
        let left = state.releases.iter().filter(|it| it.release.number != state.current);
        let ended = |inspect: &Value| inspect["State"]["FinishedAt"].as_str().map(str::to_owned);
        let last = left.max_by_key(|it| ended(&it.inspect))?;
        let is_same = way_of_stopping(&last.inspect) == way_of_stopping(&target.inspect);
        (was_killed(&last.inspect) && is_same).then(|| Self::of_running(target))
    }

    fn of_running(target: &Member) -> Self {
        let has_init = target.inspect["HostConfig"]["Init"] == json!(true);
        Self { name: target.name().to_owned(), timeout_s: target.stop_timeout_s(), has_init }
    }

    /// What happened, and what to do about it.
    pub fn after(&self, settings: &ContainerSettings) -> String {
        let (name, span) = (&self.name, self.span());
        format!(
            "{name} did not end when it was stopped, and was killed after {span}, all of it \
             downtime. {}",
            self.remedy(settings)
        )
    }

    /// What will happen, and what to do about it.
    pub fn before(&self, settings: &ContainerSettings) -> String {
        let (name, span) = (&self.name, self.span());
        format!(
            "the last version of {name} that was stopped had to be killed: expect {span} of \
             downtime for the stop alone. {}",
            self.remedy(settings)
        )
    }

    fn span(&self) -> String {
        words::duration(std::time::Duration::from_secs(self.timeout_s))
    }

    fn remedy(&self, settings: &ContainerSettings) -> String {
        let is_declared = settings.run.is_some() && self.name == settings.container;
        match (self.has_init, is_declared) {
            (true, _) => {
                "It has an init already: give its image a STOPSIGNAL that it heeds".to_owned()
            }
            (false, true) => format!(
                "The first process of a container ignores a SIGTERM that it does not handle: \
                 switchback config set {} true   (or a STOPSIGNAL in its image)",
                key_of(&settings.deployment, ".run.init")
            ),
            (false, false) => {
                "The first process of a container ignores a SIGTERM that it does not \
                 handle: make it with docker run --init, or with a STOPSIGNAL in its image"
                    .to_owned()
            }
        }
    }
}

/// What decides how a stop goes, as far as the engine knows.
fn way_of_stopping(inspect: &Value) -> [&Value; 4] {
    let config = &inspect["Config"];
    [&config["StopSignal"], &config["Entrypoint"], &config["Cmd"], &inspect["HostConfig"]["Init"]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_killed_at_the_end_of_the_time_out_is_told_from_who_ran_out_of_memory() {
        let inspect = |code: i64, is_full: bool| json!({"Name": "/web", "State": {"ExitCode": code, "OOMKilled": is_full}});
        let killed = Killed { name: "web".to_owned(), timeout_s: 10, has_init: false };
        assert_eq!(Killed::at_stop(&inspect(137, false), 10), Some(killed));
        assert_eq!(Killed::at_stop(&inspect(137, true), 10), None);
        assert_eq!(Killed::at_stop(&inspect(143, false), 10), None, "it heeded SIGTERM");
        assert_eq!(Killed::at_stop(&inspect(0, false), 10), None);
    }
}

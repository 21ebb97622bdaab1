//! The systemd unit that brings to its end, when a machine starts, what a power cut has interrupted.
//!
//! Between the switch and the gate the new version serves unproven; without the unit it does so until
//! somebody types the next command. It is offered, and written only where it is asked for.

use std::{
    fs::Permissions,
    io::ErrorKind,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use crate::{error::CommandError, operate::Answer};

/// The unit's name.
pub(crate) const NAME: &str = "switchback-recover.service";

/// The first line of a unit of ours. One without it is somebody else's.
const OURS: &str = "# Written by `switchback init --recover-service`, which replaces it.";

/// systemd answers in milliseconds; one that is starting a machine up takes its time.
const SYSTEMCTL_LIMIT: Duration = Duration::from_secs(30);

/// What a unit is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// This program.
    pub(crate) program: PathBuf,
    /// The configuration.
    pub(crate) config: PathBuf,
    /// The store's folder.
    pub(crate) state: PathBuf,
    /// The engine of those deployments that name none; none for the usual one.
    pub(crate) engine: Option<String>,
    /// Whose store it is, by number, if not root's: what root writes there nobody else could open.
    pub(crate) user: Option<u32>,
}

/// The machine on which it would run.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Where an administrator's units lie.
    pub(crate) units: PathBuf,
    /// Whether systemd runs it.
    pub(crate) has_systemd: bool,
    /// How systemd is asked for something.
    pub(crate) systemctl: PathBuf,
}

/// How the unit stands on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is no systemd, so there can be none.
    Impossible,
    /// There is none.
    Missing,
    /// It is there and as it should be.
    InPlace,
    /// It is ours, and about something else.
    Outdated,
    /// Somebody else has one of that name.
    Strange,
}

impl Machine {
    /// This one. The folder is what `sd_booted` looks for.
    pub(crate) fn this() -> Self {
        Self {
            units: PathBuf::from("/etc/systemd/system"),
            has_systemd: Path::new("/run/systemd/system").is_dir(),
            systemctl: PathBuf::from("systemctl"),
        }
    }

    /// Where the unit lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.units.join(NAME)
    }

    /// How it stands.
    pub(crate) fn standing(&self, wanted: &Wanted) -> Standing {
        if !self.has_systemd {
            return Standing::Impossible;
        }
        match fs_err::read_to_string(self.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Standing::Missing,
            Ok(text) if text == wanted.text() => Standing::InPlace,
            Ok(text) if text.starts_with(OURS) => Standing::Outdated,
            Ok(_) | Err(_) => Standing::Strange,
        }
    }

    /// Writes it and has systemd start it at boot. True if anything was changed.
    pub(crate) async fn install(&self, wanted: &Wanted) -> Answer<bool> {
        let path = self.path();
        match self.standing(wanted) {
            Standing::Missing | Standing::Outdated => {}
            Standing::InPlace => {
                self.ask(&["enable", NAME]).await?;
                return Ok(false);
            }
            Standing::Impossible => {
                let message = "systemd does not run this machine: there is no unit to be installed";
                return Err(CommandError::new("preflight_failed", message)
                    .hint("switchback recover --yes   # to be run when the machine starts"));
            }
            Standing::Strange => {
                let message = format!("{} is there and is not Switchback's", path.display());
                return Err(
                    CommandError::new("drifted", message).hint(format!("cat {}", path.display()))
                );
            }
        }
        write(&path, &wanted.text()).map_err(|error| {
            let message = format!("cannot write {}: {error}", path.display());
            let code = match error.kind() {
                ErrorKind::PermissionDenied => "not_permitted",
                _ => "internal",
            };
            CommandError::new(code, message).hint(wanted.command())
        })?;
        self.ask(&["daemon-reload"]).await?;
        self.ask(&["enable", NAME]).await?;
        Ok(true)
    }

    async fn ask(&self, arguments: &[&str]) -> Answer<()> {
        let mut command = Command::new(&self.systemctl);
        let said = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
        let reason = match tokio::time::timeout(SYSTEMCTL_LIMIT, said).await {
            Ok(Ok(said)) if said.status.success() => return Ok(()),
            Ok(Ok(said)) => String::from_utf8_lossy(&said.stderr).trim().to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                format!("no answer within {}", switchback_core::words::duration(SYSTEMCTL_LIMIT))
            }
        };
        let words = arguments.join(" ");
        let message = format!("the unit is written, but systemctl {words} failed: {reason}");
        Err(CommandError::new("internal", message).hint(format!("sudo systemctl {words}")))
    }
}

/// In one piece, and readable for everybody as units are.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("service.new");
    fs_err::write(&new, text)?;
    fs_err::set_permissions(&new, Permissions::from_mode(0o644))?;
    fs_err::rename(&new, path)
}

impl Wanted {
    /// About this configuration and this store.
    pub(crate) fn of(config: &Path, state: &Path, engine: Option<String>) -> Answer<Self> {
        let program = std::env::current_exe().map_err(|error| {
            CommandError::new("internal", format!("cannot find this program: {error}"))
        })?;
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let owner = |path: &Path| fs_err::metadata(path).ok().map(|it| it.uid());
        let user = owner(state).or_else(|| owner(config)).filter(|it| *it != 0);
        Ok(Self { program, config: absolute(config), state: absolute(state), engine, user })
    }

    /// What somebody types to have it installed.
    pub(crate) fn command(&self) -> String {
        let (program, config) = (self.program.display(), self.config.display());
        let engine = self.engine.as_ref().map(|it| format!(" --engine {it}")).unwrap_or_default();
        format!("sudo {program} --config {config} init{engine} --recover-service")
    }

    /// The unit. It is tried again where the engine is not up yet, and not where a person has to look;
    /// how long a recovery may take follows from its steps, not from here.
    pub(crate) fn text(&self) -> String {
        let path = |it: &Path| quoted(&it.to_string_lossy());
        let user = self.user.map(|it| format!("User={it}\n")).unwrap_or_default();
        let engine = self.engine.as_ref().map(|it| quoted(&format!("DOCKER_HOST={it}")));
        let engine = engine.map(|it| format!("Environment={it}\n")).unwrap_or_default();
        let (program, config, state) = (path(&self.program), path(&self.config), path(&self.state));
        format!(
            "{OURS}\n\
             [Unit]\n\
             Description=Finish or undo an interrupted update of a container\n\
             Wants=network-online.target\n\
             After=network-online.target docker.service podman.socket\n\
             StartLimitIntervalSec=10min\n\
             StartLimitBurst=5\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             {user}\
             {engine}\
             ExecStart={program} --config {config} --state {state} --yes recover\n\
             TimeoutStartSec=infinity\n\
             Restart=on-failure\n\
             RestartSec=15\n\
             RestartPreventExitStatus=2 3 5\n\
             \n\
             [Install]\n\
             WantedBy=multi-user.target\n"
        )
    }
}

/// A word of a unit file: in quotes, with what systemd would read otherwise written twice.
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('%', "%%").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            program: "/usr/local/bin/switchback".into(),
            config: "/etc/switchback/my 100%.toml".into(),
            state: "/var/lib/switchback".into(),
            engine: None,
            user: None,
        }
    }

    /// A machine in a folder, whose `systemctl` writes down what it is asked.
    fn machine(folder: &Path) -> Machine {
        let systemctl = folder.join("systemctl");
        let asked = folder.join("asked");
        fs_err::write(&systemctl, format!("#!/bin/sh\necho \"$@\" >> '{}'\n", asked.display()))
            .unwrap();
        fs_err::set_permissions(&systemctl, Permissions::from_mode(0o755)).unwrap();
        Machine { units: folder.to_owned(), has_systemd: true, systemctl }
    }

    #[test]
    fn the_unit_recovers_after_the_engine_has_come_up() {
        insta::assert_snapshot!(wanted().text(), @r#"
        # Written by `switchback init --recover-service`, which replaces it.
        [Unit]
        Description=Finish or undo an interrupted update of a container
        Wants=network-online.target
        After=network-online.target docker.service podman.socket
        StartLimitIntervalSec=10min
        StartLimitBurst=5

        [Service]
        Type=oneshot
        ExecStart="/usr/local/bin/switchback" --config "/etc/switchback/my 100%%.toml" --state "/var/lib/switchback" --yes recover
        TimeoutStartSec=infinity
        Restart=on-failure
        RestartSec=15
        RestartPreventExitStatus=2 3 5

        [Install]
        WantedBy=multi-user.target
        "#);
        let other =
            Wanted { engine: Some("unix:///run/e.sock".to_owned()), user: Some(1000), ..wanted() };
        let text = other.text();
        assert!(text.contains("\nEnvironment=\"DOCKER_HOST=unix:///run/e.sock\"\n"), "{text}");
        assert!(text.contains("\nUser=1000\n"), "{text}");
    }

    #[tokio::test]
    async fn it_is_written_once_and_enabled() {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(folder.path());
        assert_eq!(machine.standing(&wanted()), Standing::Missing);
        assert!(machine.install(&wanted()).await.unwrap());
        assert_eq!(machine.standing(&wanted()), Standing::InPlace);
        assert!(!machine.install(&wanted()).await.unwrap(), "nothing is left to be done");
        let asked = fs_err::read_to_string(folder.path().join("asked")).unwrap();
        assert_eq!(asked, format!("daemon-reload\nenable {NAME}\nenable {NAME}\n"));

        let other = Wanted { state: "/srv/state".into(), ..wanted() };
        assert_eq!(machine.standing(&other), Standing::Outdated);
        assert!(machine.install(&other).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_somebody_elses_stays_and_without_systemd_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(folder.path());
        fs_err::write(machine.path(), "[Unit]\n").unwrap();
        assert_eq!(machine.install(&wanted()).await.unwrap_err().code, "drifted");
        assert_eq!(fs_err::read_to_string(machine.path()).unwrap(), "[Unit]\n");

        let without = Machine { has_systemd: false, units: folder.path().join("none"), ..machine };
        assert_eq!(without.standing(&wanted()), Standing::Impossible);
        assert_eq!(without.install(&wanted()).await.unwrap_err().code, "preflight_failed");
        assert!(!without.units.exists());
    }

    #[tokio::test]
    async fn what_systemctl_says_is_told_with_the_command_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = machine(folder.path());
        machine.systemctl = folder.path().join("no-such-program");
        let error = machine.install(&wanted()).await.unwrap_err();
        assert!(error.message.contains("daemon-reload failed"), "{error}");
        assert_eq!(error.hint.as_deref(), Some("sudo systemctl daemon-reload"));
    }
}

//! A runtime of the spare engine that sleeps before it starts a container, once for each time that it is
//! told to.

use std::time::{Duration, Instant};

use super::spare::Machine;

/// For `docker run --runtime`.
pub(crate) const RUNTIME: &str = "slow";

/// What is to be slept at the next start, in seconds.
const NEXT: &str = "/run/slow-start";

/// An engine reads its settings within a moment, also where others have too much to do.
const PATIENCE: Duration = Duration::from_secs(60);

impl Machine {
    /// Makes the engine know it.
    #[track_caller]
    pub(crate) fn learns_the_slow_runtime(&self) {
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *\" start \"*) if mv {NEXT} {NEXT}.begun 2>/dev/null; then\n\
             sleep \"$(cat {NEXT}.begun)\"; fi ;; esac\nexec runc \"$@\"\n"
        );
        let settings = format!(
            r#"{{ "runtimes": {{ "{RUNTIME}": {{ "path": "/usr/local/bin/slow-runc" }} }} }}"#
        );
        self.shell(&format!(
            "printf '%s' '{script}' >/usr/local/bin/slow-runc; chmod 755 /usr/local/bin/slow-runc\n\
             mkdir -p /etc/docker; printf '%s' '{settings}' >/etc/docker/daemon.json\n\
             rm -f {NEXT} {NEXT}.begun; kill -HUP $(cat /run/docker.pid)"
        ));
        let deadline = Instant::now() + PATIENCE;
        while !self.docker(&["info", "--format", "{{json .Runtimes}}"]).contains(RUNTIME) {
            assert!(Instant::now() < deadline, "the engine has read its settings");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The next start takes so many seconds.
    pub(crate) fn starts_slowly(&self, sleeps_s: u64) {
        self.shell(&format!("rm -f {NEXT}.begun; echo {sleeps_s} >{NEXT}"));
    }

    /// Whether that start has begun.
    pub(crate) fn is_starting(&self) -> bool {
        self.shell("ls /run").contains("slow-start.begun")
    }
}

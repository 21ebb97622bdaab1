//! The program, run as a user runs it.

use std::{
    fmt,
    io::Read,
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use switchback_testkit::lab::Report;

/// No command of these tests takes longer; one that does would hang for ever.
const DEADLINE: Duration = Duration::from_secs(180);

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) command: String,
    /// None where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "$ {command}\n{stderr}{stdout}\n[exit code {code:?}]")
    }
}

impl Output {
    /// Fails with the whole transcript if the exit code is another one.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "the exit code should be {code}:\n{self}");
        self
    }

    /// The one JSON document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not one JSON document ({error}):\n{self}"))
    }

    /// Fails unless this is said somewhere.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let is_there = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(is_there, "{text:?} should be said:\n{self}");
        self
    }

    /// Fails unless the JSON document has this at this pointer.
    #[track_caller]
    pub(crate) fn has(self, pointer: &str, value: &str) -> Self {
        let document = self.json();
        let found = document.pointer(pointer).and_then(Value::as_str);
        assert_eq!(found, Some(value), "{pointer} should be {value}:\n{self}");
        self
    }

    /// Fails unless the service was away about as long as the document tells: for twice that at most,
    /// and the 2 s for which a prober waits for one answer.
    #[track_caller]
    pub(crate) fn tells_how_long_it_was_away(self, seen: &Report) -> Self {
        let told = self.json()["downtime_seconds"].as_f64().unwrap_or(0.0);
        let gap = Duration::from_millis(seen.longest_gap_ms).as_secs_f64();
        assert!(gap <= 2.0 * told + 2.0, "away for {gap} s, {told} s were told: {seen:?}\n{self}");
        self
    }
}

/// A command under way. Dropped, it is killed.
#[must_use = "it is killed as soon as it is dropped"]
pub(crate) struct Running {
    command: String,
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let words: Vec<_> =
            command.get_args().map(|it| it.to_string_lossy().into_owned()).collect();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let stdout = child.stdout.take().map(reader);
        let stderr = child.stderr.take().map(reader);
        Self { command: format!("switchback {}", words.join(" ")), child, stdout, stderr }
    }

    /// The process, for whoever kills it.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal; a process that has ended already is no error.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).ok();
    }

    /// Whether it is over.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    #[must_use = "a command whose end nobody looks at proves nothing"]
    pub(crate) fn wait(mut self) -> Output {
        let code = self.ended().code();
        let text = |it: &mut Option<JoinHandle<String>>| {
            it.take().and_then(|it| it.join().ok()).unwrap_or_default()
        };
        let (stdout, stderr) = (text(&mut self.stdout), text(&mut self.stderr));
        Output { command: self.command.clone(), code, stdout, stderr }
    }

    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                return status;
            }
            if Instant::now() > deadline {
                self.child.kill().ok();
                let said = self.stderr.take().and_then(|it| it.join().ok()).unwrap_or_default();
                panic!("{} did not end within {DEADLINE:?}:\n{said}", self.command);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn reader(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

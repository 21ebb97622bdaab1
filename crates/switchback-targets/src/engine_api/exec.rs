//! Programs that are run inside a container.

use std::fmt::Write as _;

use bollard::{container::LogOutput, exec::StartExecResults, models::ExecConfig};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::{EngineClient, EngineError};

/// How much of each stream is kept: the last words are the ones that explain.
const KEPT_BYTES: usize = 256 << 10;

/// What a program reads.
#[derive(Debug, Clone)]
pub enum Input {
    /// Nothing.
    Nothing,
    /// These bytes, then the end.
    Bytes(Bytes),
}

/// What a program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code.
    pub code: i64,
    /// The end of what it wrote to stdout.
    pub stdout: String,
    /// The end of what it wrote to stderr.
    pub stderr: String,
}

impl ExecOutput {
    /// The last line it wrote, to stderr if anything is there.
    pub fn last_words(&self) -> String {
        let lines =
            |text: &str| text.lines().rev().find(|it| !it.trim().is_empty()).map(str::to_owned);
        let mut words = format!("exit code {}", self.code);
        if let Some(line) = lines(&self.stderr).or_else(|| lines(&self.stdout)) {
            let _infallible = write!(words, ": {line}");
        }
        words
    }
}

impl EngineClient {
    /// Runs a program to its end. `on_line` sees each line of stdout as it comes. The caller has
    /// the deadline: the program may go on after we have stopped waiting.
    pub async fn exec(
        &self,
        container: &str,
        argv: &[String],
        input: Input,
        mut on_line: impl FnMut(&str) + Send,
    ) -> Result<ExecOutput, EngineError> {
        let config = ExecConfig {
            attach_stdin: Some(matches!(input, Input::Bytes(_))),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.to_vec()),
            ..ExecConfig::default()
        };
        self.pass().await?;
        let id = self.docker.create_exec(container, config).await?.id;
        self.pass().await?;
        let started = self.docker.start_exec(&id, None).await?;
        let StartExecResults::Attached { mut output, input: mut writer } = started else {
            return Err(EngineError::Nonsense { what: "exec", got: "a detached start".to_owned() });
        };
        let feed = async move {
            if let Input::Bytes(bytes) = input {
                let broken = |it: std::io::Error| EngineError::Broken { reason: it.to_string() };
                writer.write_all(&bytes).await.map_err(broken)?;
                writer.shutdown().await.map_err(broken)?;
            }
            // Dropping the writer would end the stream that the output comes on.
            Ok::<_, EngineError>(writer)
        };
        let read = async {
            let (mut stdout, mut stderr) = (Tail::default(), Tail::default());
            while let Some(part) = output.next().await {
                match part.map_err(EngineError::from)? {
                    LogOutput::StdErr { message } => stderr.push(&message, |_| {}),
                    other => stdout.push(&other.into_bytes(), &mut on_line),
                }
            }
            Ok::<_, EngineError>((stdout.text(), stderr.text()))
        };
        let (written, streams) = tokio::join!(feed, read);
        let (stdout, stderr) = streams?;
        let code = self.exit_code(&id).await?;
        // A program may end without reading all; its exit code is the better word then.
        if code == 0 {
            drop(written?);
        }
        Ok(ExecOutput { code, stdout, stderr })
    }

    async fn exit_code(&self, id: &str) -> Result<i64, EngineError> {
        // The stream may end a moment before the engine has noted the exit.
        for _ in 0..50 {
            let found = self.docker.inspect_exec(id).await?;
            if let (Some(code), Some(false)) = (found.exit_code, found.running) {
                return Ok(code);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Err(EngineError::TimedOut { what: "the exit code of a program".to_owned() })
    }
}

/// The end of a stream, and its lines as they come.
#[derive(Debug, Default)]
struct Tail {
    kept: Vec<u8>,
    line: Vec<u8>,
}

impl Tail {
    fn push(&mut self, bytes: &[u8], mut on_line: impl FnMut(&str)) {
        self.kept.extend_from_slice(bytes);
        let surplus = self.kept.len().saturating_sub(KEPT_BYTES);
        self.kept.drain(..surplus);
        for byte in bytes {
            if *byte == b'\n' {
                on_line(&String::from_utf8_lossy(&self.line));
                self.line.clear();
            } else if self.line.len() < KEPT_BYTES {
                self.line.push(*byte);
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

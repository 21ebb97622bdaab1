//! What a container wrote, and what it uses.

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;

use super::{EngineClient, EngineError, READ_LIMIT};
use crate::patience::within;

/// How much is kept of what a failed version wrote.
const KEPT_BYTES: usize = 128 << 10;

impl EngineClient {
    /// The last lines that a container wrote, running or not.
    pub async fn log_tail(&self, container: &str, lines: u32) -> Result<Vec<String>, EngineError> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let mut stream = self.docker.logs(container, Some(options));
        let read = async {
            let mut text = Vec::new();
            while let Some(part) = stream.next().await {
                text.extend_from_slice(&part?.into_bytes());
                let surplus = text.len().saturating_sub(KEPT_BYTES);
                text.drain(..surplus);
            }
            Ok::<_, EngineError>(text)
        };
        let limited = within(READ_LIMIT, read).await;
        let text = limited.ok_or_else(|| EngineError::TimedOut { what: "logs".to_owned() })??;
        Ok(String::from_utf8_lossy(&text).lines().map(|it| it.trim_end().to_owned()).collect())
    }
}

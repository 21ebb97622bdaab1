//! Docker's credential helpers: programs that keep logins, asked with a deadline.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::login::{Login, Secret};

/// More than any helper prints: a token of a cloud is about 3 KiB.
const OUTPUT_LIMIT_BYTES: u64 = 64 * 1024;

/// How helpers say that they keep no login for a server; it is their protocol, on stdout.
const NOT_FOUND: [&str; 3] =
    ["credentials not found", "no credentials server URL", "no credentials username"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// Asks the helper at `program` for the login to `server`. The error is in words and holds no secret.
pub(super) async fn ask(program: OsString, server: &str, limit: Duration) -> Result<Login, String> {
    let name = program.to_string_lossy().into_owned();
    match tokio::time::timeout(limit, run(program, server)).await {
        Err(_) => {
            Err(format!("{name} gave no answer within {}", switchback_core::words::duration(limit)))
        }
        Ok(Err(error)) => Err(format!("{name} cannot be run: {error}")),
        Ok(Ok((true, output))) => {
            parse(&output).ok_or_else(|| format!("{name} answered something that is not a login"))
        }
        Ok(Ok((false, output))) => after_failure(&name, &output),
    }
}

/// Runs the helper; gives whether it succeeded, and what it printed. Dropping the future kills it.
async fn run(program: OsString, server: &str) -> std::io::Result<(bool, Vec<u8>)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(server.as_bytes()).await {
            // One that does not read its question may still answer it.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(OUTPUT_LIMIT_BYTES).read_to_end(&mut output).await?;
    }
    Ok((child.wait().await?.success(), output))
}

fn parse(output: &[u8]) -> Option<Login> {
    let answer: HelperAnswer = serde_json::from_slice(output).ok()?;
    let secret = Secret::new(answer.secret);
    // This name is the protocol's sign that the secret is an identity token.
    Some(if answer.username == "<token>" {
        Login::Token(secret)
    } else {
        Login::Basic { user: answer.username, secret }
    })
}

/// A helper that fails says why on stdout, where a success would have the login.
fn after_failure(name: &str, output: &[u8]) -> Result<Login, String> {
    let text = String::from_utf8_lossy(output);
    if NOT_FOUND.iter().any(|words| text.contains(words)) {
        return Ok(Login::Anonymous);
    }
    let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
    Err(format!("{name} failed: {line}"))
}

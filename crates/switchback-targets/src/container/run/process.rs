//! What concerns the process: restart policy, HEALTHCHECK, logging, files of variables.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_core::Millis;

use super::words::{Words, only};
use super::{RunError, Secret};
use crate::registry::Reference;

/// What the engine does when the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Nothing.
    No,
    /// Starts it again.
    Always,
    /// Starts it again unless a person stopped it.
    UnlessStopped,
    /// Starts it again after a failure, at most so many times.
    OnFailure(Option<u32>),
}

/// HEALTHCHECK of the container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthCheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", …]`; empty inherits the image's.
    pub test: Vec<String>,
    /// Between two checks.
    pub interval_ms: Option<Millis>,
    /// For one check.
    pub timeout_ms: Option<Millis>,
    /// Failures in a row that make it unhealthy.
    pub retries: Option<i64>,
    /// In which failures do not count.
    pub start_period_ms: Option<Millis>,
    /// Between two checks in the start period.
    pub start_interval_ms: Option<Millis>,
}

/// Where the container's output goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logging {
    /// None: the engine's own default.
    pub driver: Option<String>,
    /// Options of the driver; some drivers take tokens here.
    pub options: BTreeMap<String, Secret>,
}

/// A file of variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// As written; a relative path is seen from the folder of the configuration.
    pub path: String,
    /// Whether it has to be there.
    pub required: bool,
}

pub(super) fn parse_restart(words: Words<'_>) -> Result<Option<Restart>, RunError> {
    let Some(text) = words.text("restart")? else { return Ok(None) };
    let (policy, count) = match text.split_once(':') {
        Some((policy, count)) => (policy, Some(count)),
        None => (text.as_str(), None),
    };
    match (policy, count.map(str::parse)) {
        // A TOML `restart = false` is what YAML makes of an unquoted `no`.
        ("no" | "false", None) => Ok(Some(Restart::No)),
        ("always", None) => Ok(Some(Restart::Always)),
        ("unless-stopped", None) => Ok(Some(Restart::UnlessStopped)),
        ("on-failure", None) => Ok(Some(Restart::OnFailure(None))),
        ("on-failure", Some(Ok(count))) => Ok(Some(Restart::OnFailure(Some(count)))),
        _ => {
            let problem = format!(
                "`{text}` is not a restart policy; it is no, always, unless-stopped or \
                 on-failure[:COUNT]"
            );
            Err(RunError::at("restart", problem).or_rather(Some("unless-stopped")))
        }
    }
}

pub(super) fn parse_healthcheck(words: Words<'_>) -> Result<Option<HealthCheck>, RunError> {
    const KEYS: &[&str] =
        &["test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"];
    let Some(value) = words.get("healthcheck") else { return Ok(None) };
    let table = value.as_object().ok_or_else(|| RunError::at("healthcheck", "must be a table"))?;
    only(&["healthcheck"], table, KEYS)?;
    let inner = Words(table);
    let nested = |mut error: RunError| {
        error.path.insert(0, "healthcheck".to_owned());
        error
    };
    if inner.boolean("disable").map_err(nested)? == Some(true) {
        return Ok(Some(HealthCheck { test: vec!["NONE".to_owned()], ..HealthCheck::default() }));
    }
    Ok(Some(HealthCheck {
        test: health_test(inner).map_err(nested)?,
        interval_ms: inner.duration_ms("interval").map_err(nested)?,
        timeout_ms: inner.duration_ms("timeout").map_err(nested)?,
        retries: inner.integer("retries", 0, i64::MAX).map_err(nested)?,
        start_period_ms: inner.duration_ms("start_period").map_err(nested)?,
        start_interval_ms: inner.duration_ms("start_interval").map_err(nested)?,
    }))
}

fn health_test(words: Words<'_>) -> Result<Vec<String>, RunError> {
    match words.get("test") {
        None => Ok(Vec::new()),
        Some(Value::String(line)) => Ok(vec!["CMD-SHELL".to_owned(), line.clone()]),
        Some(_) => {
            let test = words.texts("test")?;
            match test.first().map(String::as_str) {
                Some("NONE" | "CMD" | "CMD-SHELL") => Ok(test),
                _ => Err(RunError::at(
                    "test",
                    "a list has to begin with \"CMD\", \"CMD-SHELL\" or \"NONE\"",
                )
                .or_rather(Some([vec!["CMD".to_owned()], test].concat()))),
            }
        }
    }
}

pub(super) fn parse_logging(words: Words<'_>) -> Result<Option<Logging>, RunError> {
    let Some(value) = words.get("logging") else { return Ok(None) };
    let table = value.as_object().ok_or_else(|| RunError::at("logging", "must be a table"))?;
    only(&["logging"], table, &["driver", "options"])?;
    let nested = |mut error: RunError| {
        error.path.insert(0, "logging".to_owned());
        error
    };
    let options = Words(table).labels("options").map_err(nested)?;
    let options = options.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
    Ok(Some(Logging { driver: Words(table).text("driver").map_err(nested)?, options }))
}

pub(super) fn parse_env_files(words: Words<'_>) -> Result<Vec<EnvFile>, RunError> {
    let Some(Value::Array(list)) = words.get("env_file") else {
        let required = |path| EnvFile { path, required: true };
        return Ok(words.texts("env_file")?.into_iter().map(required).collect());
    };
    let mut files = Vec::new();
    for (index, element) in list.iter().enumerate() {
        let wrong = || RunError::at_index("env_file", index, "must be a path");
        files.push(match element {
            Value::String(path) => EnvFile { path: path.clone(), required: true },
            Value::Object(table) => {
                only(&["env_file", &index.to_string()], table, &["path", "required", "format"])?;
                let path = table.get("path").and_then(Value::as_str).ok_or_else(wrong)?;
                let required = table.get("required").and_then(Value::as_bool).unwrap_or(true);
                EnvFile { path: path.to_owned(), required }
            }
            _ => return Err(wrong()),
        });
    }
    Ok(files)
}

/// The variables of an `env_file`: `NAME=VALUE` a line, `#` comments, quotation marks around a
/// whole value taken off. A bare NAME has no value. Err is the number of the line that is wrong.
pub fn parse_env_file(text: &str) -> Result<BTreeMap<String, Option<Secret>>, usize> {
    let mut variables = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(Secret::new(unquoted(value.trim())))),
            None => (line, None),
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(index + 1);
        }
        variables.insert(name.to_owned(), value);
    }
    Ok(variables)
}

fn unquoted(value: &str) -> String {
    for mark in ['"', '\''] {
        let inside = value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
        if let Some(inside) = inside {
            return inside.to_owned();
        }
    }
    // An unquoted value ends where a comment begins.
    value.find(" #").map_or(value, |at| value[..at].trim_end()).to_owned()
}

/// Whether a text is a reference to an image (`registry.example/acme/web:latest`).
pub fn check_image(text: &str) -> Result<(), String> {
    if is_plain_reference(text) {
        return Ok(());
    }
    // The very rules by which it is followed later, so that nothing passes here and is refused there.
    text.parse::<Reference>().map(drop).map_err(|error| error.to_string())
}

/// Whether it is a reference of the usual form, `[host[:port]/]path[:tag]`. The library's grammar
/// takes 20 ms to be made ready in each process, which commands that only read a configuration
/// need not wait for; whatever this does not know for sure is left to it.
fn is_plain_reference(text: &str) -> bool {
    let word = |it: &str| {
        it.split(['.', '-', '_']).all(|part| {
            !part.is_empty()
                && part.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
        })
    };
    let tag = |it: &str| {
        let known = |it: u8| it.is_ascii_alphanumeric() || b"_.-".contains(&it);
        it.len() <= 128
            && it.bytes().all(known)
            && it.starts_with(|it: char| it.is_ascii_alphanumeric())
    };
    let port =
        |it: &str| !it.is_empty() && it.len() <= 5 && it.bytes().all(|it| it.is_ascii_digit());
    let (path, last) =
        text.rsplit_once('/').map_or((None, text), |(path, last)| (Some(path), last));
    let is_last = match last.split_once(':') {
        Some((name, version)) => word(name) && tag(version),
        None => word(last),
    };
    let is_path = path.is_none_or(|path| {
        path.split('/').enumerate().all(|(at, part)| match part.split_once(':') {
            Some((host, number)) => at == 0 && word(host) && port(number),
            None => word(part),
        })
    });
    // The library allows 255 bytes for the whole name.
    text.len() <= 200 && is_last && is_path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn restart(text: &str) -> Result<Option<Restart>, RunError> {
        let table = json!({ "restart": text });
        parse_restart(Words(table.as_object().unwrap()))
    }

    #[test]
    fn what_is_plainly_a_reference_is_one_for_the_library_too() {
        let plain = [
            "nginx",
            "nginx:1.27-alpine",
            "acme/web",
            "registry.example/acme/web:latest",
            "127.0.0.1:5000/a/b_c/d-e:V1_2.3",
            "localhost:5000/web",
            "a.b/c",
        ];
        for text in plain {
            assert!(is_plain_reference(text), "{text}");
            assert!(text.parse::<oci_client::Reference>().is_ok(), "{text}");
        }
        let other =
            ["", "UPPER", "a//b", "/a", "a/", "a:b:c", "a:-b", "web@sha256:ab", "a b", "-a"];
        for text in other {
            assert!(!is_plain_reference(text), "{text}");
        }
    }

    #[test]
    fn restart_policies_are_composes() {
        assert_eq!(restart("no").unwrap(), Some(Restart::No));
        assert_eq!(restart("unless-stopped").unwrap(), Some(Restart::UnlessStopped));
        assert_eq!(restart("on-failure:3").unwrap(), Some(Restart::OnFailure(Some(3))));
        for text in ["sometimes", "always:3", "on-failure:many", ""] {
            assert_eq!(restart(text).unwrap_err().replacement, Some(json!("unless-stopped")));
        }
    }

    #[test]
    fn a_string_is_a_shell_check_and_a_list_says_what_it_is() {
        let check = |test: Value| {
            let table = json!({ "healthcheck": { "test": test, "interval": "1m30s" } });
            parse_healthcheck(Words(table.as_object().unwrap()))
        };
        assert_eq!(check(json!("true")).unwrap().unwrap().test, ["CMD-SHELL", "true"]);
        assert_eq!(check(json!(["CMD", "true"])).unwrap().unwrap().interval_ms, Some(90_000));
        let error = check(json!(["true"])).unwrap_err();
        assert_eq!(error.path, ["healthcheck", "test"]);
        assert_eq!(error.replacement, Some(json!(["CMD", "true"])));
    }

    #[test]
    fn a_file_of_variables_is_read_as_compose_reads_it() {
        let text = "# comment\nA=1\nexport B=\"two words\"\nC='x' \nD=x # y\n\nE\nF=a#b\n";
        let variables = parse_env_file(text).unwrap();
        let value = |name: &str| variables[name].as_ref().map(Secret::expose);
        assert_eq!(value("A"), Some("1"));
        assert_eq!(value("B"), Some("two words"));
        assert_eq!(value("C"), Some("x"));
        assert_eq!(value("D"), Some("x"));
        assert_eq!(value("E"), None);
        assert_eq!(value("F"), Some("a#b"));
        assert_eq!(parse_env_file("A=1\n=2\n"), Err(2));
    }

    #[test]
    fn image_references_are_checked_by_the_library_that_pulls_them() {
        assert_eq!(check_image("registry.example:5000/acme/web:1.2"), Ok(()));
        assert_eq!(check_image("nginx"), Ok(()));
        for text in ["", "Web App", "acme/web:", "registry.example/Acme/web", "web@sha256:12"] {
            assert!(check_image(text).is_err(), "{text}");
        }
    }
}

//! Devices and limits.

use serde_json::{Map, Value};

use super::words::{Words, only, scalar};
use super::{RunError, normal_path};

/// A device of the host inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Any of `r`, `w`, `m`.
    pub permissions: String,
}

/// A limit of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// `nofile`, `nproc` and so on.
    pub name: String,
    /// What it gets.
    pub soft: i64,
    /// What it may raise it to.
    pub hard: i64,
}

pub(super) fn parse_devices(words: Words<'_>) -> Result<Vec<Device>, RunError> {
    let Some(value) = words.get("devices") else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| RunError::at("devices", "must be a list"))?;
    let mut devices = Vec::new();
    for (index, element) in list.iter().enumerate() {
        let parts = match element {
            Value::Object(table) => {
                let keys = &["source", "target", "permissions"];
                only(&["devices", &index.to_string()], table, keys)?;
                let text = |key: &str| table.get(key).and_then(scalar);
                [text("source"), text("target"), text("permissions")]
            }
            element => {
                let text = scalar(element).unwrap_or_default();
                let mut parts = text.splitn(3, ':').map(str::to_owned);
                [parts.next(), parts.next(), parts.next()]
            }
        };
        let device = device(parts);
        devices.push(device.map_err(|problem| RunError::at_index("devices", index, problem))?);
    }
    Ok(devices)
}

/// `/dev/x`, `/dev/x:rw`, `/dev/x:/dev/y`, `/dev/x:/dev/y:rw`.
fn device([source, target, permissions]: [Option<String>; 3]) -> Result<Device, String> {
    let source = normal_path(&source.unwrap_or_default())?;
    let (target, permissions) = match (target, permissions) {
        (Some(word), None) if is_permissions(&word) => (None, Some(word)),
        other => other,
    };
    let target = target.map_or_else(|| Ok(source.clone()), |target| normal_path(&target))?;
    let permissions = permissions.unwrap_or_else(|| "rwm".to_owned());
    if !is_permissions(&permissions) {
        return Err(format!("`{permissions}` are not permissions; they are of r, w and m"));
    }
    Ok(Device { source, target, permissions })
}

fn is_permissions(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|letter| "rwm".contains(letter))
}

pub(super) fn parse_ulimits(words: Words<'_>) -> Result<Vec<Ulimit>, RunError> {
    let Some(value) = words.get("ulimits") else { return Ok(Vec::new()) };
    let table = value.as_object().ok_or_else(|| RunError::at("ulimits", "must be a table"))?;
    table.iter().map(|(name, value)| ulimit(name, value)).collect()
}

fn ulimit(name: &str, value: &Value) -> Result<Ulimit, RunError> {
    let wrong = || RunError {
        path: vec!["ulimits".to_owned(), name.to_owned()],
        problem: "must be a number, or soft and hard with soft not above hard".to_owned(),
        replacement: Some(Value::from(1024)),
    };
    let limit = |table: &Map<String, Value>, key: &str| {
        table.get(key).and_then(Value::as_i64).filter(|limit| *limit >= -1)
    };
    let (soft, hard) = match value {
        Value::Object(table) => {
            only(&["ulimits", name], table, &["soft", "hard"])?;
            (limit(table, "soft").ok_or_else(wrong)?, limit(table, "hard").ok_or_else(wrong)?)
        }
        value => {
            let both = value.as_i64().filter(|limit| *limit >= -1).ok_or_else(wrong)?;
            (both, both)
        }
    };
    // -1 is no limit, so it is above every number.
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(wrong());
    }
    Ok(Ulimit { name: name.to_owned(), soft, hard })
}

/// `cpus` in 10⁻⁹: `2`, `0.5`, `"1.5"`.
pub(super) fn parse_cpus(words: Words<'_>) -> Result<Option<i64>, RunError> {
    let Some(text) = words.text("cpus")? else { return Ok(None) };
    let wrong = || RunError::at("cpus", "must be a number of processors above 0, such as 1.5");
    let cpus: f64 = text.parse().map_err(|_| wrong())?;
    // Nobody has a million processors, and so the product fits.
    if !(cpus > 0.0 && cpus < 1e6) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
    Ok(Some((cpus * 1e9).round() as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn devices_say_where_and_how() {
        let table = json!({ "devices": ["/dev/fuse", "/dev/a:rw", "/dev/a:/dev/b:r",
            { "source": "/dev/a", "target": "/dev/c" }] });
        let devices = parse_devices(Words(table.as_object().unwrap())).unwrap();
        let lines: Vec<String> = devices
            .iter()
            .map(|device| format!("{}:{}:{}", device.source, device.target, device.permissions))
            .collect();
        assert_eq!(
            lines,
            ["/dev/fuse:/dev/fuse:rwm", "/dev/a:/dev/a:rw", "/dev/a:/dev/b:r", "/dev/a:/dev/c:rwm"]
        );
    }

    #[test]
    fn the_soft_limit_is_not_above_the_hard_one() {
        let limits = |value: Value| {
            let table = json!({ "ulimits": { "nofile": value } });
            parse_ulimits(Words(table.as_object().unwrap())).map(|limits| limits[0].clone())
        };
        let limit = |soft, hard| Ulimit { name: "nofile".into(), soft, hard };
        assert_eq!(limits(json!(1024)), Ok(limit(1024, 1024)));
        assert_eq!(limits(json!({ "soft": 1, "hard": -1 })), Ok(limit(1, -1)));
        assert!(limits(json!({ "soft": 2, "hard": 1 })).is_err());
        assert!(limits(json!({ "soft": -1, "hard": 1 })).is_err());
        assert!(limits(json!("many")).is_err());
    }

    #[test]
    fn processors_may_be_parts() {
        let cpus = |value: Value| {
            let table = json!({ "cpus": value });
            parse_cpus(Words(table.as_object().unwrap()))
        };
        assert_eq!(cpus(json!(1.5)), Ok(Some(1_500_000_000)));
        assert_eq!(cpus(json!("0.25")), Ok(Some(250_000_000)));
        for wrong in [json!(0), json!(-1), json!("NaN"), json!("all")] {
            assert!(cpus(wrong).is_err());
        }
    }
}

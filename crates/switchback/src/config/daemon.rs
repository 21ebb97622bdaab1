//! What concerns the daemon: address, tokens, schedule, notifications.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use switchback_core::Millis;
use switchback_targets::container::run::parse_duration_ms;
use switchback_targets::container::settings::CommandLine;

use super::deployment::{below, command_line, fault};
use super::document::{Data, Node};
use super::error::Fault;
use super::fix::Fix;
use super::validate::by_name;

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Serve {
    /// Address and port.
    pub(crate) listen: SocketAddr,
    /// File of lines NAME:TOKEN.
    pub(crate) token_file: Option<PathBuf>,
}

/// When the daemon looks and updates. Expressions have five fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// When to look for something newer.
    pub(crate) check: Option<String>,
    /// When to update what may be updated without a person.
    pub(crate) update: Option<String>,
    /// When updates may begin. Empty: always.
    pub(crate) windows: Vec<String>,
    /// Time zone of all these. None: the machine's.
    pub(crate) timezone: Option<String>,
    /// How old a release has to be.
    pub(crate) min_age_ms: Option<Millis>,
}

/// Who is told of outcomes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Notify {
    /// By what means.
    pub(crate) means: Means,
    /// Which outcomes. Empty: all.
    pub(crate) on: Vec<String>,
}

/// The means of a notification. Addresses hold tokens and are never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Means {
    /// A POST to this URL.
    Url(String),
    /// A command.
    Command(CommandLine),
    /// A mail server and recipient.
    Smtp(String),
}

impl std::fmt::Debug for Notify {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let means = match self.means {
            Means::Url(_) => "url",
            Means::Command(_) => "command",
            Means::Smtp(_) => "smtp",
        };
        formatter.debug_struct("Notify").field("means", &means).field("on", &self.on).finish()
    }
}

/// `update_notice` and `update_notice_interval`: once a week unless somebody says otherwise.
pub(crate) fn notice_interval_ms(root: &Node) -> Option<Millis> {
    if root.get("update_notice").is_some_and(|it| it.data == Data::Boolean(false)) {
        return None;
    }
    let interval = root.get("update_notice_interval").and_then(Node::text);
    let week_ms = 7 * 24 * 60 * 60 * 1_000;
    let interval_ms = interval.and_then(|it| parse_duration_ms(it).ok()).unwrap_or(week_ms);
    (interval_ms > 0).then_some(interval_ms)
}

/// `[serve]`.
pub(crate) fn serve(root: &Node) -> Result<Serve, Fault> {
    let default = SocketAddr::from(([127, 0, 0, 1], 7700));
    let token_file = root.find(&["serve", "token_file"]).and_then(Node::text).map(PathBuf::from);
    let Some(listen) = root.find(&["serve", "listen"]) else {
        return Ok(Serve { listen: default, token_file });
    };
    let text = listen.text().unwrap_or_default();
    let address = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.parse::<SocketAddr>(), |port| format!("127.0.0.1:{port}").parse());
    let address = address
        .map_err(|error| fault(listen, format!("`{text}`: {error}"), Fix::propose(&listen.path)))?;
    if !address.ip().is_loopback() && token_file.is_none() {
        let path = below(&["serve".to_owned()], &["token_file"]);
        let problem = format!("is missing: {address} is reachable from outside, and needs tokens");
        let fix = Fix::propose(&path);
        return Err(Fault { path, start: listen.start, problem, fix });
    }
    Ok(Serve { listen: address, token_file })
}

/// `[schedule]`.
pub(crate) fn schedule(root: &Node) -> Result<Option<Schedule>, Fault> {
    let Some(node) = root.get("schedule") else { return Ok(None) };
    let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    for key in ["check", "update"] {
        if let Some(entry) = node.get(key) {
            let fields = entry.text().unwrap_or_default().split_whitespace().count();
            if fields != 5 {
                let problem =
                    format!("has {fields} fields and not five: minute hour day month weekday");
                return Err(fault(entry, problem, Fix::propose(&entry.path)));
            }
        }
    }
    let windows = node.get("windows").map_or(&[][..], Node::elements);
    Ok(Some(Schedule {
        check: text("check"),
        update: text("update"),
        windows: windows.iter().filter_map(|window| window.text().map(str::to_owned)).collect(),
        timezone: text("timezone"),
        min_age_ms: text("min_age").and_then(|age| parse_duration_ms(&age).ok()),
    }))
}

/// `[notify.NAME]`.
pub(crate) fn notify(root: &Node) -> Result<BTreeMap<String, Notify>, Fault> {
    let mut all = BTreeMap::new();
    for (name, node) in by_name(root, "notify") {
        let given: Vec<&Node> =
            ["url", "command", "smtp"].iter().filter_map(|key| node.get(key)).collect();
        if let [_, second, ..] = given[..] {
            let problem = "one of url, command and smtp is enough".to_owned();
            return Err(fault(second, problem, Fix::unset(&second.path)));
        }
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let command = node.get("command").and_then(command_line).map(Means::Command);
        let means = text("url").map(Means::Url).or(command).or(text("smtp").map(Means::Smtp));
        let Some(means) = means else {
            let path = below(&node.path, &["url"]);
            let problem = "is missing: url, command or smtp says where to".to_owned();
            let fix = Fix::propose(&path);
            return Err(Fault { path, start: node.start, problem, fix });
        };
        let on = node.get("on").map_or(&[][..], Node::elements);
        let on = on.iter().filter_map(|word| word.text().map(str::to_owned)).collect();
        all.insert(name.to_owned(), Notify { means, on });
    }
    Ok(all)
}

//! Shows a configuration without its secrets.

use toml_edit::{DocumentMut, Item, Value};

use super::document::{self, NotToml};
use super::table::{Type, place};
use super::variables::is_reference;

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";

/// The text of the file, comments and all, with values of environments, tokens and passwords in
/// URLs masked. A lone `${VAR}` shows nothing and stays.
pub(crate) fn masked(text: &str) -> Result<String, NotToml> {
    let mut document: DocumentMut = text.parse()?;
    mask_item(&mut Vec::new(), document.as_item_mut());
    Ok(document.to_string())
}

/// The values of a file, for programs; `${VAR}` stays as it is written.
pub(crate) fn as_json(text: &str) -> Result<serde_json::Value, NotToml> {
    Ok(document::parse(text)?.to_json())
}

/// Masks one value that stands at a path.
pub(crate) fn mask_item(path: &mut Vec<String>, item: &mut Item) {
    if let Some(table) = item.as_table_like_mut() {
        for (key, below) in table.iter_mut() {
            path.push(key.get().to_owned());
            mask_item(path, below);
            path.pop();
        }
    } else if let Some(tables) = item.as_array_of_tables_mut() {
        for (index, table) in tables.iter_mut().enumerate() {
            path.push(index.to_string());
            for (key, below) in table.iter_mut() {
                path.push(key.get().to_owned());
                mask_item(path, below);
                path.pop();
            }
            path.pop();
        }
    } else if let Some(value) = item.as_value_mut() {
        mask_value(path, value);
    }
}

fn mask_value(path: &mut Vec<String>, value: &mut Value) {
    match value {
        Value::Array(list) => {
            for (index, element) in list.iter_mut().enumerate() {
                path.push(index.to_string());
                mask_value(path, element);
                path.pop();
            }
        }
        Value::InlineTable(table) => {
            for (key, below) in table.iter_mut() {
                path.push(key.get().to_owned());
                mask_value(path, below);
                path.pop();
            }
        }
        scalar => {
            // What the table does not know may be a secret under a wrong name, and what stands where
            // a table belongs one that should stand in it.
            let known = place(path);
            let secret = known.is_none_or(|place| place.secret || is_for_tables(place.takes));
            // A list where the table knows none is no list of `NAME=VALUE`.
            let listed =
                known.is_some() && path.last().is_some_and(|key| key.parse::<usize>().is_ok());
            let shown = match scalar.as_str() {
                Some(text) if is_reference(text) => return,
                Some(text) if secret && listed => pair(text),
                _ if secret => MASK.to_owned(),
                Some(text) => mask_url(text),
                None => return,
            };
            if scalar.as_str() != Some(shown.as_str()) {
                let decor = scalar.decor().clone();
                *scalar = shown.into();
                *scalar.decor_mut() = decor;
            }
        }
    }
}

/// Whether only tables belong there.
fn is_for_tables(takes: Type) -> bool {
    match takes {
        Type::Table(_) | Type::MapOf(_) => true,
        Type::OneOf(types) => types.iter().all(|it| is_for_tables(*it)),
        _ => false,
    }
}

/// `NAME=VALUE` without its value.
fn pair(text: &str) -> String {
    match text.split_once('=') {
        Some((_, value)) if is_reference(value) => text.to_owned(),
        Some((name, _)) => format!("{name}={MASK}"),
        None => text.to_owned(),
    }
}

/// A text in which the password of a URL and values of telling parameters are masked.
pub(crate) fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        None => authority.to_owned(),
        Some((user, host)) => match user.split_once(':') {
            Some((user, password)) if !is_reference(password) => format!("{user}:{MASK}@{host}"),
            // A lone word before the @ is a token for a web server, and a user anywhere else.
            None if scheme.starts_with("http") && !is_reference(user) => format!("{MASK}@{host}"),
            Some(_) | None => authority.to_owned(),
        },
    };
    let tail = match tail.split_once('?') {
        None => tail.to_owned(),
        Some((path, query)) => {
            let parameters: Vec<String> = query.split('&').map(mask_parameter).collect();
            format!("{path}?{}", parameters.join("&"))
        }
    };
    format!("{scheme}://{authority}{tail}")
}

fn mask_parameter(parameter: &str) -> String {
    const TELLING: &[&str] = &["token", "key", "secret", "password", "auth", "signature"];
    match parameter.split_once('=') {
        Some((name, value))
            if !is_reference(value)
                && TELLING.iter().any(|word| name.to_ascii_lowercase().contains(word)) =>
        {
            format!("{name}={MASK}")
        }
        _ => parameter.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown_and_everything_else_stays() {
        let text = r#"# my services
[deployment.web]
kind = "container"  # here
image = "registry.example/web"
[deployment.web.run]
environment = { KEY = "canary", PORT = 8443, FROM = "${KEY}" }
logging.options.token = "canary"
[deployment.web.health]
http = "http://ann:canary@127.0.0.1/?token=canary&x=1"
headers = { Authorization = "canary" }
[deployment.api.run]
environment = ["A=canary", "B=${KEY}", "C"]
[deployment.wrong.run]
environment = { KEY = ["canary"] }
[[deployment.api.health.probe]]
http = "https://canary@host/"
[template.t]
environment.X = "canary"
[notify.ops]
url = "https://hooks.example/canary"
"#;
        let shown = masked(text).unwrap();
        assert!(!shown.contains("canary") && !shown.contains("8443"), "{shown}");
        for kept in [
            "# my services",
            "# here",
            "FROM = \"${KEY}\"",
            "\"A=***\", \"B=${KEY}\", \"C\"",
            "http://ann:***@127.0.0.1/?token=***&x=1",
            "registry.example/web",
        ] {
            assert!(shown.contains(kept), "{kept} in {shown}");
        }
    }

    #[test]
    fn what_stands_where_a_table_belongs_is_not_shown() {
        for text in [
            "[notify]\nops = \"https://hooks.example/canary\"",
            "[deployment.web]\nrun = \"canary\"",
            "deployment = \"canary\"",
            "[deployment.web.run]\nlogging = \"canary\"",
        ] {
            let shown = masked(text).unwrap();
            assert!(!shown.contains("canary") && shown.contains("***"), "{shown}");
        }
    }

    #[test]
    fn a_user_of_ssh_is_no_token() {
        assert_eq!(mask_url("ssh://deploy@host"), "ssh://deploy@host");
        assert_eq!(mask_url("plain text"), "plain text");
    }
}

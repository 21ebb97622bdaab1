//! `${VAR}` and `${VAR:-default}`, taken from the environment.

/// Why a text with variables has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VariableError {
    /// Not in the environment, and no default is given.
    #[error("the environment variable {0} is not set; export it, or give it a default")]
    Unset(String),
    /// Something else between the braces.
    #[error("`${{{0}}}` is neither ${{VAR}} nor ${{VAR:-default}}; $${{ is a plain ${{")]
    Unreadable(String),
    /// A brace without its partner.
    #[error("`${{` is not closed; $${{ is a plain ${{")]
    Unclosed,
}

/// Fills variables in. `$${` stands for a plain `${`; any other `$` stands for itself. With the
/// default, as in a shell, an empty variable counts as one that is not set.
pub(crate) fn expand(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, VariableError> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            expanded.push_str(&rest[..at - 1]);
            expanded.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        expanded.push_str(&rest[..at]);
        let (inside, after) = rest[at + 2..].split_once('}').ok_or(VariableError::Unclosed)?;
        expanded.push_str(&value(inside, lookup)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The text that expands to this one.
pub(crate) fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// Whether a text is one variable without a default: it shows nothing that is secret.
pub(crate) fn is_reference(text: &str) -> bool {
    let inside = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inside.is_some_and(is_name)
}

fn value(inside: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, VariableError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        return Err(VariableError::Unreadable(inside.to_owned()));
    }
    match (lookup(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(VariableError::Unset(name.to_owned())),
    }
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, VariableError> {
        expand(text, &|name| match name {
            "HOST" => Some("web".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn variables_come_from_the_environment_or_their_default() {
        assert_eq!(expanded("http://${HOST}:80"), Ok("http://web:80".to_owned()));
        assert_eq!(expanded("${NONE:-x}${HOST:-x}${EMPTY:-y}${EMPTY}"), Ok("xweby".to_owned()));
        assert_eq!(expanded("${NONE:-}"), Ok(String::new()));
    }

    #[test]
    fn other_dollars_stand_for_themselves() {
        assert_eq!(expanded("$HOST costs 5$"), Ok("$HOST costs 5$".to_owned()));
        assert_eq!(expanded("$${HOST}"), Ok("${HOST}".to_owned()));
        assert_eq!(expanded(&escaped("${x y} ${")), Ok("${x y} ${".to_owned()));
    }

    #[test]
    fn what_has_no_value_is_said() {
        assert_eq!(expanded("${NONE}"), Err(VariableError::Unset("NONE".to_owned())));
        assert_eq!(expanded("${HOST:?x}"), Err(VariableError::Unreadable("HOST:?x".to_owned())));
        assert_eq!(expanded("${HOST"), Err(VariableError::Unclosed));
    }

    #[test]
    fn only_a_lone_variable_is_a_reference() {
        assert!(is_reference("${KEY}"));
        assert!(!is_reference("${KEY:-secret}") && !is_reference("x${KEY}"));
    }
}

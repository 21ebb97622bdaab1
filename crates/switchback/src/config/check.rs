//! Holds a file against the table: unknown keys, wrong types, variables without a value.

use super::document::{Data, Node};
use super::error::Fault;
use super::fix::Fix;
use super::table::{Row, Type};
use super::variables::{VariableError, escaped, expand};
use switchback_targets::container::run::{normal_path, parse_duration_ms, relative_to};

/// Checks a value against what may stand there, and fills variables in. The first mistake in the
/// order of the file is the error.
pub(crate) fn check(
    node: &mut Node,
    takes: Type,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Fault> {
    match (takes, &mut node.data) {
        (Type::OneOf(types), _) => match types.iter().find(|kind| has_shape(**kind, node)) {
            Some(kind) => check(node, *kind, lookup),
            None => Err(wrong_type(node, takes)),
        },
        (Type::Table(_), Data::Table(entries)) => {
            for at in 0..entries.len() {
                let (key, entry) = &mut entries[at];
                let Some(row) = takes.rows().find(|row| row.key == key) else {
                    return Err(unknown_key(at, entries, takes));
                };
                check(entry, row.takes, lookup)?;
            }
            Ok(())
        }
        (Type::MapOf(inner), Data::Table(entries)) => {
            entries.iter_mut().try_for_each(|(_, entry)| check(entry, *inner, lookup))
        }
        (Type::ListOf(inner), Data::List(list)) => {
            list.iter_mut().try_for_each(|element| check(element, *inner, lookup))
        }
        (Type::Any, Data::Table(entries)) => {
            entries.iter_mut().try_for_each(|(_, entry)| check(entry, Type::Any, lookup))
        }
        (Type::Any, Data::List(list)) => {
            list.iter_mut().try_for_each(|element| check(element, Type::Any, lookup))
        }
        (Type::Command, _) => command(node),
        _ => scalar(node, takes, lookup),
    }
}

/// A single value of a type that is no container of others.
fn scalar(
    node: &mut Node,
    takes: Type,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Fault> {
    if !has_shape(takes, node) {
        return Err(wrong_type(node, takes));
    }
    fill_in(node, lookup)?;
    check_text(node, takes)?;
    check_range(node, takes)
}

fn check_range(node: &Node, takes: Type) -> Result<(), Fault> {
    match (takes, &node.data) {
        (Type::Integer(least, most), Data::Integer(number)) if !(least..=most).contains(number) => {
            let problem = format!("{number} is out of range: it takes {}", takes.describe());
            Err(Fault { problem, ..wrong_type(node, takes) })
        }
        _ => Ok(()),
    }
}

/// Whether a value could be of a type, judged by its TOML type alone.
pub(crate) fn has_shape(takes: Type, node: &Node) -> bool {
    match (takes, &node.data) {
        (Type::Any, data) => !matches!(data, Data::Date(_)),
        (Type::OneOf(types), _) => types.iter().any(|kind| has_shape(*kind, node)),
        // Of two types that are written as strings the word is looked at first, and only if it
        // is one of its words.
        (Type::Word(words), Data::Text { value, .. }) => {
            words.len() > 1 || words.contains(&value.as_str())
        }
        (
            Type::Text | Type::Path | Type::Duration | Type::Command | Type::Scalar,
            Data::Text { .. },
        )
        | (Type::Boolean | Type::Scalar, Data::Boolean(_))
        | (Type::Integer(..) | Type::Number | Type::Scalar, Data::Integer(_))
        | (Type::Number | Type::Scalar, Data::Float(_))
        | (Type::ListOf(_) | Type::Command, Data::List(_))
        | (Type::MapOf(_) | Type::Table(_), Data::Table(_)) => true,
        _ => false,
    }
}

fn fill_in(node: &mut Node, lookup: &dyn Fn(&str) -> Option<String>) -> Result<(), Fault> {
    let Data::Text { raw, value } = &mut node.data else { return Ok(()) };
    match expand(raw, lookup) {
        Ok(expanded) => {
            *value = expanded;
            Ok(())
        }
        Err(error) => {
            let mended = match &error {
                VariableError::Unset(name) => {
                    raw.replace(&format!("${{{name}}}"), &format!("${{{name}:-}}"))
                }
                VariableError::Unreadable(_) | VariableError::Unclosed => escaped(raw),
            };
            // A text that may hold more than variables is not printed if it is secret.
            let secret = super::table::place(&node.path).is_none_or(|place| place.secret);
            let alone = raw.starts_with("${") && raw.find('}') == Some(raw.len() - 1);
            let fix = if secret && !alone {
                Fix::unset(&node.path)
            } else {
                Fix::set(&node.path, mended)
            };
            let problem = error.to_string();
            Err(Fault { path: node.path.clone(), start: node.start, problem, fix })
        }
    }
}

fn check_text(node: &Node, takes: Type) -> Result<(), Fault> {
    let (Data::Text { raw, value }, path) = (&node.data, &node.path) else { return Ok(()) };
    let fault = |problem, fix| Err(Fault { path: path.clone(), start: node.start, problem, fix });
    match takes {
        Type::Word(words) if !words.contains(&value.as_str()) => {
            let nearest = nearest(value, words.iter().copied());
            let fix = nearest.map_or_else(|| Fix::propose(path), |word| Fix::set(path, word));
            fault(format!("`{raw}` is not {}", takes.describe()), fix)
        }
        Type::Path => match normal_path(value) {
            Ok(_) => Ok(()),
            Err(problem) => {
                let better = relative_to(std::path::Path::new("/"), value);
                fault(problem, Fix::set(path, better))
            }
        },
        Type::Duration => match parse_duration_ms(value) {
            Ok(_) => Ok(()),
            Err(problem) => {
                let seconds = value.trim().parse::<u32>().map(|number| format!("{number}s"));
                fault(
                    problem,
                    seconds.map_or_else(|_| Fix::propose(path), |text| Fix::set(path, text)),
                )
            }
        },
        _ => Ok(()),
    }
}

/// A string or a list of strings, left as it is.
fn command(node: &Node) -> Result<(), Fault> {
    let words = match &node.data {
        Data::Text { raw, .. } => !raw.trim().is_empty(),
        Data::List(list) => !list.is_empty() && list.iter().all(|word| word.text().is_some()),
        _ => false,
    };
    if words { Ok(()) } else { Err(wrong_type(node, Type::Command)) }
}

fn wrong_type(node: &Node, takes: Type) -> Fault {
    let problem = format!("is {}; it takes {}", describe(&node.data), takes.describe());
    let guess = guess(node, takes).map(|value| Fix::set(&node.path, value));
    let fix = guess.unwrap_or_else(|| Fix::propose(&node.path));
    Fault { path: node.path.clone(), start: node.start, problem, fix }
}

fn describe(data: &Data) -> &'static str {
    match data {
        Data::Table(_) => "a table",
        Data::List(list) if list.is_empty() => "an empty list",
        Data::List(_) => "a list",
        Data::Text { raw, .. } if raw.is_empty() => "an empty string",
        Data::Text { .. } => "a string",
        Data::Integer(_) => "a whole number",
        Data::Float(_) => "a number",
        Data::Boolean(_) => "a truth value",
        Data::Date(_) => "a date",
    }
}

/// The same value in the type that is wanted, where that is plain.
fn guess(node: &Node, takes: Type) -> Option<toml_edit::Value> {
    match (takes, &node.data) {
        (Type::Integer(least, most), Data::Text { raw, .. }) => {
            let number: i64 = raw.trim().parse().ok()?;
            (least..=most).contains(&number).then(|| number.into())
        }
        (Type::Integer(least, _), Data::Integer(number)) if *number < least => Some(least.into()),
        (Type::Integer(_, most), Data::Integer(number)) if *number > most => Some(most.into()),
        (Type::Boolean, Data::Text { raw, .. }) => raw.trim().parse::<bool>().ok().map(Into::into),
        (Type::Duration, Data::Integer(number)) if *number >= 0 => {
            Some(format!("{number}s").into())
        }
        (Type::Text, Data::Integer(_) | Data::Float(_) | Data::Boolean(_)) => {
            Some(node.to_toml().to_string().trim().into())
        }
        (Type::ListOf(inner), _) if has_shape(*inner, node) => {
            Some(toml_edit::Array::from_iter([node.to_toml()]).into())
        }
        _ => None,
    }
}

/// The key at that place, which none may have.
fn unknown_key(at: usize, entries: &[(String, Node)], takes: Type) -> Fault {
    let (key, node) = &entries[at];
    let nearest = nearest(key, takes.rows().map(|row: &Row| row.key));
    let (problem, fix) = if let Some(known) = nearest {
        let both = entries.iter().any(|(other, _)| other == known);
        let fix = if both { Fix::unset(&node.path) } else { Fix::rename(&node.path, known) };
        (format!("unknown key `{key}`; the nearest known one is `{known}`"), fix)
    } else {
        let known: Vec<&str> = takes.rows().map(|row| row.key).collect();
        let problem = format!("unknown key `{key}`; known are {}", known.join(", "));
        (problem, Fix::unset(&node.path))
    };
    Fault {
        path: node.path.clone(),
        start: node.key_span.clone().map(|span| span.start),
        problem,
        fix,
    }
}

/// The nearest of some words, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Seven tenths lets a wrong, a missing or a swapped letter pass in words as short as `tcp`,
    // and keeps words apart that only share their beginning.
    const NEAR: f64 = 0.7;
    known
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

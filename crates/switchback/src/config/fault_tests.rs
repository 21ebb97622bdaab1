//! Every rule reports its field, and the command it prints clears it.

use super::change::change_text;
use super::fault_cases::{Case, faults, warnings};
use super::fix::Fix;
use super::locate::tests::SmallWorld;
use super::tests::location;
use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, &location(), &SmallWorld::default())
}

/// What the command line makes of a printed command: the words go the way of the shell and then
/// through the same functions as the command `config`.
fn edit_of(command: &str) -> Fix {
    let words = shell_words::split(command).unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "--").collect();
    match words[..] {
        ["switchback", "config", "set", key, value] => {
            let path = parse_path(key).unwrap();
            set_to(&path, value).unwrap_or_else(|error| panic!("{command}: {error}"))
        }
        ["switchback", "config", "unset", key] => Fix::unset(&parse_path(key).unwrap()),
        ["switchback", "config", "rename", key, name] => {
            Fix::rename(&parse_path(key).unwrap(), name)
        }
        _ => panic!("{command}"),
    }
}

#[test]
fn every_rule_names_its_field_and_its_problem() {
    for Case { text, field, says } in faults() {
        let error = parse(text).expect_err(text);
        assert_eq!(error.field, field, "{text}\n{error}");
        assert!(error.problem.contains(says), "{text}\n{error}");
        assert!(error.line.is_some() && error.column.is_some(), "{text}");
    }
}

#[test]
fn every_printed_command_clears_its_error() {
    for Case { text, .. } in faults() {
        let error = parse(text).expect_err(text);
        let edit = edit_of(&error.fix_command);
        let changed = change_text(text, &edit, &location(), &SmallWorld::default())
            .unwrap_or_else(|left| panic!("{text}\n{}\n{left}", error.fix_command));
        let again = changed.remaining.as_ref();
        assert!(
            again.is_none_or(
                |again| (&again.field, &again.problem) != (&error.field, &error.problem)
            ),
            "{text}\n{}\n{}",
            error.fix_command,
            changed.text
        );
    }
}

#[test]
fn a_file_with_mistakes_is_right_after_its_commands() {
    for Case { text, .. } in faults() {
        let mut text = text.to_owned();
        // Three is more than any of the files has.
        for _ in 0..3 {
            let Err(error) = parse(&text) else { break };
            let edit = edit_of(&error.fix_command);
            text = change_text(&text, &edit, &location(), &SmallWorld::default()).unwrap().text;
        }
        assert!(parse(&text).is_ok(), "{text}\n{:?}", parse(&text));
    }
}

#[test]
fn every_warning_is_ended_by_its_command() {
    for Case { text, field, says } in warnings() {
        let warnings = parse(text).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{text}");
        let warning = &warnings[0];
        assert_eq!(warning.field, field);
        assert!(warning.message.starts_with(says), "{}", warning.message);
        let edit = edit_of(&warning.fix_command);
        let changed = change_text(text, &edit, &location(), &SmallWorld::default()).unwrap();
        assert_eq!(changed.warnings, [], "{text}\n{}", changed.text);
    }
}

#[test]
fn an_exposed_service_with_accounts_or_on_purpose_is_no_warning() {
    for silence in ["accounts.users = [\"alice\"]", "allow_unauthenticated_network = true"] {
        let text = format!(
            "[deployment.web]\nkind = \"container\"\n{silence}\nrun.ports = [\"0.0.0.0:3000:80\"]"
        );
        assert_eq!(parse(&text).unwrap().warnings, []);
    }
}

#[test]
fn addresses_that_people_write_are_taken() {
    for address in ["127.0.0.1", "[::1]", "localhost", "192.0.2.1"] {
        let text =
            format!("[deployment.web]\nkind = \"container\"\nrun.ports = [\"{address}:3000:80\"]");
        assert!(parse(&text).is_ok(), "{address}");
    }
}

#[test]
fn of_two_mistakes_one_is_reported_and_the_same_each_time() {
    let text = "[deployment.b]\nkind = \"container\"\ncontainer = \"a b\"\n\
                [deployment.a]\nkind = \"container\"\ncontainer = \"a b\"\n";
    for _ in 0..5 {
        assert_eq!(parse(text).unwrap_err().field, "deployment.a.container");
    }
}

#[test]
fn a_right_file_cannot_be_made_wrong() {
    let text = "[deployment.web]\nkind = \"container\"\n";
    let path = parse_path("deployment.web.run.ports").unwrap();
    let edit = set_to(&path, "[\"127.0.0.1:70000:80\"]").unwrap();
    let error = change_text(text, &edit, &location(), &SmallWorld::default()).unwrap_err();
    assert!(matches!(error, ChangeError::WouldBeInvalid(_)), "{error}");
}

#[test]
fn a_wrong_file_can_be_mended_step_by_step_but_not_by_a_wrong_value() {
    let text = "[deployment.web]\nkind = \"container\"\nimage = \"A B\"\ncontainer = \"a b\"\n";
    let change = |key: &str, value: &str| {
        let edit = set_to(&parse_path(key).unwrap(), value).unwrap();
        change_text(text, &edit, &location(), &SmallWorld::default())
    };
    let mended = change("deployment.web.image", "web").unwrap();
    assert_eq!(mended.remaining.unwrap().field, "deployment.web.container");
    assert!(change("deployment.web.image", "C D").is_err());
}

#[test]
fn commands_name_the_file_that_was_named() {
    let location = Location { path: "/x y.toml".into(), flag: Some("/x y.toml".into()) };
    let text = "[deployment.web]\nkind = \"container\"\nimage = \"A B\"";
    let error = Config::parse(text, &location, &SmallWorld::default()).unwrap_err();
    assert!(error.fix_command.starts_with("switchback --config '/x y.toml' config set "));
}

#[test]
fn no_report_shows_a_secret() {
    let texts = [
        "[deployment.web]\nkind = \"container\"\nrun.environment = [\"A=canary\", \"=canary\"]",
        "[deployment.web]\nkind = \"container\"\nrun.environment = { A = [\"canary\"] }",
        "[deployment.web]\nkind = \"container\"\nrun.environment = { A = \"canary${NOT_SET}\" }",
        "[notify.ops]\nurl = \"https://canary${X\"",
        "[deployment.web]\nkind = \"container\"\nhealth.headers = { Authorization = [\"canary\"] }",
    ];
    for text in texts {
        let error = parse(text).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

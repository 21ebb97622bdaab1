//! Each command that a report about a configuration prints is run as printed, by a shell, and ends
//! what it was printed for.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// The cases of the rules: a line `#: FIELD | PIECE`, and the file.
fn cases(all: &'static str) -> Vec<&'static str> {
    let texts = all.split("#: ").filter(|it| !it.is_empty());
    texts.map(|it| it.split_once('\n').expect("a case has a file").1).collect()
}

/// A folder with the file in it and the program on its path.
struct Place(tempfile::TempDir);

impl Place {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs_err::write(folder.path().join("switchback.toml"), text).expect("the file");
        let program = folder.path().join("switchback");
        fs_err::os::unix::fs::symlink(env!("CARGO_BIN_EXE_switchback"), program).expect("a link");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a line in a shell that knows nothing but the program.
    fn shell(&self, line: &str) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.path().display());
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.path()).env_clear().env("PATH", path);
        command.env("HOME", self.path()).output().expect("a shell")
    }

    fn validate(&self) -> Value {
        let output = self.shell("switchback -o json config validate");
        serde_json::from_slice(&output.stdout).expect("one document")
    }
}

fn command(found: &Value) -> &str {
    found["fix_command"].as_str().expect("each report has a command")
}

#[test]
fn every_printed_command_runs_in_a_shell_and_clears_its_error() {
    for text in cases(include_str!("../src/config/faults.txt")) {
        let place = Place::with(text);
        // Each command clears one report; three is more than any of the files has.
        let mut found = place.validate();
        for _ in 0..3 {
            let error = found["error"].clone();
            if error.is_null() {
                break;
            }
            assert_eq!(error["code"], "config_invalid", "{text}\n{error}");
            let run = place.shell(command(&error));
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            assert!(run.status.success(), "{text}\n{}\n{said}", command(&error));
            found = place.validate();
            assert_ne!(
                (&found["error"]["field"], &found["error"]["problem"]),
                (&error["field"], &error["problem"]),
                "{text}\n{}",
                command(&error)
            );
        }
        assert_eq!(found["valid"], true, "{text}\n{found}");
    }
}

#[test]
fn every_printed_command_runs_in_a_shell_and_ends_its_warning() {
    for text in cases(include_str!("../src/config/warnings.txt")) {
        let place = Place::with(text);
        let found = place.validate();
        let warning = &found["warnings"][0];
        let run = place.shell(command(warning));
        assert!(run.status.success(), "{text}\n{}", command(warning));
        assert_eq!(place.validate()["warnings"], serde_json::json!([]), "{text}");
    }
}

#[test]
fn a_report_looks_as_people_were_promised() {
    let place = Place::with("[deployment.web]\nkind = \"container\"\nrun.ports = [\"70000:80\"]\n");
    let output = place.shell("switchback config validate");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    let said = String::from_utf8(output.stderr).expect("text");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..4],
        ["", "Error: Configuration error", "", "  Field:   deployment.web.run.ports"]
    );
    assert!(lines[4].starts_with("  Problem: "), "{said}");
    assert_eq!(lines[5..7], ["", "To fix, run:"]);
    assert!(lines[7].starts_with("  switchback config set deployment.web.run.ports "), "{said}");
}

#[test]
fn a_value_that_would_be_wrong_is_refused_and_the_file_stays() {
    let text = "# mine\n[deployment.web]\nkind = \"container\"  # here\n";
    let place = Place::with(text);
    let output = place.shell("switchback config set deployment.web.run.ports '[\"70000:80\"]'");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("Field:   deployment.web.run.ports"), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    let now = fs_err::read_to_string(place.path().join("switchback.toml")).expect("the file");
    assert_eq!(now, text);
}

#[test]
fn comments_and_order_survive_a_change_and_secrets_are_not_shown() {
    let text = "# mine\n[deployment.web]\nimage = \"web\"  # old\nkind = \"container\"\n\
                run.environment = { KEY = \"canary\" }\n";
    let place = Place::with(text);
    assert!(place.shell("switchback config set deployment.web.image web:2").status.success());
    let now = fs_err::read_to_string(place.path().join("switchback.toml")).expect("the file");
    assert_eq!(now, text.replace("\"web\"", "\"web:2\""));
    for line in [
        "switchback config show",
        "switchback -o json config show",
        "switchback config get deployment.web",
    ] {
        let output = place.shell(line);
        assert!(output.status.success(), "{line}");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains("web:2") && !shown.contains("canary"), "{line}\n{shown}");
    }
    let got = place.shell("switchback config get deployment.web.image");
    assert_eq!(String::from_utf8_lossy(&got.stdout), "web:2\n");
    let missing = place.shell("switchback config get deployment.web.imgae");
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn completions_the_manual_and_the_schema_go_to_standard_output() {
    let place = Place::with("");
    for (line, piece) in [
        ("switchback completions bash", "_switchback"),
        ("switchback completions zsh", "#compdef switchback"),
        ("switchback completions fish", "complete -c switchback"),
        ("switchback man", ".TH switchback"),
        ("switchback config schema", "json-schema.org"),
    ] {
        let output = place.shell(line);
        assert!(output.status.success() && output.stderr.is_empty(), "{line}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(piece), "{line}");
    }
}

//! Whole files and what is made of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use switchback_targets::container::run::create_body;
use switchback_targets::container::settings::{
    CommandLine, DataPolicy, HealthSettings, ProbeSettings, Retain,
};

use super::locate::tests::SmallWorld;
use super::*;

pub(super) fn location() -> Location {
    Location { path: PathBuf::from("/etc/switchback/switchback.toml"), flag: None }
}

fn config(text: &str) -> Config {
    let world = SmallWorld {
        variables: BTreeMap::from([("OPENCODE_API_KEY", "canary")]),
        files: BTreeMap::from([("/etc/switchback/web.env", "A=1\nB=2\n")]),
        world_writable: false,
    };
    Config::parse(text, &location(), &world).unwrap()
}

#[test]
fn the_example_that_is_shipped_is_right_and_means_what_it_says() {
    let config = config(init_text::EXAMPLE);
    let opencode = &config.deployments["opencode"];
    let container = opencode.container.as_ref().unwrap();
    assert_eq!(container.image.as_deref(), Some("registry.example/acme/opencode:latest"));
    assert_eq!(container.accounts, ["alice", "bob"]);
    assert_eq!(container.data.policy, DataPolicy::Snapshot);
    assert_eq!(container.retain, Retain { releases: 5, snapshots: 2 });
    assert_eq!(container.health.healthy_deadline_ms, Some(60_000));
    assert_eq!(
        container.health.probes,
        [ProbeSettings::Http {
            url: "http://127.0.0.1:3000/global/health".to_owned(),
            headers: BTreeMap::new(),
            status: Vec::new(),
            json: BTreeMap::from([("/healthy".to_owned(), true.into())]),
            version: Some("/version".to_owned()),
        }]
    );
    let body = create_body(container.run.as_ref().unwrap(), "web");
    assert!(body.env.unwrap().contains(&"API_KEY=canary".to_owned()));
    assert_eq!(config.deployments["my-dev-stack"].kind, Kind::Instance);
    assert_eq!(config.deployments["my-dev-stack"].host.as_deref(), Some("ubuntu@{address}"));
    let fleet = &config.fleets["tenants"];
    assert_eq!(
        (fleet.kind, fleet.hosts.as_slice()),
        (Kind::Git, &["rachel@vps1.example".to_owned(), "vps2".to_owned()][..])
    );
    assert_eq!(config.serve.token_file.as_deref(), Some(Path::new("/etc/switchback/token")));
    assert_eq!(config.schedule.as_ref().unwrap().min_age_ms, Some(86_400_000));
    assert_eq!(config.notify["ops"].on.len(), 4);
    assert_eq!(config.warnings, []);
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn what_is_not_said_has_its_default() {
    let config = config("[deployment.web]\nkind = \"container\"\n");
    let web = &config.deployments["web"];
    assert_eq!((web.updates, web.image_given), (Updates::Manual, false));
    let container = web.container.as_ref().unwrap();
    assert_eq!((container.container.as_str(), container.image.as_ref()), ("web", None));
    assert_eq!((container.run.as_ref(), container.auto_rollback), (None, true));
    assert_eq!(container.retain, Retain { releases: 5, snapshots: 2 });
    let defaults = HealthSettings {
        probes: Vec::new(),
        interval_ms: 500,
        timeout_ms: 5_000,
        healthy_streak: 3,
        min_healthy_time_ms: 10_000,
        healthy_deadline_ms: None,
    };
    assert_eq!(container.health, defaults);
}

#[test]
fn the_defaults_of_the_table_are_those_that_hold() {
    let said = |key: &str| match edit::get("", &parse_path(key).unwrap()).unwrap() {
        Got::Default(text) => text,
        Got::Set(text) => panic!("{text}"),
    };
    let every = format!(
        "[deployment.web]\nkind = \"container\"\nupdates = {}\nauto_rollback = {}\n\
         data.policy = {}\nretain = {{ releases = {}, snapshots = {} }}\n\
         health = {{ interval = {}, timeout = {}, healthy_streak = {}, min_healthy_time = {} }}\n",
        said("deployment.web.updates"),
        said("deployment.web.auto_rollback"),
        said("deployment.web.data.policy"),
        said("deployment.web.retain.releases"),
        said("deployment.web.retain.snapshots"),
        said("deployment.web.health.interval"),
        said("deployment.web.health.timeout"),
        said("deployment.web.health.healthy_streak"),
        said("deployment.web.health.min_healthy_time"),
    );
    assert_eq!(
        config(&every).deployments,
        config("[deployment.web]\nkind = \"container\"\n").deployments
    );
}

#[test]
fn a_template_fills_in_what_a_deployment_leaves_out() {
    let config = config(
        "[template.base]\nkind = \"container\"\nupdates = \"auto\"\n\
         run = { restart = \"always\", labels = { a = \"1\" } }\n\
         [deployment.web]\ntemplate = \"base\"\nupdates = \"off\"\nrun.labels.b = \"2\"\n",
    );
    let web = &config.deployments["web"];
    assert_eq!(web.updates, Updates::Off);
    let run = web.container.as_ref().unwrap().run.as_ref().unwrap();
    assert_eq!(run.labels.len(), 2);
    assert!(run.restart.is_some());
}

#[test]
fn commands_keep_their_dollars_and_everything_else_is_filled_in() {
    let config = config(
        "[deployment.web]\nkind = \"container\"\ncontainer = \"web-${STAGE:-test}\"\n\
         data = { policy = \"command\", backup = \"dump > ${TARGET}\", restore = [\"load\", \"${X}\"] }\n\
         health.exec = \"test -n ${READY}\"\n",
    );
    let container = config.deployments["web"].container.as_ref().unwrap();
    assert_eq!(container.container, "web-test");
    assert_eq!(container.data.backup, Some(CommandLine::Shell("dump > ${TARGET}".to_owned())));
    assert_eq!(
        container.health.probes,
        [ProbeSettings::Exec { command: CommandLine::Shell("test -n ${READY}".to_owned()) }]
    );
}

#[test]
fn variables_of_files_and_of_the_environment_reach_the_container() {
    let config = config(
        "[deployment.web]\nkind = \"container\"\n\
         run = { env_file = \"web.env\", environment = [\"B=3\", \"OPENCODE_API_KEY\"] }\n",
    );
    let container = config.deployments["web"].container.as_ref().unwrap();
    let body = create_body(container.run.as_ref().unwrap(), "web");
    assert_eq!(body.env.unwrap(), ["A=1", "B=3", "OPENCODE_API_KEY=canary"]);
}

#[test]
fn what_is_not_toml_is_shown_with_its_place() {
    let text = "[deployment.web]\nimage = \n";
    let error = Config::parse(text, &location(), &SmallWorld::default()).unwrap_err();
    assert_eq!((error.line, error.field.contains("switchback.toml:2:")), (Some(2), true));
    assert_eq!(error.fix_command, "${EDITOR:-vi} +2 /etc/switchback/switchback.toml");
    assert!(error.problem.starts_with("not TOML: "), "{}", error.problem);
}

proptest::proptest! {
    #[test]
    fn rubbish_never_panics(text in "(?s).{0,200}") {
        let _parsed = Config::parse(&text, &location(), &SmallWorld::default());
    }

    #[test]
    fn the_example_with_a_hole_in_it_never_panics(at in 0..6_000_usize, length in 0..40_usize) {
        let kept: String = init_text::EXAMPLE.chars().enumerate()
            .filter(|(index, _)| !(at..at + length).contains(index))
            .map(|(_, letter)| letter)
            .collect();
        if let Err(error) = Config::parse(&kept, &location(), &SmallWorld::default()) {
            proptest::prop_assert!(!error.fix_command.is_empty());
        }
    }

    #[test]
    fn any_value_at_any_key_never_panics(
        row in proptest::sample::select(keys_run::RUN),
        value in "(1|-1|\"\"|\"x\"|\"/\"|true|1\\.5|\\[\\]|\\[1\\]|\\[\\[1\\]\\]|\\{\\}|\\{ a = 1 \\}|1979-05-27|\"[$]\\{X\\}\")",
    ) {
        let text = format!("[deployment.web]\nkind = \"container\"\nrun.{} = {value}\n", row.key);
        if let Err(error) = Config::parse(&text, &location(), &SmallWorld::default()) {
            proptest::prop_assert!(error.field.contains(row.key), "{error}");
        }
    }
}

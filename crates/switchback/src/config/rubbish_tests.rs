//! Files that are anything: each is a configuration or is refused, and nothing panics.

use switchback_testkit::rubbish::{corpus, feed};

use super::locate::tests::SmallWorld;
use super::tests::location;
use super::*;

fn world() -> SmallWorld {
    SmallWorld {
        variables: BTreeMap::from([("TOKEN", "canary"), ("A", "${A}")]),
        files: BTreeMap::new(),
        world_writable: false,
    }
}

#[test]
fn the_corpus_has_a_configuration_that_is_right() {
    let text = corpus("config").pop().map(|it| String::from_utf8(it).unwrap()).unwrap();
    let found = Config::parse(&text, &location(), &world()).unwrap();
    assert_eq!(found.deployments.len(), 1);
}

#[test]
fn whatever_lies_in_a_file_is_a_configuration_or_refused_with_a_command() {
    feed("config", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        match Config::parse(&text, &location(), &world()) {
            Ok(_) => {}
            Err(error) => {
                assert!(!error.fix_command.is_empty(), "{error}");
                assert!(!error.field.is_empty() && !error.problem.is_empty(), "{error}");
            }
        }
        if let Ok(shown) = mask::masked(&text) {
            assert!(shown.parse::<toml_edit::DocumentMut>().is_ok(), "{shown}");
        }
        drop(mask::as_json(&text));
    });
}

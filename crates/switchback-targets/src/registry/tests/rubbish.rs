//! Registries that answer anything: each answer is understood or refused, and nothing panics.

use std::time::Instant;

use switchback_testkit::rubbish::{corpus, feed};

use super::super::{access, resolve};
use super::*;

#[test]
fn the_corpus_has_what_is_understood() {
    let read = |it: &Vec<u8>| resolve::read_manifest(it, None).is_ok();
    assert_eq!(corpus("manifest").iter().filter(|it| read(it)).count(), 2);
    let says =
        |it: &Vec<u8>| std::str::from_utf8(it).map_or(0, |it| access::parse_challenges(it).len());
    assert!(corpus("challenge").iter().map(says).sum::<usize>() >= 3);
}

#[test]
fn whatever_a_registry_serves_is_a_manifest_or_refused() {
    let reference: Reference = "registry.example/acme/web:latest".parse().expect("a reference");
    feed("manifest", |bytes| {
        let read = resolve::read_manifest(bytes, Some(MANIFEST));
        if let Ok((_, resolve::Document::Index(index))) = read {
            for architecture in ["amd64", "arm64", "riscv64"] {
                drop(resolve::choose(&reference, &index.manifests, &linux(architecture)));
            }
        }
        if let Ok(config) = serde_json::from_slice::<Value>(bytes) {
            let _platform = resolve::platform_of(&config);
            let _label = resolve::label(&reference, &config);
        }
    });
}

#[test]
fn whatever_a_registry_asks_for_is_a_challenge_or_nothing() {
    feed("challenge", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _challenges = access::parse_challenges(&text);
        let _token = access::token_from(bytes, Instant::now());
    });
}

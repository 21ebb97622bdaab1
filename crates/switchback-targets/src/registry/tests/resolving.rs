//! What a reference means for one machine.

use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::registry::RegistryError;

/// `latest` with one image behind it, or two behind an index.
struct Published {
    server: MockServer,
    config: Content,
    manifest: Content,
    index: Option<Content>,
}

async fn published(manifest_kind: &'static str, index_kind: Option<&'static str>) -> Published {
    let server = MockServer::start().await;
    let config = config("amd64");
    let manifest = manifest(manifest_kind, &config);
    config.serve(&server, &format!("blobs/{}", config.digest)).await;
    manifest.serve(&server, &format!("manifests/{}", manifest.digest)).await;
    let other = super::manifest(manifest_kind, &super::config("arm64"));
    let index = index_kind.map(|kind| index(kind, &[("arm64", &other), ("amd64", &manifest)]));
    let top = index.as_ref().unwrap_or(&manifest);
    top.serve(&server, "manifests/latest").await;
    Published { server, config, manifest, index }
}

#[tokio::test]
async fn each_of_the_four_kinds_of_manifest_is_understood() {
    for (manifest, index) in [
        (MANIFEST, None),
        (DOCKER_MANIFEST, None),
        (MANIFEST, Some(INDEX)),
        (DOCKER_MANIFEST, Some(DOCKER_LIST)),
    ] {
        let there = published(manifest, index).await;

        let resolved =
            anonymous().resolve(&web(&there.server), &linux("x86_64")).await.expect("an image");

        assert_eq!(resolved.manifest_digest, there.manifest.digest);
        assert_eq!(resolved.config_digest, there.config.digest);
        assert_eq!(resolved.index_digest, there.index.map(|index| index.digest));
        assert_eq!(resolved.media_type, index.unwrap_or(manifest));
        assert_eq!((resolved.layer_count, resolved.compressed_size_bytes), (2, 1234));
        assert_eq!(resolved.label.as_deref(), Some("1.4.2"));
        assert_eq!(resolved.config["config"]["Cmd"], json!(["/web"]));
        assert_eq!(resolved.platform(), linux("amd64"));
        let expected_requests = if index.is_some() { 3 } else { 2 };
        assert_eq!(asked(&there.server).await.len(), expected_requests);
    }
}

#[tokio::test]
async fn a_platform_that_an_index_lacks_is_told_with_those_that_it_has() {
    let there = published(MANIFEST, Some(INDEX)).await;

    let error =
        anonymous().resolve(&web(&there.server), &linux("riscv64")).await.expect_err("none");

    let available = vec![linux("arm64"), linux("amd64")];
    assert!(
        matches!(&error, RegistryError::PlatformMissing { available: there, .. } if *there == available),
        "{error:?}"
    );
    assert_eq!((error.code(), error.reason()), ("ref_not_found", "platform_missing"));
}

#[tokio::test]
async fn a_single_image_for_another_machine_is_refused_before_it_would_run_emulated() {
    let there = published(MANIFEST, None).await;

    let error = anonymous().resolve(&web(&there.server), &linux("arm64")).await.expect_err("amd64");

    assert!(
        error.to_string().ends_with("is not made for linux/arm64, only for linux/amd64"),
        "{error}"
    );
}

#[tokio::test]
async fn other_bytes_than_their_digest_says_are_refused() {
    let there = published(MANIFEST, None).await;
    let lie = config("arm64");
    Mock::given(path(format!("/v2/acme/web/blobs/{}", there.config.digest)))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(lie.bytes.clone()))
        .with_priority(1)
        .mount(&there.server)
        .await;
    let error = anonymous().resolve(&web(&there.server), &linux("amd64")).await.expect_err("a lie");
    let told = format!("other bytes than {}", there.config.digest);
    assert!(error.to_string().ends_with(&told), "{error}");

    let held = web(&there.server).with_digest(&there.manifest.digest);
    Mock::given(path(format!("/v2/acme/web/manifests/{}", there.manifest.digest)))
        .respond_with(manifest(MANIFEST, &lie).answer())
        .with_priority(1)
        .mount(&there.server)
        .await;
    let error = anonymous().resolve(&held, &linux("amd64")).await.expect_err("a lie");
    assert_eq!(error.reason(), "bad_answer");
    let error = anonymous().head(&held).await.expect_err("a lie");
    assert_eq!(error.reason(), "bad_answer");
}

#[tokio::test]
async fn a_store_on_another_host_gets_the_request_and_not_the_password() {
    let there = published(MANIFEST, None).await;
    let store = MockServer::start().await;
    Mock::given(path("/bucket/config")).respond_with(there.config.answer()).mount(&store).await;
    let elsewhere = ResponseTemplate::new(307)
        .insert_header("location", format!("http://{}/bucket/config", store.address()).as_str());
    Mock::given(path(format!("/v2/acme/web/blobs/{}", there.config.digest)))
        .respond_with(elsewhere)
        .with_priority(1)
        .mount(&there.server)
        .await;
    // The first question is refused, so that everything after it carries a token.
    let realm = format!("http://{}/token", there.server.address());
    let challenge = format!(r#"Bearer realm="{realm}",service="reg""#);
    Mock::given(method("GET"))
        .and(path("/v2/acme/web/manifests/latest"))
        .respond_with(
            ResponseTemplate::new(401).insert_header("www-authenticate", challenge.as_str()),
        )
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&there.server)
        .await;
    let token = ResponseTemplate::new(200).set_body_json(json!({"token": "canary"}));
    Mock::given(path("/token")).respond_with(token).mount(&there.server).await;

    anonymous().resolve(&web(&there.server), &linux("amd64")).await.expect("an image");

    let at_registry = requests(&there.server).await;
    let blob = at_registry.iter().find(|request| request.url.path().contains("/blobs/"));
    assert_eq!(header(blob.expect("asked"), "authorization"), Some("Bearer canary"));
    let at_store = requests(&store).await;
    assert_eq!(at_store.len(), 1);
    assert_eq!(header(&at_store[0], "authorization"), None);
}

#[tokio::test]
async fn what_is_no_container_image_is_told_by_its_type() {
    let there = published(MANIFEST, None).await;
    let chart = Content::new("application/vnd.cncf.helm.config.v1+json", &json!({"name": "chart"}));
    let package = manifest(MANIFEST, &chart);
    chart.serve(&there.server, &format!("blobs/{}", chart.digest)).await;
    package.serve(&there.server, "manifests/chart").await;

    let error = anonymous()
        .resolve(&named(&there.server, "acme/web:chart"), &linux("amd64"))
        .await
        .expect_err("a chart");

    assert!(error.to_string().contains("no container image (application/vnd.cncf.helm"), "{error}");
}

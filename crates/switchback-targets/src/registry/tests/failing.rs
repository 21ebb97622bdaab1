//! Registries that fail: each in its own words, within a time, and never as "up to date".

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::registry::RegistryError;

/// Longer than any test runs.
const ENDLESS: Duration = Duration::from_secs(600);

/// Only tells a hang from a busy machine; what was waited for is in the error.
const HANG: Duration = Duration::from_secs(60);

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn a_tag_that_is_not_there_is_not_found() {
    let server = answering(ResponseTemplate::new(404)).await;
    let error = anonymous().head(&web(&server)).await.expect_err("404");
    assert_eq!(error.code(), "ref_not_found");
    assert!(!error.is_retryable());
    let reference = web(&server);
    assert_eq!(
        error.hint(),
        Some(format!("docker manifest inspect {reference}   # see what exists"))
    );
}

#[tokio::test]
async fn a_limit_is_told_with_its_end_and_is_no_reason_to_pull() {
    let server = answering(ResponseTemplate::new(429).insert_header("retry-after", "120")).await;
    let error = anonymous().head(&web(&server)).await.expect_err("429");
    assert!(
        matches!(error, RegistryError::RateLimited { retry_after: Some(wait), .. } if wait.as_secs() == 120)
    );
    assert_eq!((error.reason(), error.is_retryable()), ("rate_limited", true));
    assert_eq!(asked(&server).await.len(), 1, "a limit is not answered with more requests");
}

#[tokio::test]
async fn an_error_of_the_server_is_told_with_its_status() {
    let server = answering(ResponseTemplate::new(500)).await;
    let error = anonymous().head(&web(&server)).await.expect_err("500");
    assert!(error.to_string().ends_with("with HTTP 500 Internal Server Error"), "{error}");
    assert_eq!(error.reason(), "bad_answer");
}

#[tokio::test]
async fn a_registry_that_hangs_costs_its_deadline_and_no_more() {
    let server = answering(ResponseTemplate::new(200).set_delay(ENDLESS)).await;
    let start = Instant::now();
    let error = impatient(200, 5000).head(&web(&server)).await.expect_err("no answer");
    assert!(start.elapsed() < HANG, "{:?}", start.elapsed());
    assert!(matches!(error, RegistryError::Timeout { .. }), "{error}");
    assert!(error.to_string().ends_with("gave no answer within 0.2 s"), "{error}");
}

#[tokio::test]
async fn a_hundred_questions_to_a_registry_that_hangs_end_together() {
    let server = answering(ResponseTemplate::new(200).set_delay(ENDLESS)).await;
    let client = impatient(200, 600);
    let references: Vec<Reference> =
        (0..100).map(|number| named(&server, &format!("acme/web-{number}"))).collect();
    let start = Instant::now();
    let heads = join_all(references.iter().map(|reference| client.head(reference))).await;
    assert!(start.elapsed() < HANG, "{:?}", start.elapsed());
    assert!(heads.iter().all(|head| matches!(head, Err(RegistryError::Timeout { .. }))));
}

#[tokio::test]
async fn rubbish_is_told_as_such() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>log in</html>", "text/html");
    let server = answering(page).await;
    for problem in [
        anonymous().head(&web(&server)).await.map(|_| ()),
        anonymous().resolve(&web(&server), &linux("amd64")).await.map(|_| ()),
    ] {
        let error = problem.expect_err("a page for browsers");
        assert!(error.to_string().ends_with("with something that is no manifest"), "{error}");
    }
}

#[tokio::test]
async fn a_digest_that_is_none_is_refused() {
    let odd = ResponseTemplate::new(200).insert_header("docker-content-digest", "sha256:../../etc");
    let server = answering(odd).await;
    let error = anonymous().head(&web(&server)).await.expect_err("no digest");
    assert!(error.to_string().ends_with("with a digest that is none"), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let server = answering(ResponseTemplate::new(200).set_body_bytes(vec![b' '; 5 << 20])).await;
    let error = anonymous().resolve(&web(&server), &linux("amd64")).await.expect_err("5 MiB");
    assert!(error.to_string().ends_with("with more than 4 MiB"), "{error}");
}

#[tokio::test]
async fn an_image_of_docker_s_first_format_is_told_as_such() {
    let old = json!({"schemaVersion": 1, "name": "acme/web", "fsLayers": []});
    let server = answering(ResponseTemplate::new(200).set_body_json(old)).await;
    let error = anonymous().resolve(&web(&server), &linux("amd64")).await.expect_err("schema 1");
    assert!(error.to_string().contains("Docker's first format"), "{error}");
}

#[tokio::test]
async fn a_registry_that_is_down_is_unreachable_with_the_cause() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let reference: Reference = format!("{address}/acme/web").parse().expect("a reference");
    let error = anonymous().head(&reference).await.expect_err("nobody there");
    assert_eq!(
        error.to_string(),
        format!("registry {address} cannot be reached: connection refused")
    );
    assert_eq!(error.code(), "registry_unreachable");
}

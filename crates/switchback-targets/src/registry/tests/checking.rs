//! What a check asks, and how many of them at a time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::{net::TcpListener, sync::Barrier};
use wiremock::matchers::{header_exists, method, path, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::registry::{Detection, LocalImage, detect};

#[tokio::test]
async fn what_is_up_to_date_costs_one_head_and_nothing_else() {
    let server = MockServer::start().await;
    let manifest = manifest(MANIFEST, &config("amd64"));
    manifest.serve(&server, "manifests/latest").await;
    let local = LocalImage {
        id: digest::sha256(b"config"),
        repo_digests: vec![format!("{}/acme/web@{}", server.address(), manifest.digest)],
        ..LocalImage::default()
    };

    let head = anonymous().head(&web(&server)).await;

    let head = head.as_ref().map(String::as_str);
    assert_eq!(detect(&web(&server), &local, head, None), Detection::UpToDate);
    assert_eq!(asked(&server).await, ["HEAD /v2/acme/web/manifests/latest"]);
    let accept = header(&requests(&server).await[0], "accept").expect("a header").to_owned();
    for kind in [INDEX, DOCKER_LIST, MANIFEST, DOCKER_MANIFEST] {
        assert!(accept.contains(kind), "{accept}");
    }
}

#[tokio::test]
async fn an_index_in_which_another_architecture_changed_is_up_to_date() {
    let server = MockServer::start().await;
    let (ours, theirs) = (config("amd64"), config("arm64"));
    let mine = manifest(MANIFEST, &ours);
    let before = index(INDEX, &[("amd64", &mine)]);
    let after = index(INDEX, &[("arm64", &manifest(MANIFEST, &theirs)), ("amd64", &mine)]);
    after.serve(&server, "manifests/latest").await;
    after.serve(&server, &format!("manifests/{}", after.digest)).await;
    mine.serve(&server, &format!("manifests/{}", mine.digest)).await;
    ours.serve(&server, &format!("blobs/{}", ours.digest)).await;
    let local = LocalImage {
        id: ours.digest.clone(),
        repo_digests: vec![format!("{}/acme/web@{}", server.address(), before.digest)],
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        ..LocalImage::default()
    };
    let (client, reference) = (anonymous(), web(&server));

    let head = client.head(&reference).await.expect("a digest");
    assert_eq!(detect(&reference, &local, Ok(&head), None), Detection::NeedsResolve);
    let there = reference.with_digest(&head);
    let resolved = client.resolve(&there, &local.platform()).await.expect("an image");

    assert_eq!(detect(&reference, &local, Ok(&head), Some(&resolved)), Detection::UpToDate);
}

#[tokio::test]
async fn a_registry_that_gives_no_digest_is_asked_for_the_content() {
    let server = MockServer::start().await;
    let manifest = manifest(MANIFEST, &config("amd64"));
    let bare = ResponseTemplate::new(200).set_body_raw(manifest.bytes.clone(), MANIFEST);
    Mock::given(path_regex("/manifests/latest$")).respond_with(bare).mount(&server).await;

    assert_eq!(anonymous().head(&web(&server)).await, Ok(manifest.digest));
    assert_eq!(
        asked(&server).await,
        ["HEAD /v2/acme/web/manifests/latest", "GET /v2/acme/web/manifests/latest"]
    );
}

/// Asks for the newest of so many repositories, all at once.
async fn check(address: &str, count: usize) {
    let client = anonymous();
    let named = |number| format!("{address}/acme/web-{number}").parse().expect("a reference");
    let references: Vec<Reference> = (0..count).map(named).collect();
    let heads = join_all(references.iter().map(|reference| client.head(reference))).await;
    assert!(heads.iter().all(Result::is_ok), "{heads:?}");
}

/// Answers the first, which tells whether a login is wanted; after that only where as many requests
/// wait as may be made at a time, so that whoever asks one after the other is never answered.
async fn answer_together(listener: TcpListener, together: usize) {
    let state = Arc::new((Barrier::new(together), AtomicBool::new(true)));
    loop {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let mut head = Vec::new();
            while let Ok(byte) = connection.read_u8().await {
                head.push(byte);
                if head.ends_with(b"\r\n\r\n") {
                    head.clear();
                    if !state.1.swap(false, Ordering::SeqCst) {
                        state.0.wait().await;
                    }
                    let digest = digest::sha256(b"one");
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ndocker-content-digest: {digest}\r\ncontent-length: 0\r\n\r\n"
                    );
                    connection.write_all(answer.as_bytes()).await.ok();
                }
            }
        });
    }
}

/// 97 requests of 50 ms are seven rounds: 0.35 s.
#[tokio::test(flavor = "multi_thread")]
async fn many_deployments_are_asked_for_sixteen_at_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let together = Limits::default().at_a_time;
    assert_eq!(together, 16);
    let server = tokio::spawn(answer_together(listener, together));
    check(&address, 1 + 6 * together).await;
    server.abort();
}

fn found() -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("docker-content-digest", digest::sha256(b"one").as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_each_repository_needs_a_token_only_the_first_question_is_refused() {
    let server = MockServer::start().await;
    let challenge = format!(r#"Bearer realm="{}/token",service="reg""#, server.uri());
    let refusal = ResponseTemplate::new(401).insert_header("www-authenticate", challenge.as_str());
    let token = ResponseTemplate::new(200).set_body_json(json!({"token": "t"}));
    Mock::given(path("/token")).respond_with(token).mount(&server).await;
    let with_token = Mock::given(method("HEAD")).and(header_exists("authorization"));
    with_token.respond_with(found()).mount(&server).await;
    Mock::given(method("HEAD")).respond_with(refusal).with_priority(9).mount(&server).await;
    check(&server.address().to_string(), 100).await;
    assert_eq!(asked(&server).await.len(), 1 + 100 + 100);
}

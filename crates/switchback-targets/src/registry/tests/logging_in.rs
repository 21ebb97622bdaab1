//! As nobody first; with a token for anybody; with the user's login where that is refused.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wiremock::matchers::{body_string_contains, header as with, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::registry::{Login, LoginTried, RegistryError, Secret};

/// A registry that gives its manifests for a bearer token alone, and the content behind it.
async fn registry_with_tokens(token: &str) -> (MockServer, Content) {
    let server = MockServer::start().await;
    let realm = format!("http://{}/token", server.address());
    let challenge =
        format!(r#"Bearer realm="{realm}",service="reg",scope="repository:acme/web:pull""#);
    let manifest = manifest(MANIFEST, &config("amd64"));
    Mock::given(path("/v2/acme/web/manifests/latest"))
        .and(with("authorization", format!("Bearer {token}").as_str()))
        .respond_with(manifest.answer())
        .mount(&server)
        .await;
    let refusal = ResponseTemplate::new(401).insert_header("www-authenticate", challenge.as_str());
    Mock::given(path("/v2/acme/web/manifests/latest"))
        .respond_with(refusal)
        .with_priority(9)
        .mount(&server)
        .await;
    (server, manifest)
}

fn token(token: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"token": token, "expires_in": 300}))
}

/// A configuration of docker with a login for this registry.
fn logged_in(server: &MockServer, entry: &Value) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    let auths = json!({"auths": {server.address().to_string(): entry}});
    fs_err::write(&file, auths.to_string()).expect("written");
    (folder, file)
}

fn client(file: PathBuf) -> Client {
    Client::new(Credentials::in_file(file))
}

#[tokio::test]
async fn a_token_for_anybody_is_fetched_once_and_used_again() {
    let (server, manifest) = registry_with_tokens("for-anybody").await;
    Mock::given(path("/token"))
        .and(query_param("scope", "repository:acme/web:pull"))
        .and(query_param("service", "reg"))
        .respond_with(token("for-anybody"))
        .mount(&server)
        .await;
    let client = anonymous();

    assert_eq!(client.head(&web(&server)).await, Ok(manifest.digest.clone()));
    assert_eq!(client.head(&web(&server)).await, Ok(manifest.digest));

    assert_eq!(
        asked(&server).await,
        [
            "HEAD /v2/acme/web/manifests/latest",
            "GET /token",
            "HEAD /v2/acme/web/manifests/latest",
            "HEAD /v2/acme/web/manifests/latest",
        ]
    );
    assert_eq!(header(&requests(&server).await[1], "authorization"), None);
    assert_eq!(client.login_for(&web(&server)).await, Login::Anonymous);
}

#[tokio::test]
async fn the_next_repository_of_a_known_registry_goes_straight_for_its_token() {
    let (server, _) = registry_with_tokens("for-anybody").await;
    Mock::given(path("/token")).respond_with(token("for-anybody")).mount(&server).await;
    let answer = ResponseTemplate::new(200)
        .insert_header("docker-content-digest", digest::sha256(b"two").as_str());
    Mock::given(path("/v2/acme/two/manifests/latest"))
        .and(with("authorization", "Bearer for-anybody"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let client = anonymous();
    client.head(&web(&server)).await.expect("a digest");

    client.head(&named(&server, "acme/two")).await.expect("a digest");

    let asked = asked(&server).await;
    assert_eq!(asked[3..], ["GET /token", "HEAD /v2/acme/two/manifests/latest"]);
    let query = requests(&server).await[3].url.query().expect("a query").to_owned();
    assert!(query.contains("scope=repository%3Aacme%2Ftwo%3Apull"), "{query}");
}

#[tokio::test]
async fn twenty_questions_at_once_fetch_one_token() {
    let (server, manifest) = registry_with_tokens("for-anybody").await;
    let slow = token("for-anybody").set_delay(Duration::from_millis(20));
    Mock::given(path("/token")).respond_with(slow).mount(&server).await;
    let (client, reference) = (anonymous(), web(&server));

    let heads = futures_util::future::join_all((0..20).map(|_| client.head(&reference))).await;

    assert!(heads.iter().all(|head| head.as_ref() == Ok(&manifest.digest)), "{heads:?}");
    let asked = asked(&server).await;
    assert_eq!(asked.iter().filter(|line| *line == "GET /token").count(), 1);
    assert_eq!(asked.len(), 1 + 1 + 20);
}

#[tokio::test]
async fn a_registry_that_moves_to_another_token_service_is_asked_where() {
    let (server, manifest) = registry_with_tokens("for-anybody").await;
    let away = format!(r#"Bearer realm="http://{}/gone",service="reg""#, server.address());
    Mock::given(path("/v2/acme/web/manifests/latest"))
        .respond_with(ResponseTemplate::new(401).insert_header("www-authenticate", away.as_str()))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(path("/token")).respond_with(token("for-anybody")).mount(&server).await;
    let client = anonymous();

    assert!(client.head(&web(&server)).await.is_err());
    assert_eq!(client.head(&web(&server)).await, Ok(manifest.digest));
}

#[tokio::test]
async fn an_expired_token_is_renewed_without_anybody_noticing() {
    let (server, manifest) = registry_with_tokens("second").await;
    Mock::given(path("/token"))
        .respond_with(token("first"))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(path("/token")).respond_with(token("second")).mount(&server).await;
    let first =
        ResponseTemplate::new(200).insert_header("docker-content-digest", manifest.digest.as_str());
    Mock::given(with("authorization", "Bearer first"))
        .respond_with(first)
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    let client = anonymous();

    assert_eq!(client.head(&web(&server)).await, Ok(manifest.digest.clone()));
    assert_eq!(client.head(&web(&server)).await, Ok(manifest.digest));
}

#[tokio::test]
async fn a_private_repository_is_read_with_the_login_after_nobody_was_refused() {
    let (server, manifest) = registry_with_tokens("for-alice").await;
    let login = format!("Basic {}", STANDARD.encode("alice:canary"));
    Mock::given(path("/token"))
        .and(with("authorization", login.as_str()))
        .respond_with(token("for-alice"))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(path("/token")).respond_with(token("for-anybody")).mount(&server).await;
    let entry = json!({"auth": STANDARD.encode("alice:canary")});
    let (_folder, file) = logged_in(&server, &entry);
    let client = client(file);

    assert_eq!(client.head(&web(&server)).await, Ok(manifest.digest));

    let alice = Login::Basic { user: "alice".to_owned(), secret: Secret::new("canary") };
    assert_eq!(client.login_for(&web(&server)).await, alice);
    assert!(!format!("{client:?}").contains("canary"));
    assert!(!format!("{client:?}").contains("for-alice"));
}

#[tokio::test]
async fn an_identity_token_is_exchanged_for_a_token_of_the_repository() {
    let (server, manifest) = registry_with_tokens("for-alice").await;
    Mock::given(method("POST"))
        .and(path("/token"))
        .and(body_string_contains("grant_type=refresh_token"))
        .and(body_string_contains("refresh_token=canary"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"access_token": "for-alice"})),
        )
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/token"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;
    let (_folder, file) = logged_in(&server, &json!({"identitytoken": "canary"}));

    assert_eq!(client(file).head(&web(&server)).await, Ok(manifest.digest));
}

/// A registry with names and passwords of its own, as docker-registry has with htpasswd.
async fn registry_with_passwords() -> (MockServer, Content) {
    let server = MockServer::start().await;
    let manifest = manifest(MANIFEST, &config("amd64"));
    let login = format!("Basic {}", STANDARD.encode("alice:canary"));
    Mock::given(with("authorization", login.as_str()))
        .respond_with(manifest.answer())
        .mount(&server)
        .await;
    let refusal =
        ResponseTemplate::new(401).insert_header("www-authenticate", r#"Basic realm="reg""#);
    Mock::given(path("/v2/acme/web/manifests/latest"))
        .respond_with(refusal)
        .with_priority(9)
        .mount(&server)
        .await;
    (server, manifest)
}

#[tokio::test]
async fn a_registry_with_passwords_gets_the_password_after_one_refusal_and_then_at_once() {
    let (server, manifest) = registry_with_passwords().await;
    let entry = json!({"auth": STANDARD.encode("alice:canary")});
    let (_folder, file) = logged_in(&server, &entry);
    let client = client(file);

    assert_eq!(client.head(&web(&server)).await, Ok(manifest.digest.clone()));
    assert_eq!(client.head(&web(&server)).await, Ok(manifest.digest));

    let sent: Vec<bool> = requests(&server)
        .await
        .iter()
        .map(|request| header(request, "authorization").is_some())
        .collect();
    assert_eq!(sent, [false, true, true]);
}

#[tokio::test]
async fn without_a_login_the_message_says_where_one_was_looked_for_and_how_to_make_one() {
    let (server, _) = registry_with_passwords().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");

    let error = client(file.clone()).head(&web(&server)).await.expect_err("refused");

    let looked_in = file.display().to_string();
    let RegistryError::Denied { status, login, .. } = &error else { panic!("{error}") };
    assert_eq!((*status, login), (401, &LoginTried::NoneFound { looked_in: looked_in.clone() }));
    assert_eq!((error.code(), error.reason()), ("registry_denied", "registry_denied"));
    assert!(error.to_string().contains(&looked_in), "{error}");
    assert_eq!(error.hint(), Some(format!("docker login {}", server.address())));
}

#[tokio::test]
async fn a_wrong_login_is_told_by_its_name_and_without_its_password() {
    let (server, _) = registry_with_passwords().await;
    let entry = json!({"auth": STANDARD.encode("mallory:canary")});
    let (_folder, file) = logged_in(&server, &entry);

    let error = client(file).head(&web(&server)).await.expect_err("refused");

    assert!(error.to_string().ends_with("(HTTP 401) to the login of mallory"), "{error}");
    assert!(!format!("{error:?}").contains("canary"));
}

#[tokio::test]
async fn a_limit_for_strangers_is_passed_with_a_login() {
    let (server, manifest) = registry_with_tokens("for-alice").await;
    let login = format!("Basic {}", STANDARD.encode("alice:canary"));
    Mock::given(path("/token"))
        .and(with("authorization", login.as_str()))
        .respond_with(token("for-alice"))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(path("/token")).respond_with(token("for-anybody")).mount(&server).await;
    Mock::given(with("authorization", "Bearer for-anybody"))
        .respond_with(ResponseTemplate::new(429))
        .with_priority(1)
        .mount(&server)
        .await;
    let entry = json!({"auth": STANDARD.encode("alice:canary")});
    let (_folder, file) = logged_in(&server, &entry);

    assert_eq!(client(file).head(&web(&server)).await, Ok(manifest.digest));
}

//! Looks at listeners of the tests' own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{any, header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{DEFAULT_TIMEOUT, HttpClient, HttpProbe, Looked, http, tcp};

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    server
}

/// A probe for any 2xx, which a test then asks more of.
struct Asks {
    headers: BTreeMap<String, String>,
    status: Vec<u16>,
    json: BTreeMap<String, Value>,
    version: Option<&'static str>,
    timeout: Duration,
}

impl Default for Asks {
    fn default() -> Self {
        Self {
            headers: BTreeMap::new(),
            status: Vec::new(),
            json: BTreeMap::new(),
            version: None,
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

impl Asks {
    async fn look(&self, url: &str) -> Looked {
        let client = HttpClient::default();
        let probe = HttpProbe {
            url,
            headers: &self.headers,
            status: &self.status,
            json: &self.json,
            version: self.version,
        };
        http(&client, probe, self.timeout).await
    }

    async fn look_at(&self, server: &MockServer) -> Looked {
        self.look(&format!("{}/health", server.uri())).await
    }
}

fn healthy() -> Asks {
    let json = BTreeMap::from([("/healthy".to_owned(), json!(true))]);
    Asks { json, version: Some("/version"), ..Asks::default() }
}

fn not_ready(detail: &str) -> Looked {
    Looked::not_ready(detail)
}

/// An address at which nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string()
}

#[tokio::test]
async fn a_good_status_is_ready() {
    let server = answering(ResponseTemplate::new(204)).await;
    assert_eq!(Asks::default().look_at(&server).await, Looked::ready("HTTP 204"));
}

#[tokio::test]
async fn another_status_is_not_ready_unless_it_is_listed() {
    let server = answering(ResponseTemplate::new(500)).await;
    assert_eq!(Asks::default().look_at(&server).await, not_ready("HTTP 500"));
    let listed = Asks { status: vec![500], ..Asks::default() };
    assert_eq!(listed.look_at(&server).await, Looked::ready("HTTP 500"));
    let others = Asks { status: vec![200], ..Asks::default() };
    let created = answering(ResponseTemplate::new(201)).await;
    assert_eq!(others.look_at(&created).await, not_ready("HTTP 201"));
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let location = "http://alice:canary@127.0.0.1:1/login";
    let server = answering(ResponseTemplate::new(301).insert_header("location", location)).await;
    let seen = Asks::default().look_at(&server).await;
    assert_eq!(seen, not_ready("HTTP 301 to http://alice:***@127.0.0.1:1/login"));
}

#[tokio::test]
async fn an_application_says_that_it_is_healthy_and_which_version_it_is() {
    let body = json!({"healthy": true, "version": "1.18.33"});
    let server = answering(ResponseTemplate::new(200).set_body_json(body)).await;
    let seen = healthy().look_at(&server).await;
    assert!(seen.ready);
    assert_eq!(seen.version.as_deref(), Some("1.18.33"));
}

#[tokio::test]
async fn what_an_application_does_not_say_or_says_otherwise_is_named() {
    for (body, detail, version) in [
        (json!({"healthy": false, "version": 2}), "/healthy is false, expected true", Some("2")),
        (json!({"version": "2"}), "/healthy is missing, expected true", Some("2")),
        (json!({"healthy": true}), "the version at /version is missing", None),
    ] {
        let server = answering(ResponseTemplate::new(200).set_body_json(body)).await;
        let seen = healthy().look_at(&server).await;
        let version = version.map(str::to_owned);
        assert_eq!(seen, Looked { ready: false, detail: detail.to_owned(), version });
    }
}

#[tokio::test]
async fn a_page_for_browsers_is_not_json() {
    let server = answering(ResponseTemplate::new(200).set_body_string("<html>")).await;
    assert_eq!(healthy().look_at(&server).await, not_ready("HTTP 200, but the answer is not JSON"));
}

#[tokio::test]
async fn an_answer_of_more_than_a_mebibyte_is_not_read() {
    let server = answering(ResponseTemplate::new(200).set_body_bytes(vec![b' '; 2 << 20])).await;
    assert_eq!(healthy().look_at(&server).await, not_ready("the answer is longer than 1 MiB"));
}

#[tokio::test]
async fn nobody_listening_is_connection_refused() {
    let address = nobody().await;
    let seen = Asks::default().look(&format!("http://alice:canary@{address}/")).await;
    assert_eq!(seen, not_ready("connection refused"));
    assert_eq!(tcp(&address, DEFAULT_TIMEOUT).await, not_ready("connection refused"));
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_waited_for_as_long_as_configured() {
    let server = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(600))).await;
    let asks = Asks { timeout: Duration::from_millis(200), ..Asks::default() };
    let start = Instant::now();
    assert_eq!(asks.look_at(&server).await, not_ready("no answer within 0.2 s"));
    // Only tells a hang from a busy machine.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_end_is_waited_for_as_long_as_configured() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let asked = stream.read(&mut [0; 1024]).await.expect("a request");
        assert!(asked > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{").await.expect("sent");
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let asks = Asks { timeout: Duration::from_millis(200), ..healthy() };
    let seen = asks.look(&format!("http://{address}/")).await;
    assert_eq!(seen, not_ready("no answer within 0.2 s"));
    server.abort();
}

/// What a browser sees of a published port while the application behind it still starts.
#[tokio::test]
async fn a_connection_that_is_closed_without_an_answer_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let asked = stream.read(&mut [0; 1024]).await.expect("a request");
        assert!(asked > 0);
    });
    let seen = Asks::default().look(&format!("http://{address}/")).await;
    assert_eq!(seen, not_ready("the connection was closed without an answer"));
    server.await.expect("served");
}

#[tokio::test]
async fn an_open_line_where_tls_is_expected_is_told_as_such() {
    let server = answering(ResponseTemplate::new(200)).await;
    let seen = Asks::default().look(&server.uri().replace("http:", "https:")).await;
    assert_eq!(seen, not_ready("it does not speak TLS"));
}

#[tokio::test]
async fn headers_are_sent_and_never_told() {
    let server = MockServer::start().await;
    Mock::given(header("x-token", "canary"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(403))
        .with_priority(9)
        .mount(&server)
        .await;
    let with = |value: &str| {
        let headers = BTreeMap::from([("X-Token".to_owned(), value.to_owned())]);
        Asks { headers, ..Asks::default() }
    };
    assert!(with("canary").look_at(&server).await.ready);
    assert_eq!(with("other").look_at(&server).await, not_ready("HTTP 403"));
    let broken = with("canary\n").look_at(&server).await;
    assert_eq!(broken, not_ready("the probe's header X-Token cannot be sent"));
}

#[tokio::test]
async fn a_probe_is_shown_without_its_secrets() {
    let headers = BTreeMap::from([("X-Token".to_owned(), "canary".to_owned())]);
    let json = BTreeMap::new();
    let url = "http://alice:canary@127.0.0.1/";
    let probe = HttpProbe { url, headers: &headers, status: &[], json: &json, version: None };
    assert!(!format!("{probe:?}").contains("canary"), "{probe:?}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_as_such() {
    let seen = Asks::default().look("http://web.invalid/").await;
    assert_eq!(seen, not_ready("no such host"));
    assert_eq!(tcp("web.invalid:80", DEFAULT_TIMEOUT).await, not_ready("no such host"));
}

#[tokio::test]
async fn a_connection_that_stays_open_is_ready_whether_greeted_or_not() {
    for greeting in ["", "220 ready\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.write_all(greeting.as_bytes()).await.expect("sent");
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        assert!(tcp(&address, DEFAULT_TIMEOUT).await.ready);
        server.abort();
    }
}

/// So does Docker's proxy where nothing listens behind a published port.
#[tokio::test]
async fn a_connection_that_is_accepted_and_closed_is_not_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(stream);
    });
    // A busy machine may close it later than a proxy does.
    let seen = super::tcp::look(&address, DEFAULT_TIMEOUT).await;
    assert!(!seen.ready);
    assert!(seen.detail.contains("closed at once"), "{}", seen.detail);
    server.await.expect("served");
}

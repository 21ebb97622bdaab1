//! How a registry lets us in: its challenge, and the token that its token service gives for it.
//!
//! The distribution project's token authentication: a 401 names a realm and a service; the realm
//! gives a token for one repository, to anybody, to a name and password, or for an identity token.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::login::{Login, Secret};
use super::transport::{Answer, Question, is_loopback};

/// What a token service means if it does not say how long a token lives.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// A day: longer promises are not relied upon.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How a registry wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token from `realm`.
    Bearer { realm: Url, service: Option<String>, scope: Option<String> },
}

/// Reads the challenge of a 401. None: it names no way in that we know.
pub(super) fn challenge_of(answer: &Answer) -> Option<Challenge> {
    let lines = answer.headers.get_all("www-authenticate").iter();
    let all: Vec<Challenge> =
        lines.filter_map(|line| line.to_str().ok()).flat_map(parse_challenges).collect();
    let bearer = all.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(all.first()).cloned()
}

pub(super) fn parse_challenges(line: &str) -> Vec<Challenge> {
    let parsed = http_auth::parse_challenges(line).unwrap_or_default();
    parsed
        .iter()
        .filter_map(|challenge| {
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                return Some(Challenge::Basic);
            }
            if !challenge.scheme.eq_ignore_ascii_case("bearer") {
                return None;
            }
            let parameter = |wanted: &str| {
                let found =
                    challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                found.map(|(_, value)| value.to_unescaped())
            };
            Some(Challenge::Bearer {
                realm: safe_realm(&parameter("realm")?)?,
                service: parameter("service"),
                scope: parameter("scope"),
            })
        })
        .collect()
}

/// A realm to which a password may be sent: over TLS, or on this machine.
fn safe_realm(realm: &str) -> Option<Url> {
    let url = Url::parse(realm).ok()?;
    let local = url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
    (url.scheme() == "https" || local).then_some(url)
}

/// The scope in which `repository` may be read.
pub(super) fn pull_scope(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

/// How we come in, and as whom.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) login: Login,
    pub(super) way: Way,
}

/// What is sent with each request.
#[derive(Debug)]
pub(super) enum Way {
    /// Nothing.
    Open,
    /// Name and password.
    Basic,
    /// A token.
    Token { token: Secret, until: Instant },
}

impl Access {
    /// As nobody, and without asking a token service.
    pub(super) fn open() -> Self {
        Self { login: Login::Anonymous, way: Way::Open }
    }

    /// Whether it can still be used.
    pub(super) fn holds(&self) -> bool {
        match &self.way {
            Way::Open | Way::Basic => true,
            Way::Token { until, .. } => Instant::now() < *until,
        }
    }

    /// The `Authorization` header.
    pub(super) fn header(&self) -> Option<String> {
        match (&self.way, &self.login) {
            (Way::Token { token, .. }, _) => Some(format!("Bearer {}", token.reveal())),
            (Way::Basic, Login::Basic { user, secret }) => Some(basic(user, secret)),
            _ => None,
        }
    }
}

fn basic(user: &str, secret: &Secret) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{}", secret.reveal())))
}

/// The request for a token: a GET, or for an identity token the POST of OAuth 2.
pub(super) fn token_question(
    realm: &Url,
    service: Option<&str>,
    scope: &str,
    login: &Login,
) -> Question {
    let mut url = realm.clone();
    let fill = |url: &mut Url| {
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("scope", scope);
        if let Some(service) = service {
            pairs.append_pair("service", service);
        }
    };
    if let Login::Token(secret) = login {
        // The query of an address has the encoding of a form.
        let mut form = realm.clone();
        form.set_query(None);
        fill(&mut form);
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", "switchback")
            .append_pair("refresh_token", secret.reveal());
        let mut question = Question::new(Method::POST, url);
        question.form = form.query().map(str::to_owned);
        return question;
    }
    fill(&mut url);
    let mut question = Question::new(Method::GET, url);
    if let Login::Basic { user, secret } = login {
        question.authorization = Some(basic(user, secret));
    }
    question
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// The token in the service's answer. None: there is none in it.
pub(super) fn token_from(body: &[u8], now: Instant) -> Option<Way> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty())?;
    let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs).min(LONGEST_LIFE);
    // A tenth is left for clocks and for the request itself.
    Some(Way::Token { token: Secret::new(token), until: now + life * 9 / 10 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_challenge_names_realm_service_and_scope() {
        let line = r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull""#;
        assert_eq!(
            parse_challenges(line),
            [Challenge::Bearer {
                realm: Url::parse("https://auth.example/token").expect("an address"),
                service: Some("registry.example".to_owned()),
                scope: Some("repository:a/b:pull".to_owned()),
            }]
        );
    }

    #[test]
    fn a_password_goes_to_no_realm_on_an_open_line() {
        assert_eq!(parse_challenges(r#"Bearer realm="http://auth.example/token""#), []);
        assert_eq!(parse_challenges(r#"Bearer realm="http://127.0.0.1:5001/token""#).len(), 1);
    }

    #[test]
    fn rubbish_is_no_challenge() {
        for line in ["", "Bearer", "Negotiate", "Bearer realm=", "\"", "Bearer realm=\"::\""] {
            assert_eq!(parse_challenges(line), [], "{line}");
        }
        assert_eq!(parse_challenges("basic realm=\"x\""), [Challenge::Basic]);
    }

    #[test]
    fn a_token_lives_as_long_as_its_service_says_less_a_tenth() {
        let now = Instant::now();
        let until = |body: &str| match token_from(body.as_bytes(), now) {
            Some(Way::Token { until, .. }) => Some(until - now),
            _ => None,
        };
        assert_eq!(until(r#"{"token":"t","expires_in":300}"#), Some(Duration::from_secs(270)));
        assert_eq!(until(r#"{"access_token":"t"}"#), Some(Duration::from_secs(54)));
        assert_eq!(until(r#"{"token":""}"#), None);
        assert_eq!(until("rubbish"), None);
    }

    #[test]
    fn an_identity_token_is_exchanged_in_a_form_and_not_in_the_address() {
        let realm = Url::parse("https://auth.example/token").expect("an address");
        let login = Login::Token(Secret::new("can&ary"));
        let question = token_question(&realm, Some("r"), "repository:a:pull", &login);
        assert_eq!(question.method, Method::POST);
        assert_eq!(question.url.as_str(), "https://auth.example/token");
        assert_eq!(
            question.form.as_deref(),
            Some(
                "scope=repository%3Aa%3Apull&service=r&grant_type=refresh_token\
                 &client_id=switchback&refresh_token=can%26ary"
            )
        );
    }
}

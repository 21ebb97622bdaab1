//! Finding a way into a repository: for nobody, with a token for anybody, with the user's login.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use reqwest::StatusCode;

use super::access::{self, Access, Challenge, Way};
use super::client::{Client, meaning};
use super::error::{LoginTried, RegistryError, bad_answer};
use super::login::Login;
use super::reference::Reference;
use super::transport::Answer;

impl Client {
    /// Tries the ways in, cheapest first, until one is not refused. At most three requests and two
    /// tokens; what the last of them was answered is for the caller to judge.
    pub(super) async fn enter(
        &self,
        reference: &Reference,
        ask: impl AsyncFn(&Access) -> Result<Answer, RegistryError>,
    ) -> Result<(Access, Answer), RegistryError> {
        let challenge = match self.knock(reference, &ask).await? {
            ControlFlow::Break(answered) => return Ok(answered),
            ControlFlow::Continue(challenge) => challenge,
        };
        let mut refusal = None;
        if let Some(access) = self.with_login(reference, &challenge, Login::Anonymous).await? {
            let answer = ask(&access).await?;
            if !is_refusal(answer.status) {
                return Ok((access, answer));
            }
            refusal = Some(answer);
        }
        let tried = match self.login_or_why(reference).await {
            Err(tried) => tried,
            Ok(login) => match self.with_login(reference, &challenge, login.clone()).await? {
                Some(access) => {
                    let answer = ask(&access).await?;
                    return Ok((access, answer));
                }
                None => self.tried_with(&login),
            },
        };
        let status = refusal.as_ref().map_or(StatusCode::UNAUTHORIZED, |answer| answer.status);
        let retry_after = refusal.as_ref().and_then(|answer| answer.header("retry-after"));
        Err(meaning(reference, status, retry_after, tried))
    }

    /// Learns how the registry wants to be asked, by asking as nobody. Break: that was enough.
    async fn knock(
        &self,
        reference: &Reference,
        ask: impl AsyncFn(&Access) -> Result<Answer, RegistryError>,
    ) -> Result<ControlFlow<(Access, Answer), Challenge>, RegistryError> {
        // The first of many questions to a registry is asked alone: the others know by its answer
        // where their tokens are, and spare themselves the refusal. Whatever comes of it, they wait
        // for this one only.
        let first = self.first_knock(reference);
        let mut met = first.lock().await;
        let _alone = if *met {
            drop(met);
            None
        } else {
            *met = true;
            Some(met)
        };
        if let Some(challenge) = self.known_challenge(reference) {
            return Ok(ControlFlow::Continue(challenge));
        }
        let open = Access::open();
        let answer = ask(&open).await?;
        match access::challenge_of(&answer).filter(|_| is_refusal(answer.status)) {
            None => Ok(ControlFlow::Break((open, answer))),
            Some(challenge) => {
                self.remember(reference, &challenge);
                Ok(ControlFlow::Continue(challenge))
            }
        }
    }

    fn first_knock(&self, reference: &Reference) -> Arc<tokio::sync::Mutex<bool>> {
        let mut knocks = self.knocks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(knocks.entry(reference.registry().to_owned()).or_default())
    }

    /// How to come in as `login`. None: the registry or its token service does not want that.
    async fn with_login(
        &self,
        reference: &Reference,
        challenge: &Challenge,
        login: Login,
    ) -> Result<Option<Access>, RegistryError> {
        let Challenge::Bearer { realm, service, scope } = challenge else {
            let usable = matches!(login, Login::Basic { .. });
            return Ok(usable.then_some(Access { login, way: Way::Basic }));
        };
        let scope = scope.clone().unwrap_or_else(|| access::pull_scope(reference.repository()));
        let question = access::token_question(realm, service.as_deref(), &scope, &login);
        let answer = self.transport.ask(question).await?;
        match answer.status {
            status if status.is_success() => {
                let way = access::token_from(&answer.body.unwrap_or_default(), Instant::now());
                let way = way.ok_or_else(|| {
                    bad_answer(reference, "the address of a token service that gives no token")
                })?;
                Ok(Some(Access { login, way }))
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let tried = self.tried_with(&login);
                Err(meaning(reference, answer.status, answer.header("retry-after"), tried))
            }
            // Token services refuse with 400 and 404 too, most with 401 and 403.
            status if status.is_client_error() => Ok(None),
            status => {
                Err(bad_answer(reference, format!("a token service that says HTTP {status}")))
            }
        }
    }

    /// The user's login for this registry, or why there is none to try.
    async fn login_or_why(&self, reference: &Reference) -> Result<Login, LoginTried> {
        match self.credentials.login(reference.login_server()).await {
            Ok(Login::Anonymous) => Err(self.tried_with(&Login::Anonymous)),
            Ok(login) => Ok(login),
            Err(error) => Err(LoginTried::Unreadable { cause: error.to_string() }),
        }
    }

    /// As whom we asked, for messages.
    pub(super) fn tried_with(&self, login: &Login) -> LoginTried {
        match login {
            Login::Anonymous => LoginTried::NoneFound { looked_in: self.credentials.looked_in() },
            Login::Basic { user, .. } => LoginTried::Used { user: Some(user.clone()) },
            Login::Token(_) => LoginTried::Used { user: None },
        }
    }

    fn known_challenge(&self, reference: &Reference) -> Option<Challenge> {
        let challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.get(reference.registry()).cloned()
    }

    /// After a refusal: the registry may have moved to another token service, so ask it again.
    pub(super) fn forget(&self, reference: &Reference) {
        let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.remove(reference.registry());
    }

    /// Remembers a token service that serves the next repository too. Name and password are not
    /// remembered: such a registry may have repositories for everybody beside the others.
    fn remember(&self, reference: &Reference, challenge: &Challenge) {
        let Challenge::Bearer { realm, service, scope } = challenge else {
            return;
        };
        if scope.as_ref().is_some_and(|scope| *scope != access::pull_scope(reference.repository()))
        {
            return;
        }
        let general =
            Challenge::Bearer { realm: realm.clone(), service: service.clone(), scope: None };
        let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.insert(reference.registry().to_owned(), general);
    }
}

/// Answers that somebody else may not get: registries also hide what is private behind a 404, and
/// count the requests of strangers together.
fn is_refusal(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::TOO_MANY_REQUESTS
    )
}

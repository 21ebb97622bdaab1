//! A login to a registry, shown nowhere.

use std::fmt;

use bollard::auth::DockerCredentials;

/// A password or token. `Debug` hides it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// As whom a registry is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// As nobody.
    Anonymous,
    /// With a name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        secret: Secret,
    },
    /// With an identity token, which a registry's token service exchanges.
    Token(Secret),
}

impl Login {
    /// What the engine wants in order to pull from `server` with this login (see
    /// [`Reference::login_server`](super::Reference::login_server)). None: it pulls as nobody.
    ///
    /// The result holds the secret in the open and is for the request only: never log it.
    pub fn to_engine_header_parts(&self, server: &str) -> Option<DockerCredentials> {
        let empty =
            DockerCredentials { serveraddress: Some(server.to_owned()), ..Default::default() };
        match self {
            Self::Anonymous => None,
            Self::Basic { user, secret } => Some(DockerCredentials {
                username: Some(user.clone()),
                password: Some(secret.0.clone()),
                ..empty
            }),
            Self::Token(secret) => {
                Some(DockerCredentials { identitytoken: Some(secret.0.clone()), ..empty })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_shown_without_its_secret() {
        let basic = Login::Basic { user: "alice".to_owned(), secret: Secret::new("canary") };
        let token = Login::Token(Secret::new("canary"));
        assert_eq!(format!("{basic:?}"), r#"Basic { user: "alice", secret: *** }"#);
        assert_eq!(format!("{token:?}"), "Token(***)");
    }

    #[test]
    fn the_engine_gets_a_name_and_password_or_a_token() {
        let basic = Login::Basic { user: "alice".to_owned(), secret: Secret::new("canary") };
        let parts = basic.to_engine_header_parts("registry.example").expect("a login");
        assert_eq!(parts.username.as_deref(), Some("alice"));
        assert_eq!(parts.password.as_deref(), Some("canary"));
        assert_eq!(parts.serveraddress.as_deref(), Some("registry.example"));
        let token = Login::Token(Secret::new("canary"));
        let parts = token.to_engine_header_parts("registry.example").expect("a login");
        assert_eq!(parts.identitytoken.as_deref(), Some("canary"));
        assert_eq!(parts.password, None);
        assert!(Login::Anonymous.to_engine_header_parts("registry.example").is_none());
    }
}

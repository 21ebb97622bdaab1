//! The name of an image, as people type it and as a registry is asked for it.

use std::fmt;
use std::str::FromStr;

use crate::address::without_login;

/// What Docker calls its own registry in references.
const DOCKER_HUB: &str = "docker.io";
/// Where that registry's API answers. `docker.io` itself is a website.
const DOCKER_HUB_API: &str = "registry-1.docker.io";
/// Under which name the docker command line files the login for it.
const DOCKER_HUB_LOGIN: &str = "https://index.docker.io/v1/";

/// Begins beside the caller's own work what the first reference would have to wait for: the library's
/// pattern takes 40 ms of processor time to compile (measured), as long as an engine takes to answer.
pub fn warm_up() {
    let compile = || drop("registry.example/repository:tag".parse::<Reference>());
    // Without another thread the first reference takes its time.
    drop(std::thread::Builder::new().name("references".to_owned()).spawn(compile));
}

/// An image reference, complete: registry, repository, and a tag or a digest or both.
///
/// The rules of the docker command line hold: no registry means `docker.io`, a single word there is
/// in `library/`, no tag means `latest` unless there is a digest, and a digest wins over a tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference(oci_client::Reference);

impl Reference {
    /// The registry, `docker.io` where none was typed.
    pub fn registry(&self) -> &str {
        self.0.registry()
    }

    /// The repository within the registry (`library/nginx`).
    pub fn repository(&self) -> &str {
        self.0.repository()
    }

    /// The tag. None: only a digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    /// The digest (`sha256:…`), if the reference has one.
    pub fn digest(&self) -> Option<&str> {
        self.0.digest()
    }

    /// Whether this can never mean anything else than it does now.
    pub fn is_pinned_by_digest(&self) -> bool {
        self.digest().is_some()
    }

    /// The same image, held at `digest`. The tag stays, for people to read.
    #[must_use]
    pub fn with_digest(&self, digest: &str) -> Self {
        let (registry, repository) = (self.registry().to_owned(), self.repository().to_owned());
        Self(match self.tag() {
            Some(tag) => oci_client::Reference::with_tag_and_digest(
                registry,
                repository,
                tag.to_owned(),
                digest.to_owned(),
            ),
            None => oci_client::Reference::with_digest(registry, repository, digest.to_owned()),
        })
    }

    /// Registry and repository without tag and digest, as `RepoDigests` of an engine show it.
    pub fn familiar_name(&self) -> String {
        if self.registry() != DOCKER_HUB {
            return format!("{}/{}", self.registry(), self.repository());
        }
        let repository = self.repository();
        match repository.strip_prefix("library/") {
            Some(official) if !official.contains('/') => official.to_owned(),
            _ => repository.to_owned(),
        }
    }

    /// The reference as people type it: `nginx:latest`, `registry.example/acme/web:1`.
    pub fn familiar(&self) -> String {
        let mut text = self.familiar_name();
        if let Some(tag) = self.tag() {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = self.digest() {
            text.push('@');
            text.push_str(digest);
        }
        text
    }

    /// What the engine and the registry take as the last part: the digest if there is one, else the tag.
    pub fn tag_or_digest(&self) -> &str {
        // A parsed reference always has one of the two; `latest` is what Docker would take.
        self.digest().or(self.tag()).unwrap_or("latest")
    }

    /// `host[:port]` at which the registry's API answers.
    pub fn api_host(&self) -> &str {
        match self.registry() {
            DOCKER_HUB => DOCKER_HUB_API,
            host => host,
        }
    }

    /// The server name under which Docker files a login for this registry.
    pub fn login_server(&self) -> &str {
        match self.registry() {
            DOCKER_HUB => DOCKER_HUB_LOGIN,
            host => host,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.familiar())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = |problem: &str| ReferenceError {
            text: without_login(text),
            problem: problem.to_owned(),
        };
        if let Some(problem) = problem_before_parsing(text) {
            return Err(wrong(problem));
        }
        let parsed = oci_client::Reference::try_from(text)
            .map_err(|error| wrong(&problem_in_words(text, &error)))?;
        if parsed.repository().chars().any(|letter| letter.is_ascii_uppercase()) {
            return Err(wrong(UPPERCASE));
        }
        Ok(Self(parsed))
    }
}

/// A text that is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image reference: {problem}")]
pub struct ReferenceError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

const UPPERCASE: &str = "a repository is written in lowercase";

/// What people paste that the grammar would only call invalid.
fn problem_before_parsing(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.contains("://") {
        return Some("leave out the scheme (https://)");
    }
    if text.chars().any(char::is_whitespace) {
        return Some("it contains a space or a line break");
    }
    if text.len() == 64 && text.chars().all(|letter| letter.is_ascii_hexdigit()) {
        return Some("this is the id of an image; name it as repository:tag");
    }
    None
}

fn problem_in_words(text: &str, error: &oci_client::ParseError) -> String {
    use oci_client::ParseError as E;
    match error {
        E::ReferenceInvalidFormat | E::TagInvalidFormat => invalid_part(text).to_owned(),
        E::DigestInvalidLength => {
            "the digest is too short or too long for its algorithm".to_owned()
        }
        E::DigestUnsupported => "the digest is neither sha256 nor sha384 nor sha512".to_owned(),
        other => other.to_string(),
    }
}

/// Which part of a reference the grammar refuses.
fn invalid_part(text: &str) -> &'static str {
    let (before_digest, digest) = match text.split_once('@') {
        Some((before, digest)) => (before, Some(digest)),
        None => (text, None),
    };
    let last = before_digest.rsplit('/').next().unwrap_or_default();
    let (name, tag) = match last.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (last, None),
    };
    if name.is_empty() {
        return "the repository has no name";
    }
    if tag.is_some_and(|tag| {
        tag.is_empty()
            || tag.len() > 128
            || tag.starts_with(['.', '-'])
            || !tag.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(letter))
    }) {
        return "the tag may have up to 128 letters, digits, `_`, `.` and `-`, and begins with none of the last two";
    }
    if digest.is_some_and(|digest| !digest.contains(':')) {
        return "a digest looks like sha256: and 64 hexadecimal digits";
    }
    if digest.is_some() {
        return "the digest is not hexadecimal or has the wrong length";
    }
    if before_digest.chars().any(|letter| letter.is_ascii_uppercase()) {
        return UPPERCASE;
    }
    "expected [registry/]repository[:tag][@digest]"
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn parse(text: &str) -> Reference {
        text.parse().expect(text)
    }

    #[test]
    fn a_single_word_is_an_official_image_of_docker_hub_at_latest() {
        let nginx = parse("nginx");
        assert_eq!(nginx.registry(), "docker.io");
        assert_eq!(nginx.repository(), "library/nginx");
        assert_eq!(nginx.tag(), Some("latest"));
        assert_eq!(nginx.familiar(), "nginx:latest");
        assert_eq!(nginx.api_host(), "registry-1.docker.io");
        assert_eq!(nginx.login_server(), "https://index.docker.io/v1/");
    }

    #[test]
    fn every_spelling_of_one_image_is_equal() {
        for spelling in [
            "nginx:1",
            "library/nginx:1",
            "docker.io/nginx:1",
            "docker.io/library/nginx:1",
            "index.docker.io/library/nginx:1",
        ] {
            assert_eq!(parse(spelling), parse("nginx:1"), "{spelling}");
        }
    }

    #[test]
    fn registries_are_told_from_users() {
        let user = parse("acme/web");
        assert_eq!((user.registry(), user.familiar().as_str()), ("docker.io", "acme/web:latest"));
        let own = parse("registry.example:5000/acme/web:2");
        assert_eq!(own.registry(), "registry.example:5000");
        assert_eq!(own.login_server(), "registry.example:5000");
        assert_eq!(own.familiar(), "registry.example:5000/acme/web:2");
        assert_eq!(parse("localhost/web").registry(), "localhost");
    }

    #[test]
    fn a_digest_wins_over_a_tag_and_a_digest_alone_has_none() {
        let both = parse(&format!("acme/web:2@{DIGEST}"));
        assert!(both.is_pinned_by_digest());
        assert_eq!(both.tag(), Some("2"));
        assert_eq!(both.tag_or_digest(), DIGEST);
        let alone = parse(&format!("acme/web@{DIGEST}"));
        assert_eq!(alone.tag(), None);
        assert_eq!(parse("acme/web:2").with_digest(DIGEST), both);
    }

    #[test]
    fn a_bad_reference_is_told_with_its_text_and_what_is_wrong() {
        for (text, problem) in [
            ("", "it is empty"),
            ("https://registry.example/web", "leave out the scheme"),
            ("acme/Web", "lowercase"),
            ("Acme/web", "lowercase"),
            ("acme/web: 2", "space"),
            ("acme/web:", "the tag may have"),
            ("acme/web:-x", "the tag may have"),
            ("acme/", "no name"),
            ("acme/web@sha256:abc", "digest is not hexadecimal"),
            ("acme/web@abc", "a digest looks like"),
            (&DIGEST["sha256:".len()..], "id of an image"),
        ] {
            let error = text.parse::<Reference>().expect_err(text).to_string();
            assert!(error.contains(problem), "{text}: {error}");
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}

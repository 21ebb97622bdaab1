//! Image registries: what a reference names there, whether it is newer than what runs, and how to log in.
//!
//! [`Client::head`] costs one small request and is all that a check of something up to date needs.
//! [`Client::resolve`] reads manifest and configuration, so that everything about a version is known
//! before any of it is pulled. [`detect`] compares, and is pure.

mod access;
pub(crate) mod cause;
mod client;
mod credentials;
mod detect;
mod digest;
mod entry;
mod error;
mod helper;
mod login;
mod platform;
mod reference;
mod resolve;
mod transport;
mod trust;
mod version_tag;

/// What an engine is given to log in at a registry; it holds a secret in the open.
pub use bollard::auth::DockerCredentials as EngineLogin;
pub use client::Client;
pub use credentials::{CredentialError, Credentials};
pub use detect::{Detection, LocalImage, UnknownReason, detect};
pub use error::{LoginTried, RegistryError};
pub use login::{Login, Secret};
pub use platform::Platform;
pub use reference::{Reference, ReferenceError, warm_up};
pub use resolve::Resolved;
pub use transport::{Limits, install_crypto_provider};
pub(crate) use transport::{http_client, is_loopback, read_bounded};
pub use version_tag::names_fixed_version;

#[cfg(test)]
mod tests;

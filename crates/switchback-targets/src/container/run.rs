//! How a declared container is made, in words of the compose specification.

/// How a declared container is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunSettings {}

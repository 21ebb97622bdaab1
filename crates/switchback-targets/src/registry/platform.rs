//! Operating system and architecture: which image of an index a machine runs.

use std::fmt;

/// What an image is made for and a machine is, in the words of image indexes (`linux/arm64/v8`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Platform {
    /// `linux`, `windows`.
    pub os: String,
    /// `amd64`, `arm64`, `arm`, …
    pub architecture: String,
    /// Of `arm` and `arm64`: `v8`, `v7`, … None where there is only one.
    pub variant: Option<String>,
}

impl Platform {
    /// From what an engine, an image or an index says, in whichever spelling: `x86_64` and `amd64`
    /// are the same, and `arm64` is `arm64/v8`.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let architecture = architecture.to_ascii_lowercase();
        let variant = variant.filter(|variant| !variant.is_empty()).map(str::to_ascii_lowercase);
        let (architecture, variant) = normal_architecture(&architecture, variant);
        Self { os: os.to_ascii_lowercase(), architecture, variant }
    }

    /// What this machine takes from an index, best first: itself, and then what its processor also
    /// runs natively. These are the rules of containerd's and Docker's pulls.
    fn runs(&self) -> Vec<Self> {
        let with = |architecture: &str, variant: Option<&str>| Self {
            os: self.os.clone(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        };
        let older_arm = |newest: u8| {
            (5..=newest)
                .rev()
                .map(|version| with("arm", Some(&format!("v{version}"))))
                .collect::<Vec<_>>()
        };
        let version = self.variant.as_deref().and_then(version_number);
        let mut platforms = vec![self.clone()];
        match (self.architecture.as_str(), version) {
            ("amd64", newest) => {
                let below =
                    (2..newest.unwrap_or(1)).rev().map(|v| with("amd64", Some(&format!("v{v}"))));
                platforms.extend(below);
                platforms.push(with("amd64", None));
                platforms.push(with("386", None));
            }
            ("arm64", _) => {
                platforms.push(with("arm64", Some("v8")));
                platforms.extend(older_arm(8));
            }
            ("arm", Some(newest)) => platforms.extend(older_arm(newest.min(8))),
            _ => {}
        }
        platforms
    }

    /// How well an image for `offered` suits this machine: 0 is best. None: it does not run here.
    pub fn rank(&self, offered: &Self) -> Option<usize> {
        self.runs().iter().position(|platform| platform == offered)
    }
}

fn version_number(variant: &str) -> Option<u8> {
    variant.strip_prefix('v')?.parse().ok()
}

/// The spelling of image indexes. The kernel's names come from an engine's `info`.
fn normal_architecture(architecture: &str, variant: Option<String>) -> (String, Option<String>) {
    let arm = |newest: &str| Some(newest.to_owned());
    match architecture {
        "x86_64" | "x86-64" | "amd64" => {
            ("amd64".to_owned(), variant.filter(|variant| variant != "v1"))
        }
        "aarch64" | "arm64" => ("arm64".to_owned(), variant.or_else(|| arm("v8"))),
        "armhf" | "armv7l" | "armv8l" => ("arm".to_owned(), variant.or_else(|| arm("v7"))),
        "armel" | "armv6l" => ("arm".to_owned(), variant.or_else(|| arm("v6"))),
        "arm" => ("arm".to_owned(), variant.or_else(|| arm("v7"))),
        "i386" | "i486" | "i586" | "i686" | "386" => ("386".to_owned(), None),
        other => (other.to_owned(), variant),
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match self.variant.as_deref() {
            // Everybody says linux/arm64, and there is no other in use.
            Some("v8") if self.architecture == "arm64" => Ok(()),
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linux(architecture: &str, variant: Option<&str>) -> Platform {
        Platform::new("linux", architecture, variant)
    }

    #[test]
    fn an_engine_s_spelling_is_an_index_s_spelling() {
        assert_eq!(linux("x86_64", None), linux("amd64", None));
        assert_eq!(linux("aarch64", None), linux("arm64", Some("v8")));
        assert_eq!(linux("armv7l", None), linux("arm", Some("v7")));
        assert_eq!(linux("arm", None), linux("arm", Some("v7")));
        assert_eq!(linux("amd64", Some("")), linux("amd64", None));
        assert_eq!(linux("arm64", None).to_string(), "linux/arm64");
        assert_eq!(linux("arm", Some("v6")).to_string(), "linux/arm/v6");
    }

    #[test]
    fn a_machine_prefers_its_own_and_takes_older_ones() {
        let raspberry = linux("arm", Some("v7"));
        assert_eq!(raspberry.rank(&linux("arm", Some("v7"))), Some(0));
        assert!(raspberry.rank(&linux("arm", Some("v6"))) > Some(0));
        assert_eq!(raspberry.rank(&linux("arm", Some("v8"))), None);
        assert_eq!(raspberry.rank(&linux("arm64", None)), None);
        assert!(linux("arm64", None).rank(&linux("arm", Some("v7"))).is_some());
        assert!(linux("amd64", None).rank(&linux("386", None)).is_some());
    }

    #[test]
    fn nothing_that_would_be_emulated_is_taken() {
        let server = linux("amd64", None);
        assert_eq!(server.rank(&linux("arm64", None)), None);
        assert_eq!(server.rank(&linux("amd64", Some("v3"))), None);
        assert_eq!(server.rank(&Platform::new("windows", "amd64", None)), None);
        assert!(linux("amd64", Some("v3")).rank(&linux("amd64", Some("v2"))).is_some());
    }
}

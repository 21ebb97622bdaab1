//! The subtrees of one mount that are neither copied nor touched.

/// How a path stands to the excluded subtrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Nothing excluded here or below.
    Outside,
    /// An excluded subtree lies somewhere below.
    Above,
    /// The root of an excluded subtree.
    Excluded,
}

/// Paths below the root of a mount, without leading or trailing slash.
#[derive(Debug, Clone, Default)]
pub struct Exclusions(Vec<Vec<u8>>);

impl Exclusions {
    /// Takes paths that the command line or a manifest has already checked.
    pub fn new(paths: Vec<Vec<u8>>) -> Self {
        Self(paths)
    }

    /// The paths, as a manifest records them.
    pub fn paths(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Whether there is nothing to look for; spares building a path for each entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How `path` stands to what is excluded.
    pub fn relation(&self, path: &[u8]) -> Relation {
        if self.0.iter().any(|excluded| excluded == path) {
            return Relation::Excluded;
        }
        let above = |excluded: &Vec<u8>| {
            excluded.strip_prefix(path).is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        if self.0.iter().any(above) { Relation::Above } else { Relation::Outside }
    }

    /// Brings a path to the one form that is compared; `None` where it names no subtree.
    pub fn normalize(path: &[u8]) -> Option<Vec<u8>> {
        let parts: Vec<&[u8]> = path
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".")
            .collect();
        if parts.is_empty() || parts.contains(&&b".."[..]) {
            return None;
        }
        Some(parts.join(&b'/'))
    }
}

#[cfg(test)]
mod tests {
    use super::{Exclusions, Relation};

    #[test]
    fn a_subtree_is_excluded_and_not_what_begins_like_it() {
        let exclusions = Exclusions::new(vec![b"a/cache".to_vec()]);
        let cases: [(&[u8], Relation); 6] = [
            (b"a", Relation::Above),
            (b"a/cache", Relation::Excluded),
            (b"a/cache2", Relation::Outside),
            (b"a/c", Relation::Outside),
            (b"cache", Relation::Outside),
            (b"b", Relation::Outside),
        ];
        for (path, expected) in cases {
            assert_eq!(exclusions.relation(path), expected, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn paths_are_compared_in_one_form_and_never_lead_out_of_the_mount() {
        let normalize = |path: &[u8]| Exclusions::normalize(path);
        assert_eq!(normalize(b"/a//./b/"), Some(b"a/b".to_vec()));
        assert_eq!(normalize(b"a/\xff"), Some(b"a/\xff".to_vec()));
        for refused in [&b""[..], b"/", b".", b"..", b"a/../b"] {
            assert_eq!(normalize(refused), None, "{}", refused.escape_ascii());
        }
    }
}

//! Whether another container has the same data: the same volume or folder, or a folder above or below.

use serde_json::Value;

use crate::container::{change::DataMount, members::NEVER_DATA};

/// What of the data a listed container has too, in words; none if nothing. What a snapshot leaves out
/// counts for nothing.
pub(super) fn shared(data: &[DataMount], exclude: &[String], other: &Value) -> Option<String> {
    let mounts = || other["Mounts"].as_array().into_iter().flatten();
    data.iter().find_map(|mine| {
        let theirs = mounts().find_map(|it| overlap(mine, exclude, it))?;
        Some(match theirs {
            theirs if theirs == mine.source => theirs,
            theirs => format!("{} ({theirs})", mine.source),
        })
    })
}

/// Where one of the other's mounts meets this one.
fn overlap(mine: &DataMount, exclude: &[String], theirs: &Value) -> Option<String> {
    let source = theirs["Name"].as_str().filter(|it| !it.is_empty());
    let source = source.or(theirs["Source"].as_str())?;
    let target = mine.target.trim_end_matches('/');
    let is_left_out =
        |path: &str| exclude.iter().any(|it| below(path, it.trim_end_matches('/')).is_some());
    if source == mine.source {
        return (!is_left_out(target)).then(|| source.to_owned());
    }
    // Those who only read above or below write nothing into a copy. And whoever has the whole host,
    // as monitoring and management of it do, does not keep data there.
    let writes = theirs["RW"] != Value::Bool(false);
    let is_folder = source.starts_with('/') && mine.source.starts_with('/');
    if !writes || !is_folder || NEVER_DATA.contains(&source) {
        return None;
    }
    let is_shared = match (below(source, &mine.source), below(&mine.source, source)) {
        (Some(rest), _) => !is_left_out(&format!("{target}{rest}")),
        (None, Some(_)) => !is_left_out(target),
        (None, None) => false,
    };
    is_shared.then(|| source.to_owned())
}

/// What of a path is below a folder, with its slash; empty where they are the same.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.trim_end_matches('/').strip_prefix(folder.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `/srv/a` is at `/data`; another container has this.
    fn found(source: &str, writes: bool, exclude: &[&str]) -> Option<String> {
        let (target, inside) = ("/data".to_owned(), "/data/0".to_owned());
        let mine = [DataMount { target, source: "/srv/a".to_owned(), inside }];
        let exclude: Vec<String> = exclude.iter().map(|it| (*it).to_owned()).collect();
        let mount = json!({"Type": "bind", "Source": source, "RW": writes});
        shared(&mine, &exclude, &json!({ "Mounts": [mount] }))
    }

    #[test]
    fn a_folder_above_or_below_is_shared_too() {
        assert_eq!(found("/srv/a", true, &[]).as_deref(), Some("/srv/a"));
        assert_eq!(found("/srv/a/b", true, &[]).as_deref(), Some("/srv/a (/srv/a/b)"));
        assert_eq!(found("/srv", true, &[]).as_deref(), Some("/srv/a (/srv)"));
        assert_eq!(found("/srv/ab", true, &[]), None);
        assert_eq!(found("/srv/b", true, &[]), None);
    }

    #[test]
    fn who_only_reads_around_it_or_has_the_whole_host_does_not_share_it() {
        assert_eq!(found("/srv/a/b", false, &[]), None);
        assert_eq!(found("/", true, &[]), None);
        assert_eq!(found("/srv/a", false, &[]).as_deref(), Some("/srv/a"));
    }

    #[test]
    fn what_a_snapshot_leaves_out_may_be_shared() {
        assert_eq!(found("/srv/a/cache", true, &["/data/cache/"]), None);
        assert_eq!(found("/srv/a/cache/x", true, &["/data/cache"]), None);
        assert_eq!(found("/srv/a/b", true, &["/data/cache"]).as_deref(), Some("/srv/a (/srv/a/b)"));
        assert_eq!(found("/srv/a", true, &["/data"]), None);
    }
}

//! Accounts of one container merged line by line into another's files. Pure.
//!
//! The users that are named keep user id, group id, home, shell, hash and lock state, and their
//! groups keep theirs; everything else stays as the new image has it. The lines are secret: nothing
//! here shows them.

/// The four files; none where a container has none.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AccountFiles {
    /// `/etc/passwd`
    pub passwd: Option<String>,
    /// `/etc/shadow`
    pub shadow: Option<String>,
    /// `/etc/group`
    pub group: Option<String>,
    /// `/etc/gshadow`
    pub gshadow: Option<String>,
}

impl std::fmt::Debug for AccountFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountFiles").finish_non_exhaustive()
    }
}

/// Why accounts cannot be carried over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// A user of the configuration is not in the running container.
    #[error("the running container has no user {0}")]
    NoUser(String),
    /// The new image gives the same id to another name.
    #[error(
        "{kind} id {id} belongs to {old} in the running container and to {new} in the new image"
    )]
    Clash {
        /// `user` or `group`.
        kind: &'static str,
        /// The number.
        id: String,
        /// Whose it is.
        old: String,
        /// Whose it would be.
        new: String,
    },
}

/// The new container's files with the named users of the old one.
pub fn merge(
    old: &AccountFiles,
    new: &AccountFiles,
    users: &[String],
) -> Result<AccountFiles, AccountError> {
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    let (old_passwd, new_passwd) = (text(&old.passwd), text(&new.passwd));
    let mut passwd = Lines::of(&new_passwd);
    let mut group = Lines::of(new.group.as_deref().unwrap_or_default());
    let old_groups = text(&old.group);
    for user in users {
        let line = find(&old_passwd, user).ok_or_else(|| AccountError::NoUser(user.clone()))?;
        no_clash("user", user, field(line, 2), &passwd)?;
        passwd.put(user, line);
        let own = old_groups.lines().find(|it| field(it, 2) == field(line, 3));
        if let Some(own) = own.filter(|it| !group.has(field(it, 0))) {
            no_clash("group", field(own, 0), field(own, 2), &group)?;
            group.put(field(own, 0), own);
        }
    }
    for line in old_groups.lines() {
        let members: Vec<&str> = field(line, 3).split(',').collect();
        for user in users.iter().filter(|it| members.contains(&it.as_str())) {
            group.add_member(line, user)?;
        }
    }
    let mut shadow = Lines::of(new.shadow.as_deref().unwrap_or_default());
    for user in users {
        if let Some(line) = find(old.shadow.as_deref().unwrap_or_default(), user) {
            shadow.put(user, line);
        }
    }
    let gshadow = merge_gshadow(old, new, &group);
    Ok(AccountFiles {
        passwd: Some(passwd.text()),
        shadow: (old.shadow.is_some() || new.shadow.is_some()).then(|| shadow.text()),
        group: Some(group.text()),
        gshadow,
    })
}

/// Where shadow groups are used, every group has its line there.
fn merge_gshadow(old: &AccountFiles, new: &AccountFiles, group: &Lines) -> Option<String> {
    if old.gshadow.is_none() && new.gshadow.is_none() {
        return None;
    }
    let mut gshadow = Lines::of(new.gshadow.as_deref().unwrap_or_default());
    for line in &group.0 {
        let (name, members) = (field(line, 0), field(line, 3));
        let known = gshadow.get(name).map(str::to_owned);
        let known = known.or_else(|| find(old.gshadow.as_deref()?, name).map(str::to_owned));
        let known = known.unwrap_or_else(|| format!("{name}:!::"));
        let fields: Vec<&str> = known.split(':').collect();
        let part = |index: usize| fields.get(index).copied().unwrap_or_default();
        let line = format!("{name}:{}:{}:{members}", part(1), part(2));
        gshadow.put(name, &line);
    }
    Some(gshadow.text())
}

/// An id that another name has in the new image would give that name the old user's files.
fn no_clash(kind: &'static str, name: &str, id: &str, lines: &Lines) -> Result<(), AccountError> {
    let other = lines.0.iter().find(|it| field(it, 2) == id && field(it, 0) != name);
    match other {
        None => Ok(()),
        Some(other) => Err(AccountError::Clash {
            kind,
            id: id.to_owned(),
            old: name.to_owned(),
            new: field(other, 0).to_owned(),
        }),
    }
}

fn field(line: &str, index: usize) -> &str {
    line.split(':').nth(index).unwrap_or_default()
}

fn find<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find(|it| field(it, 0) == name)
}

/// The lines of a file, by the name in their first field.
struct Lines(Vec<String>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.lines().filter(|it| !it.is_empty()).map(str::to_owned).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|it| field(it, 0) == name).map(String::as_str)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Replaces a line at its place, or adds it at the end.
    fn put(&mut self, name: &str, line: &str) {
        match self.0.iter_mut().find(|it| field(it, 0) == name) {
            Some(found) => line.clone_into(found),
            None => self.0.push(line.to_owned()),
        }
    }

    /// Makes a user a member of a group as it was, adding the group if the new image has none.
    fn add_member(&mut self, old: &str, user: &str) -> Result<(), AccountError> {
        let (name, id) = (field(old, 0), field(old, 2));
        let Some(found) = self.get(name).map(str::to_owned) else {
            no_clash("group", name, id, self)?;
            self.put(name, &format!("{name}:{}:{id}:{user}", field(old, 1)));
            return Ok(());
        };
        let mut members: Vec<&str> =
            field(&found, 3).split(',').filter(|it| !it.is_empty()).collect();
        if !members.contains(&user) {
            members.push(user);
        }
        let line =
            format!("{name}:{}:{}:{}", field(&found, 1), field(&found, 2), members.join(","));
        self.put(name, &line);
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = self.0.join("\n");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old() -> AccountFiles {
        AccountFiles {
            passwd: Some("root:x:0:0::/root:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh\n".into()),
            shadow: Some("root:*:1::::::\nalice:$6$hash:19000:0:99999:7:::\nbob:!$6$locked:19000:0:99999:7:::\n".into()),
            group: Some("root:x:0:\nalice:x:1000:\nbob:x:1001:\ndevs:x:2000:alice,carol\n".into()),
            gshadow: Some("root:*::\nalice:!::\nbob:!::\ndevs:!:alice:alice,carol\n".into()),
        }
    }

    fn new() -> AccountFiles {
        AccountFiles {
            passwd: Some("root:x:0:0::/root:/bin/sh\napp:x:999:999::/app:/bin/false\nalice:x:1000:1000::/home/alice:/bin/false\n".into()),
            shadow: Some("root:*:1::::::\napp:!:1::::::\nalice:*:1::::::\n".into()),
            group: Some("root:x:0:\napp:x:999:\nalice:x:1000:\n".into()),
            gshadow: Some("root:*::\napp:!::\nalice:!::\n".into()),
        }
    }

    #[test]
    fn users_keep_ids_hashes_locks_and_groups_and_the_images_own_stay() {
        let users = ["alice".to_owned(), "bob".to_owned()];
        let merged = merge(&old(), &new(), &users).unwrap();
        assert_eq!(
            merged.passwd.unwrap(),
            "root:x:0:0::/root:/bin/sh\napp:x:999:999::/app:/bin/false\nalice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/bash\n"
        );
        assert_eq!(
            merged.shadow.unwrap(),
            "root:*:1::::::\napp:!:1::::::\nalice:$6$hash:19000:0:99999:7:::\nbob:!$6$locked:19000:0:99999:7:::\n"
        );
        assert_eq!(
            merged.group.unwrap(),
            "root:x:0:\napp:x:999:\nalice:x:1000:\nbob:x:1001:\ndevs:x:2000:alice\n"
        );
        assert_eq!(
            merged.gshadow.unwrap(),
            "root:*::\napp:!::\nalice:!::\nbob:!::\ndevs:!:alice:alice\n"
        );
    }

    #[test]
    fn merging_twice_changes_nothing_more() {
        let users = ["alice".to_owned(), "bob".to_owned()];
        let once = merge(&old(), &new(), &users).unwrap();
        assert!(merge(&old(), &once, &users).unwrap() == once);
    }

    #[test]
    fn an_id_that_the_new_image_gives_to_another_is_refused() {
        let mut image = new();
        image.passwd = Some("www:x:1001:1001::/:/bin/false\n".into());
        let clash = merge(&old(), &image, &["bob".to_owned()]).unwrap_err();
        assert_eq!(
            clash.to_string(),
            "user id 1001 belongs to bob in the running container and to www in the new image"
        );
    }

    #[test]
    fn a_user_who_is_not_there_is_named() {
        let missing = merge(&old(), &new(), &["carol".to_owned()]).unwrap_err();
        assert_eq!(missing, AccountError::NoUser("carol".to_owned()));
    }
}

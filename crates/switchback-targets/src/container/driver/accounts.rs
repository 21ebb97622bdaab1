//! Accounts are carried over file by file: nothing is executed, and nothing is ever exposed
//! without them.

use switchback_core::TargetError;

use super::ContainerDriver;
use crate::{
    container::{
        accounts::{AccountFiles, merge},
        change::Subject,
    },
    engine_api::{ArchivedFile, EngineError},
};

/// Where they are, and how they are made where an image has none.
const FILES: [(&str, u32); 4] =
    [("passwd", 0o644), ("shadow", 0o640), ("group", 0o644), ("gshadow", 0o640)];

impl ContainerDriver {
    pub(super) async fn copy_accounts(
        &self,
        from: &str,
        to: &Subject,
        users: &[String],
    ) -> Result<(), TargetError> {
        let failed = |it: EngineError| it.into_target("internal", "carry the accounts over");
        let new = self.expect(to, "that the accounts are for").await?;
        let new = new["Id"].as_str().unwrap_or_default().to_owned();
        let old_files = self.account_files(from).await.map_err(failed)?;
        let new_files = self.account_files(&new).await.map_err(failed)?;
        let text = |files: &[Option<ArchivedFile>]| {
            let mut all = files
                .iter()
                .map(|it| it.as_ref().map(|it| String::from_utf8_lossy(&it.content).into_owned()));
            let mut next = || all.next().flatten();
            AccountFiles { passwd: next(), shadow: next(), group: next(), gshadow: next() }
        };
        let merged = merge(&text(&old_files), &text(&new_files), users).map_err(|it| {
            TargetError::failed("preflight_failed", "carry the accounts over", it.to_string())
        })?;
        let AccountFiles { passwd, shadow, group, gshadow } = merged;
        let mut written = Vec::new();
        for (index, content) in [passwd, shadow, group, gshadow].into_iter().enumerate() {
            let Some(content) = content else { continue };
            let (name, mode) = FILES[index];
            // Owner and mode as the new image has them, else as the old one had.
            let like = new_files[index].as_ref().or(old_files[index].as_ref());
            let (mode, uid, gid) = like.map_or((mode, 0, 0), |it| (it.mode, it.uid, it.gid));
            let content = content.into_bytes();
            written.push(ArchivedFile { name: name.to_owned(), mode, uid, gid, content });
        }
        self.engine().write_files(&new, "/etc", &written).await.map_err(failed)
    }

    async fn account_files(
        &self,
        container: &str,
    ) -> Result<Vec<Option<ArchivedFile>>, EngineError> {
        let mut files = Vec::new();
        for (name, _) in FILES {
            files.push(self.engine().read_file(container, &format!("/etc/{name}")).await?);
        }
        Ok(files)
    }
}

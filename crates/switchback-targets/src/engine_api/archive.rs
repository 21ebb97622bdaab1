//! Files in and out of containers, as tar archives, running or not.

use std::io::Read;

use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures_util::TryStreamExt;

use super::{EngineClient, EngineError, FILES_LIMIT};
use crate::patience::within;

/// The largest archive that is read into memory; account files and records are some kilobytes.
const ARCHIVE_LIMIT: usize = 64 << 20;

/// A file of an archive, with what a file system knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedFile {
    /// Its name in the archive.
    pub name: String,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u64,
    /// Its group.
    pub gid: u64,
    /// What it holds.
    pub content: Vec<u8>,
}

impl EngineClient {
    /// The regular files at a path of a container; none if the path is not there.
    pub async fn read_files(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Vec<ArchivedFile>, EngineError> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let stream = self.docker.download_from_container(container, Some(options));
        let collect = stream.map_err(EngineError::from).try_fold(Vec::new(), |mut all, part| {
            all.extend_from_slice(&part);
            let is_too_much = all.len() > ARCHIVE_LIMIT;
            let error =
                EngineError::Nonsense { what: "an archive", got: "more than 64 MiB".into() };
            std::future::ready(if is_too_much { Err(error) } else { Ok(all) })
        });
        let limited = within(FILES_LIMIT, collect).await;
        match limited.ok_or_else(|| EngineError::TimedOut { what: format!("archive of {path}") })? {
            Ok(bytes) => unpack(&bytes),
            Err(EngineError::Refused { status: 404, .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Whether a path of a container is a folder; none if it is not there.
    pub async fn is_folder(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<bool>, EngineError> {
        // The engine writes modes as Go does: the highest bit is a folder's.
        const FOLDER: u32 = 1 << 31;
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        let asked = self.docker.get_container_archive_info(container, Some(options));
        let answer = within(FILES_LIMIT, asked).await;
        match answer.ok_or_else(|| EngineError::TimedOut { what: format!("kind of {path}") })? {
            Ok(found) => Ok(Some(found.file_mode & FOLDER != 0)),
            Err(error) => match EngineError::from(error) {
                EngineError::Refused { status: 404, .. } => Ok(None),
                other => Err(other),
            },
        }
    }

    /// One file of a container, if it is there.
    pub async fn read_file(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<ArchivedFile>, EngineError> {
        Ok(self.read_files(container, path).await?.pop())
    }

    /// Writes files into a folder of a container that must exist there.
    pub async fn write_files(
        &self,
        container: &str,
        folder: &str,
        files: &[ArchivedFile],
    ) -> Result<(), EngineError> {
        let broken = |it: std::io::Error| EngineError::Broken { reason: it.to_string() };
        let mut tar = tar::Builder::new(Vec::new());
        for file in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(file.content.len() as u64);
            header.set_mode(file.mode);
            header.set_uid(file.uid);
            header.set_gid(file.gid);
            tar.append_data(&mut header, &file.name, &file.content[..]).map_err(broken)?;
        }
        let bytes = tar.into_inner().map_err(broken)?;
        self.pass().await?;
        let options = UploadToContainerOptionsBuilder::default().path(folder).build();
        let body = bollard::body_full(bytes.into());
        Ok(self.docker.upload_to_container(container, Some(options), body).await?)
    }
}

fn unpack(bytes: &[u8]) -> Result<Vec<ArchivedFile>, EngineError> {
    let nonsense =
        |it: std::io::Error| EngineError::Nonsense { what: "an archive", got: it.to_string() };
    let mut files = Vec::new();
    for entry in tar::Archive::new(bytes).entries().map_err(nonsense)? {
        let mut entry = entry.map_err(nonsense)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(nonsense)?.to_string_lossy().into_owned();
        let header = entry.header();
        let mode = header.mode().map_err(nonsense)?;
        let (uid, gid) = (header.uid().map_err(nonsense)?, header.gid().map_err(nonsense)?);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(nonsense)?;
        files.push(ArchivedFile { name, mode, uid, gid, content });
    }
    Ok(files)
}

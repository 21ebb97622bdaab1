//! Data: snapshot, restore, and the person's own commands.

use std::sync::atomic::Ordering;

use switchback_core::{
    TargetError,
    event::{EventKind, Unit},
};

use super::ContainerDriver;
use crate::{
    container::{change::DataSet, members::is_up},
    engine_api::{EngineError, Input},
    keeper::{self, programs},
};

/// Says beside what was set aside that the restore after it is complete.
const RESTORED_FILE: &str = "restored.json";

/// Says that the person's restore command has still to run.
const WANTED_FILE: &str = "restore-wanted.json";

impl ContainerDriver {
    fn folder(&self, operation: &str) -> String {
        keeper::snapshot_folder(&self.setup.target, operation)
    }

    fn time(&self) -> String {
        let milliseconds = i64::try_from((self.setup.now)()).unwrap_or_default();
        jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default().to_string()
    }

    pub(super) async fn take_snapshot(&self, data: &DataSet) -> Result<(), TargetError> {
        let folder = self.folder(&data.snapshot);
        let mut on_progress = |item: &str, done, total| self.copied(item, done, total);
        let (engine, keeper) = (self.engine(), &self.setup.keeper);
        let taken =
            programs::snapshot(engine, keeper, &folder, data, &self.time(), &mut on_progress).await;
        taken.map_err(|it| {
            TargetError::failed(it.code(), "take a snapshot of the data", it.to_string())
        })
    }

    pub(super) async fn restore(
        &self,
        data: &DataSet,
        from: &str,
        aside: &str,
    ) -> Result<(), TargetError> {
        let folders = (&*self.folder(from), &*self.folder(aside));
        let mut on_progress = |item: &str, done, total| self.copied(item, done, total);
        let (engine, keeper) = (self.engine(), &self.setup.keeper);
        let restored =
            programs::restore(engine, keeper, folders, data, &self.time(), &mut on_progress).await;
        restored.map_err(|it| TargetError::failed(it.code(), "restore the data", it.to_string()))
    }

    fn copied(&self, item: &str, done: u64, total: Option<u64>) {
        let (item, message) = (item.to_owned(), "copying".to_owned());
        self.progress(EventKind::Progress { item, message, done, total, unit: Unit::Bytes });
    }

    /// The way back of a handing over: the data of the snapshot, and what the failed version wrote
    /// beside it. Where the new version is known never to have run, nothing was written: the data
    /// stays, because the old version may have run again since the snapshot was taken.
    pub(super) async fn take_data_back(&self, data: &DataSet) -> Result<(), TargetError> {
        if self.has_never_run() {
            return Ok(());
        }
        // Another controller's transaction is taken back from its plan alone. Without a snapshot it
        // never came as far as handing anything over.
        let is_known = self.has_snapshot.load(Ordering::SeqCst);
        if !is_known && !self.is_complete(&data.snapshot).await? {
            return Ok(());
        }
        let aside = format!("{}-failed", data.snapshot);
        self.restore_once(data, &data.snapshot, &aside).await
    }

    /// Whether the new version is known never to have run. Unknown is not never.
    fn has_never_run(&self) -> bool {
        self.has_run.lock().is_ok_and(|it| *it == Some(false))
    }

    /// The way back of a handing over after a backup by command. The command that brings the data
    /// back needs the old version running, which comes later; so that it is wanted is written down
    /// with the target, where a crash or another store cannot lose it.
    pub(super) async fn want_backup(&self, operation: &str) -> Result<(), TargetError> {
        if self.has_never_run() {
            return Ok(());
        }
        let mark = format!("{}/{WANTED_FILE}", self.folder(operation));
        let marked = programs::put(self.engine(), &self.setup.keeper, &mark, b"{}".to_vec()).await;
        marked.map_err(|it| TargetError::failed(it.code(), "note the restore", it.to_string()))
    }

    /// The way back of a backup by command: where it is wanted, the restore, once.
    pub(super) async fn restore_backup(
        &self,
        operation: &str,
        container: &str,
        restore: &[String],
    ) -> Result<(), TargetError> {
        let failed = |it: EngineError| it.into_target("undo_failed", "look for a wanted restore");
        let mark = format!("{}/{WANTED_FILE}", self.folder(operation));
        if self.engine().read_file(keeper::ANCHOR, &mark).await.map_err(failed)?.is_none() {
            return Ok(());
        }
        self.run_hook(container, restore, "restore data").await?;
        self.remove_snapshot(operation).await
    }

    /// The way back of a restore: what stood there before it. A restore that died before it had
    /// copied all aside has changed nothing yet.
    pub(super) async fn restore_aside(
        &self,
        data: &DataSet,
        aside: &str,
    ) -> Result<(), TargetError> {
        if !self.is_complete(aside).await? {
            return Ok(());
        }
        self.restore_once(data, aside, &format!("{aside}-again")).await
    }

    /// A way back whose record was lost is gone a second time, perhaps by another store, days
    /// later: the old version has written its data since. So what was restored is marked where it
    /// lies, and nothing is ever restored below a service that runs.
    async fn restore_once(
        &self,
        data: &DataSet,
        from: &str,
        aside: &str,
    ) -> Result<(), TargetError> {
        let failed = |it: EngineError| it.into_target("undo_failed", "look for what was restored");
        let target = &self.setup.target;
        let mark = format!("{}/{RESTORED_FILE}", self.folder(aside));
        if self.engine().read_file(keeper::ANCHOR, &mark).await.map_err(failed)?.is_some() {
            return Ok(());
        }
        if let Some(found) = self.look(target).await?.filter(is_up) {
            let id = found["Id"].as_str().unwrap_or_default();
            return Err(TargetError::Drifted {
                expected: format!("container {target} stopped, so that its data can be restored"),
                found: format!("it runs ({})", id.get(..12).unwrap_or(id)),
            });
        }
        self.restore(data, from, aside).await?;
        let marked = programs::put(self.engine(), &self.setup.keeper, &mark, b"{}".to_vec()).await;
        marked.map_err(|it| TargetError::failed(it.code(), "mark the restore", it.to_string()))
    }

    async fn is_complete(&self, operation: &str) -> Result<bool, TargetError> {
        let found = keeper::has_snapshot(self.engine(), &self.setup.target, operation).await;
        found.map_err(|it| it.into_target("undo_failed", "look for a snapshot"))
    }

    /// Programs go on without whoever started them. Restarting the keeper ends them all.
    pub(super) async fn settle_programs(&self) -> Result<(), TargetError> {
        let failed = |it: EngineError| it.into_target("undo_failed", "end the keeper's programs");
        let keeper = self.setup.keeper.id();
        let found = self.engine().container(&keeper).await.map_err(failed)?;
        let is_busy = found
            .as_ref()
            .is_some_and(|it| it["ExecIDs"].as_array().is_some_and(|it| !it.is_empty()));
        // Somebody may have stopped it: nothing runs in it then, and nothing can be copied.
        let is_stopped = found.is_some_and(|it| it["State"]["Running"] == false);
        if is_busy || is_stopped {
            let path = format!("/containers/{keeper}/restart?t=0");
            drop(self.engine().post(&path, None).await.map_err(failed)?);
        }
        Ok(())
    }

    pub(super) async fn remove_snapshot(&self, operation: &str) -> Result<(), TargetError> {
        for folder in
            ["", "-failed", "-before", "-before-again"].map(|it| format!("{operation}{it}"))
        {
            let removed =
                programs::remove(self.engine(), &self.setup.keeper, &self.folder(&folder)).await;
            removed.map_err(|it| {
                TargetError::failed(it.code(), "remove a snapshot", it.to_string())
            })?;
        }
        Ok(())
    }

    /// Runs a command of the person's in a container.
    pub(super) async fn run_hook(
        &self,
        container: &str,
        command: &[String],
        what: &str,
    ) -> Result<(), TargetError> {
        let output = self.engine().exec(container, command, Input::Nothing, |_| {}).await;
        let output = output.map_err(|it| it.into_target("hook_failed", what))?;
        if output.code == 0 {
            return Ok(());
        }
        Err(TargetError::failed("hook_failed", what, output.last_words()))
    }
}

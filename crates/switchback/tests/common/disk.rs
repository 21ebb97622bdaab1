//! A small file system of a test's own. Mounting takes root or its capability; without it these tests
//! fail and say so, since nothing else fills up for root too.

use std::{
    fs::File,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

/// A tmpfs in a folder of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    pub(crate) fn new(size_kib: u32) -> Self {
        let disk = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let size = format!("size={size_kib}k");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "switchback-test"]).arg(disk.path());
        let output = mount.output().expect("mount can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "this test needs the right to mount (be root): {said}");
        disk
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves not a single free byte; removing the file that is returned gives all of it back.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = File::create(&path).expect("a file on the small disk");
        let full = std::iter::repeat_with(|| file.write_all(&[1; 4096])).find_map(Result::err);
        assert_eq!(full.map(|it| it.kind()), Some(ErrorKind::StorageFull));
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whatever is still open must not keep the folder from being removed.
        Command::new("umount").arg("--lazy").arg(self.path()).output().ok();
    }
}

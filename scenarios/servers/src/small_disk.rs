//! A file system of some megabytes that can be filled and freed while processes run on it.
//!
//! It is a tmpfs in a mount namespace of its own. A process that only waits keeps the namespace; the file system disappears when that
//! process ends. Root may make one. Other users need a user namespace, if the system permits it.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// The bytes of one write that fills the disk.
const CHUNK: [u8; 4096] = [0xff; 4096];

/// The file system.
#[derive(Debug)]
pub struct SmallDisk {
    mount_point: TempDir,
    keeper: Child,
    has_users: bool,
}

/// A file that takes up all free space. Dropping this removes it.
#[derive(Debug)]
pub struct Filler(PathBuf);

impl SmallDisk {
    /// Makes a file system of `megabytes`.
    pub fn make(megabytes: u32) -> anyhow::Result<Self> {
        let has_users = !may_mount();
        let mount_point = tempfile::tempdir()?;
        let mut keeper = Command::new("unshare");
        if has_users {
            keeper.args(["--user", "--map-root-user"]);
        }
        keeper.args([
            "--mount",
            "sh",
            "-c",
            r#"mount -t tmpfs -o mode=0700,size="$1"m tmpfs "$0" && echo made && exec cat"#,
        ]);
        keeper.arg(mount_point.path()).arg(megabytes.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().context("failed to start unshare")?;
        let mut said = String::new();
        if let Some(out) = keeper.stdout.take() {
            BufReader::new(out).read_line(&mut said)?;
        }
        let disk = Self { mount_point, keeper, has_users };
        ensure!(said.trim() == "made", "failed to mount a file system in a mount namespace");
        Ok(disk)
    }

    /// Its path for processes inside the namespace.
    pub fn path(&self) -> &Path {
        self.mount_point.path()
    }

    /// Its path for all other processes.
    pub fn seen_from_outside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(self.path().strip_prefix("/").unwrap_or(self.path()))
    }

    /// A command that runs `program` inside the namespace.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.keeper.id())).arg("--mount");
        if self.has_users {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }

    /// Fills it, from outside the namespace.
    pub fn fill(&self) -> io::Result<Filler> {
        Filler::fill(&self.seen_from_outside())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // If it has ended already, both calls do nothing.
        drop(self.keeper.kill());
        drop(self.keeper.wait());
    }
}

/// Whether this user may mount a file system without a user namespace.
fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

impl Filler {
    /// Fills the file system that `folder` is on.
    pub fn fill(folder: &Path) -> io::Result<Self> {
        let filler = Self(folder.join("filler"));
        let mut file = File::create(&filler.0)?;
        loop {
            match file.write(&CHUNK) {
                Ok(0) => return Ok(filler),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge) => {
                    return Ok(filler);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // A file that cannot be removed disappears with the file system.
        drop(fs::remove_file(&self.0));
    }
}

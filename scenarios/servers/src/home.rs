//! A folder for a server's data, and programs that are run in it once.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

use crate::process::is_root;

/// Waits until nobody holds its input any more, and then removes the folder. A server may be busy ending in it for a moment longer.
const REMOVE: &str = r#"trap '' INT HUP TERM
read -r _
tries=100
until rm -rf -- "$0" 2>/dev/null || [ "$((tries -= 1))" -eq 0 ]; do sleep 0.1; done"#;

/// The folder. It goes with whoever made it, even with a process that is killed or that never drops what it holds in a static.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    remover: Child,
}

impl Home {
    /// A new folder, which `owner` is given when we are root: databases refuse to run as that.
    pub fn new(owner: &'static str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("jumak-").tempdir()?;
        let remover = Command::new("sh")
            .args(["-c", REMOVE])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("sh cannot be started")?;
        let home = Self { path: folder.keep(), remover };
        home.give(&home.path, owner)?;
        Ok(home)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that `owner` alone may read.
    pub fn write(&self, name: &str, owner: &'static str, text: &str) -> anyhow::Result<PathBuf> {
        use std::{io::Write, os::unix::fs::OpenOptionsExt};
        let path = self.join(name);
        std::fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?
            .write_all(text.as_bytes())?;
        self.give(&path, owner)?;
        Ok(path)
    }

    fn give(&self, path: &Path, owner: &'static str) -> anyhow::Result<()> {
        if is_root() {
            let given = Command::new("chown").arg(format!("{owner}:{owner}")).arg(path).status()?;
            anyhow::ensure!(given.success(), "{} cannot be given to {owner}", path.display());
        }
        Ok(())
    }

    /// Runs a program to its end, as `user` when we are root.
    pub async fn run(&self, user: &'static str, program: &Path, arguments: &[String]) -> anyhow::Result<()> {
        let mut command = if is_root() {
            let mut command = tokio::process::Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
            command
        } else {
            tokio::process::Command::new(program)
        };
        command.args(arguments).current_dir(&self.path).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.with_context(|| format!("{} cannot be started", program.display()))?;
        anyhow::ensure!(
            output.status.success(),
            "{} ended with {}: {}{}",
            program.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.remover.stdin.take());
        drop(self.remover.wait());
    }
}

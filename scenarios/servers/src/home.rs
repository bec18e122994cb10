//! A temporary folder for a server's data.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

use crate::process::is_root;

/// A shell script that waits for the end of its input, which comes when this process ends, and then removes the folder. It retries,
/// because a server may still be ending.
const REMOVE: &str = r#"trap '' INT HUP TERM
read -r _
tries=100
until rm -rf -- "$0" 2>/dev/null || [ "$((tries -= 1))" -eq 0 ]; do sleep 0.1; done"#;

/// The folder. It is removed when this is dropped, and also when the process is killed or holds this in a static.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    remover: Child,
}

impl Home {
    /// A new folder. If this process is root, `owner` gets the folder, because databases refuse to run as root.
    pub fn new(owner: &'static str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("jumak-").tempdir()?;
        let remover = Command::new("sh")
            .args(["-c", REMOVE])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("failed to start sh")?;
        let home = Self { path: folder.keep(), remover };
        home.give(&home.path, owner)?;
        Ok(home)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that only `owner` may read.
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
            anyhow::ensure!(given.success(), "failed to make {owner} the owner of {}", path.display());
        }
        Ok(())
    }

    /// Runs a program to its end, as `user` if this process is root.
    pub async fn run(&self, user: &'static str, program: &Path, arguments: &[String]) -> anyhow::Result<()> {
        let mut command = if is_root() {
            let mut command = tokio::process::Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
            command
        } else {
            tokio::process::Command::new(program)
        };
        command.args(arguments).current_dir(&self.path).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.with_context(|| format!("failed to start {}", program.display()))?;
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

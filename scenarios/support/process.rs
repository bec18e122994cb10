//! `jumak up` as a process that can be killed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use jumak::embedded::{DataFolder, Keyring};
use mesh::{
    Role,
    auth::verify::user_name,
    config::{AuthConfig, Config},
};
use servers::small_disk::SmallDisk;
use tempfile::NamedTempFile;
use tokio::time::Instant;
use tonic::transport::Channel;

use super::{Person, SETTLES, connect};

/// The lifetime of a token.
const TOKEN: Duration = Duration::from_secs(3_600);
/// The pause between two checks whether a process is ready or has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A `jumak` command without the test's own JUMAK_… and OTEL_… variables.
pub fn jumak() -> Command {
    undisturbed(Command::new(env!("CARGO_BIN_EXE_jumak")))
}

fn undisturbed(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if ["JUMAK_", "OTEL_"].iter().any(|ours| name.to_string_lossy().starts_with(ours)) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// A running `jumak up`. Dropping this kills it, by its pid.
pub struct Process {
    child: Child,
    data: PathBuf,
    out: NamedTempFile,
    err: NamedTempFile,
    /// Its address, such as `127.0.0.1:1234`.
    pub address: String,
}

impl Process {
    /// Starts `jumak up` on a data folder with these variables, and waits until it is ready.
    pub async fn start(data: &Path, variables: &[(&str, &str)]) -> Self {
        Self::begin(jumak(), data, data, variables).await
    }

    /// Starts `jumak up` on a small disk.
    pub async fn start_on(disk: &SmallDisk) -> Self {
        let command = undisturbed(disk.command(env!("CARGO_BIN_EXE_jumak")));
        Self::begin(command, disk.path(), &disk.seen_from_outside(), &[]).await
    }

    /// `data` is the folder's path for the process, and `seen` its path for the test.
    async fn begin(mut command: Command, data: &Path, seen: &Path, variables: &[(&str, &str)]) -> Self {
        let (out, err) = (log(), log());
        let child = command
            .args(["up", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("JUMAK_LOG__FILTER", "warn")
            .envs(variables.iter().copied())
            .stdout(out.reopen().expect("a file"))
            .stderr(err.reopen().expect("a file"))
            .spawn()
            .expect("the binary starts");
        let mut process = Self { child, data: seen.to_owned(), out, err, address: String::new() };
        process.address = process.is_ready().await;
        process
    }

    /// The address that it prints when it is ready.
    async fn is_ready(&mut self) -> String {
        let deadline = Instant::now() + SETTLES;
        loop {
            if let Some(address) = self.printed("address") {
                return address;
            }
            let ended = self.child.try_wait().expect("its status");
            assert!(ended.is_none(), "it ended before it was ready: {}", self.said());
            assert!(Instant::now() < deadline, "it was not ready in time: {}", self.said());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The text after `word` in its output.
    pub fn printed(&self, word: &str) -> Option<String> {
        let said = read(&self.out);
        let rest = said.lines().find_map(|line| line.trim().strip_prefix(word))?;
        Some(rest.split_whitespace().next()?.to_owned())
    }

    /// Its standard output.
    pub fn shown(&self) -> String {
        read(&self.out)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A connection to it.
    pub async fn connect(&self) -> Channel {
        connect(&format!("http://{}", self.address)).await
    }

    /// A caller on that connection.
    pub fn person(&self, channel: &Channel, name: &str, roles: &[Role]) -> Person {
        Person::over(channel.clone(), &user_name(&AuthConfig::default().issuer, name), &self.token(name, roles))
    }

    /// A token of the system's issuer.
    pub fn token(&self, name: &str, roles: &[Role]) -> String {
        let keys = Keyring::open(&self.folder(), &AuthConfig::default(), []).expect("the keys");
        keys.mint(name, roles, TOKEN).expect("a token")
    }

    fn folder(&self) -> DataFolder {
        DataFolder::at(&self.data)
    }

    /// Its standard error.
    pub fn said(&self) -> String {
        read(&self.err)
    }

    /// Waits until it has ended by itself, and returns its standard error.
    pub async fn dies(mut self) -> String {
        self.ends().await;
        self.said()
    }

    /// Kills it, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("its status");
    }

    /// Sends SIGTERM, as a supervisor would, waits until it has ended, and returns its standard error.
    pub async fn stops(mut self) -> String {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(asked.success(), "failed to send SIGTERM to process {pid}");
        let status = self.ends().await;
        assert!(status.success(), "it stopped with {status}: {}", self.said());
        self.said()
    }

    async fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + SETTLES;
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status;
            }
            assert!(Instant::now() < deadline, "it never ended: {}", self.said());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the system has settled, and asserts that the audit has no findings.
    pub async fn audit(&self) {
        let verdict = jumak::audit::settle(&self.folder(), &Config::default(), SETTLES).await.expect("an audit");
        assert!(verdict.passed(), "{:#?}", verdict.findings);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it has ended already, both calls do nothing.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asserts that `jumak audit` on an unused folder has no findings and exits with 0.
pub fn audit_at_rest(data: &Path) {
    audits_at_rest(jumak(), data);
}

/// The same on a small disk.
pub fn audit_at_rest_on(disk: &SmallDisk) {
    audits_at_rest(undisturbed(disk.command(env!("CARGO_BIN_EXE_jumak"))), disk.path());
}

fn audits_at_rest(mut jumak: Command, data: &Path) {
    let audited = jumak.args(["audit", "--data"]).arg(data).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&audited.stdout);
    assert!(audited.status.success(), "{said}{}", String::from_utf8_lossy(&audited.stderr));
    assert!(said.contains("the books are in order"), "{said}");
}

fn log() -> NamedTempFile {
    NamedTempFile::new().expect("a temporary file")
}

fn read(file: &NamedTempFile) -> String {
    String::from_utf8_lossy(&fs::read(file.path()).expect("a file")).into_owned()
}

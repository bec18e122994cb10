//! A replica: one process of one context.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use jumak::house::Member;
use tokio::time::{Instant, sleep};
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::Variables;

/// How long a process may take to become ready or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two checks.
const LOOK: Duration = Duration::from_millis(20);
/// How many bytes of a log's end are shown.
const LAST: u64 = 4_000;

/// One process of one context. Dropping this kills it.
#[derive(Debug)]
pub struct Replica {
    member: Member,
    number: u16,
    address: SocketAddr,
    jumak: PathBuf,
    config: PathBuf,
    data: Option<PathBuf>,
    log: PathBuf,
    env: Variables,
    child: Option<Child>,
}

/// How to start a [`Replica`]. Used again at each restart.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub member: Member,
    pub number: u16,
    pub address: SocketAddr,
    pub jumak: &'a Path,
    pub config: &'a Path,
    pub data: Option<PathBuf>,
    pub log: PathBuf,
    pub env: Variables,
}

impl Replica {
    /// Starts the process; does not wait until it is ready.
    pub(crate) fn start(start: Start<'_>) -> anyhow::Result<Self> {
        let Start { member, number, address, jumak, config, data, log, env } = start;
        let (jumak, config) = (jumak.to_owned(), config.to_owned());
        let mut replica = Self { member, number, address, jumak, config, data, log, env, child: None };
        replica.start_again()?;
        Ok(replica)
    }

    /// Its context.
    pub const fn member(&self) -> Member {
        self.member
    }

    /// Its number among the context's replicas, from 0.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// The address on which it takes calls.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Replaces the process's variables, from the next start on.
    pub fn set_env(&mut self, env: Variables) {
        self.env = env;
    }

    /// Starts the process again, at the same address and with the same configuration; does not wait until it is ready.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.child.is_none(), "{self} runs already");
        let log = File::options().create(true).append(true).open(&self.log)?;
        // The kernel kills the process when its parent ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.jumak).arg("serve").arg(self.member.name());
        command.arg("--listen").arg(self.address.to_string()).arg("--config").arg(&self.config);
        if let Some(data) = &self.data {
            command.arg("--data").arg(data);
        }
        // Settings of this process must not reach it.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("JUMAK_")) {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(servers::spawn(command).with_context(|| format!("failed to start {self}"))?);
        Ok(())
    }

    /// Waits until it is ready.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_serving().await {
            if let Some(status) = self.ended()? {
                anyhow::bail!("{self} ended with {status} before it was ready:\n{}", self.said());
            }
            anyhow::ensure!(Instant::now() < deadline, "{self} was not ready in time:\n{}", self.said());
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Whether its health check answers SERVING.
    pub async fn is_serving(&self) -> bool {
        let Ok(endpoint) = Endpoint::from_shared(format!("http://{}", self.address)) else { return false };
        let Ok(channel) = endpoint.connect_timeout(Duration::from_secs(1)).connect().await else { return false };
        let mut client = HealthClient::new(channel);
        let asked = client.check(HealthCheckRequest::default());
        match tokio::time::timeout(Duration::from_secs(1), asked).await {
            Ok(Ok(answer)) => answer.get_ref().status() == ServingStatus::Serving,
            _ => false,
        }
    }

    /// Its exit status, if it has ended by itself.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let status = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Waits until it has ended by itself.
    pub async fn ends(&mut self) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            anyhow::ensure!(self.child.is_some(), "{self} does not run");
            anyhow::ensure!(Instant::now() < deadline, "{self} did not end in time:\n{}", self.said());
            sleep(LOOK).await;
        }
    }

    /// Sends SIGTERM, as a supervisor would. The process finishes the calls in hand.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal("TERM")
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // If it has ended by itself, both calls do nothing.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Suspends it (SIGSTOP): it neither answers nor closes its connections.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Ends [`pause`](Self::pause).
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let id = self.id().with_context(|| format!("{self} does not run"))?;
        let sent = Command::new("kill").args([&format!("-{signal}"), &id.to_string()]).status()?;
        anyhow::ensure!(sent.success(), "failed to send SIG{signal} to {self}");
        Ok(())
    }

    /// The end of its log.
    pub fn said(&self) -> String {
        last_of(&self.log).unwrap_or_else(|error| format!("(failed to read its log: {error})"))
    }
}

impl std::fmt::Display for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.member, self.number)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of the file at `path`.
pub(crate) fn last_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST)))?;
    let mut text = Vec::new();
    file.take(LAST).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let is_cut = length > LAST;
    Ok(text.split_once('\n').filter(|_| is_cut).map_or(text.clone(), |(_, rest)| rest.to_owned()))
}

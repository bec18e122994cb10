//! One process of one context.

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

/// How long a process may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);
/// How much of a log is shown, in bytes.
const LAST: u64 = 4_000;

/// One process of one context. What is left of it when this is dropped is killed.
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

/// How a [`Replica`] is started, every time.
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
    /// Starts the process; it is not ready yet.
    pub(crate) fn start(start: Start<'_>) -> anyhow::Result<Self> {
        let Start { member, number, address, jumak, config, data, log, env } = start;
        let (jumak, config) = (jumak.to_owned(), config.to_owned());
        let mut replica = Self { member, number, address, jumak, config, data, log, env, child: None };
        replica.start_again()?;
        Ok(replica)
    }

    /// Which context it is of.
    pub const fn member(&self) -> Member {
        self.member
    }

    /// Which of the context's processes it is, from 0.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Where it takes calls.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// From the next start on, the process has these variables instead of those before.
    pub fn set_env(&mut self, env: Variables) {
        self.env = env;
    }

    /// Starts the process again, at the same address and with the same configuration; it is not ready yet.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.child.is_none(), "{self} runs already");
        let log = File::options().create(true).append(true).open(&self.log)?;
        // It dies with us: the kernel tells it when its parent is gone.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.jumak).arg("serve").arg(self.member.name());
        command.arg("--listen").arg(self.address.to_string()).arg("--config").arg(&self.config);
        if let Some(data) = &self.data {
            command.arg("--data").arg(data);
        }
        // What is set for us is not meant for it.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("JUMAK_")) {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(servers::spawn(command).with_context(|| format!("{self} cannot be started"))?);
        Ok(())
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_serving().await {
            if let Some(status) = self.ended()? {
                anyhow::bail!("{self} ended with {status} before it was ready:\n{}", self.said());
            }
            anyhow::ensure!(Instant::now() < deadline, "{self} is not ready:\n{}", self.said());
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Whether it says that calls should come.
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

    /// How it ended, if it has ended by itself.
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
            anyhow::ensure!(Instant::now() < deadline, "{self} does not end:\n{}", self.said());
            sleep(LOOK).await;
        }
    }

    /// Asks it to stop, as a supervisor would; what is under way is finished first.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal("TERM")
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself: then both do nothing.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Stops it from running: it neither answers nor hangs up.
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
        anyhow::ensure!(sent.success(), "{self} could not be sent SIG{signal}");
        Ok(())
    }

    /// The last of what it has logged.
    pub fn said(&self) -> String {
        last_of(&self.log).unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
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

/// The end of the file at `path`, from the beginning of a line.
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

//! A server process that can be started, killed, paused and started again.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::net::TcpStream;
use uuid::Uuid;

/// How long a server may take to answer, or to stop.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);
/// The range in which free ports are chosen. It is below the ephemeral ports, so that an outgoing connection does not take a port between
/// its choice and the server's start or restart.
const PORTS: Range<u16> = 20_000..32_000;
/// How many ports to try.
const MAX_LOOKS: u32 = 100;

/// A server process that can be restarted with the same settings. Dropping this ends it.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// The system user as whom it runs if this process is root.
    user: Option<&'static str>,
    log: PathBuf,
    address: SocketAddr,
    /// The signal for a fast but orderly shutdown, such as `TERM`.
    stop_signal: &'static str,
    child: Option<Child>,
}

/// How to start a [`Server`].
#[derive(Debug)]
pub struct Start {
    pub name: &'static str,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub user: Option<&'static str>,
    pub log: PathBuf,
    pub address: SocketAddr,
    pub stop_signal: &'static str,
}

impl Server {
    /// Starts the server and waits until its port accepts connections.
    pub async fn start(start: Start) -> anyhow::Result<Self> {
        let Start { name, program, arguments, user, log, address, stop_signal } = start;
        let mut server = Self { name, program, arguments, user, log, address, stop_signal, child: None };
        server.start_again().await?;
        Ok(server)
    }

    /// The address on which it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it again, on the same port and data.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log)?;
        // The kernel signals the server when its parent ends, so that no server is left behind.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", self.stop_signal]);
        if let Some(user) = self.user {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.arg("--").arg(&self.program).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(spawn(command).with_context(|| format!("failed to start {}", self.name))?);
        self.answers().await
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).await.is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().transpose()).transpose()?;
            if let Some(status) = ended {
                self.child = None;
                anyhow::bail!("{} ended with {status} before it answered: {}", self.name, self.said());
            }
            anyhow::ensure!(Instant::now() < deadline, "{} did not answer in time: {}", self.name, self.said());
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The end of its log.
    pub fn said(&self) -> String {
        const LAST: usize = 2_000;
        let said = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&said[said.len().saturating_sub(LAST)..]).into_owned()
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Suspends it with its child processes. It neither answers nor closes its connections.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal("STOP")?;
        self.signal_children("STOP")
    }

    /// Ends [`pause`](Self::pause).
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal_children("CONT")?;
        self.signal("CONT")
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.id()?.to_string()]).status()?;
        anyhow::ensure!(sent.success(), "failed to send SIG{signal} to {}", self.name);
        Ok(())
    }

    fn signal_children(&self, signal: &str) -> anyhow::Result<()> {
        let id = self.id()?;
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        if !children.is_empty() {
            // A child that ends at this moment cannot be signalled and need not be.
            Command::new("kill").arg(format!("-{signal}")).args(children.split_whitespace()).status()?;
        }
        Ok(())
    }

    /// Its process id, while it runs.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().with_context(|| format!("{} does not run", self.name))?.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An orderly stop if possible, because a killed server leaves shared memory and child processes behind.
        if self.signal(self.stop_signal).is_ok() {
            let deadline = Instant::now() + Duration::from_secs(5);
            while let Some(child) = &mut self.child {
                if Instant::now() > deadline || !matches!(child.try_wait(), Ok(None)) {
                    break;
                }
                pause();
            }
        }
        self.kill();
    }
}

#[expect(clippy::disallowed_methods, reason = "a drop cannot await")]
fn pause() {
    std::thread::sleep(LOOK);
}

/// Starts the process from a thread that lives as long as the program. The kernel's parent-death signal is sent when the starting thread
/// ends, and not when the parent process ends.
pub fn spawn(mut command: Command) -> std::io::Result<Child> {
    use std::sync::{LazyLock, Mutex, mpsc};
    type Job = Box<dyn FnOnce() + Send>;
    static STARTER: LazyLock<Mutex<mpsc::Sender<Job>>> = LazyLock::new(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::spawn(move || queue.into_iter().for_each(|job| job()));
        Mutex::new(jobs)
    });
    let (answer, answered) = mpsc::channel();
    let job = Box::new(move || drop(answer.send(command.spawn())));
    let gone = || std::io::Error::other("the thread that starts servers has ended");
    STARTER.lock().unwrap_or_else(std::sync::PoisonError::into_inner).send(job).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

/// A free port of 127.0.0.1.
pub fn free_port() -> anyhow::Result<u16> {
    for _ in 0..MAX_LOOKS {
        // A random offset, because other processes look for ports at the same time.
        let offset = Uuid::new_v4().as_u128() % u128::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(offset)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port of 127.0.0.1 in {PORTS:?} is free")
}

/// The program's path: in `.tools/bin` of this project, else on the PATH, else in the folders where system packages put servers.
pub fn program(name: &str, also_in: &[&str]) -> anyhow::Result<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(tools)
        .chain(also_in.iter().map(PathBuf::from))
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("{name} is not installed; `scripts/install-tools.sh servers` installs it"))
}

/// Whether this process is root. Databases refuse to run as root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}

//! The mesh that one tries out: `make mesh` starts it and goes, `make mesh-down` stops it.
//!
//! A process of its own keeps it: it holds the lock of the mesh's folder, so that there is one mesh, and everybody can find out which
//! process that is.

mod banner;

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::ValueEnum;
use jumak::{cli::output, house::DataFolder};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use crate::{Engines, LocalMesh, Options, Ports, ports, replica::last_of};

/// How long everything may take to be ready: servers, databases, processes.
const START: Duration = Duration::from_secs(180);
/// How long everything may take to stop.
const STOP: Duration = Duration::from_secs(120);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);
/// How long a process that has ended stays away: one that cannot start must not take the whole machine.
const PAUSE: Duration = Duration::from_secs(1);
/// What the keeper has to say when the mesh is ready. Removed when it is not any more.
const READY: &str = "ready";
/// Where the keeper logs.
const LOG: &str = "mesh.log";

/// A mesh to try out.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The `jumak` binary.
    pub jumak: PathBuf,
    /// How many processes each context has.
    pub replicas: u16,
    /// Which engines the contexts are on.
    pub engines: Engines,
    /// The folder for keys, configurations and logs.
    pub folder: DataFolder,
    /// The first of the ports.
    pub port: u16,
}

impl Trial {
    /// Starts the mesh in processes that stay, unless it runs already; what there is to say about it.
    pub async fn up(&self) -> anyhow::Result<String> {
        if let Some(keeper) = self.folder.holder()? {
            let ready = self.is_ready().unwrap_or_else(|| "it is not ready yet".to_owned());
            return Ok(format!("the mesh runs already (process {keeper}); `make mesh-down` stops it\n\n{ready}"));
        }
        // Here, where somebody reads it: the keeper would say the same into its log.
        ports::choose(&self.options())?;
        self.folder.create()?;
        self.forget()?;
        let mut keeper = self.spawn_keeper()?;
        let deadline = Instant::now() + START;
        loop {
            if let Some(ready) = self.is_ready() {
                return Ok(ready);
            }
            if let Some(status) = keeper.try_wait()? {
                anyhow::bail!("the mesh did not start ({status}): {}", self.last_words());
            }
            if Instant::now() > deadline {
                drop(keeper.kill());
                anyhow::bail!("the mesh was not ready within {} s: {}", START.as_secs(), self.last_words());
            }
            sleep(LOOK).await;
        }
    }

    /// Stops the mesh; what there is to say about it.
    pub async fn down(&self) -> anyhow::Result<String> {
        let Some(keeper) = self.folder.holder()? else { return Ok("no mesh runs".to_owned()) };
        let asked = Command::new("kill").args(["-TERM", &keeper.to_string()]).status()?;
        anyhow::ensure!(asked.success(), "process {keeper}, which keeps the mesh, cannot be asked to stop");
        let deadline = Instant::now() + STOP;
        while self.folder.is_locked()? {
            anyhow::ensure!(Instant::now() < deadline, "process {keeper}, which keeps the mesh, does not stop");
            sleep(LOOK).await;
        }
        Ok("the mesh has stopped, and what its servers held is gone".to_owned())
    }

    /// Keeps a mesh, from its start until it is told to stop.
    pub async fn keep(&self) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // Whoever started us may leave.
        let _hangup = signal(SignalKind::hangup())?;
        let begun = Instant::now();
        let mut mesh = tokio::select! {
            started = LocalMesh::start(self.options()) => started?,
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        };
        self.announce(&banner::banner(&mesh, begun.elapsed())?)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            ended = supervise(&mut mesh) => ended?,
        }
        self.forget()?;
        mesh.stop().await
    }

    fn options(&self) -> Options {
        Options {
            replicas: self.replicas,
            engines: self.engines,
            folder: Some(self.folder.path().to_owned()),
            ports: Ports::From(self.port),
            ..Options::new(&self.jumak)
        }
    }

    /// Ourselves once more, as a process that outlives us and our terminal.
    fn spawn_keeper(&self) -> anyhow::Result<Child> {
        let log = File::create(self.path(LOG))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("keep").arg("--folder").arg(self.folder.path()).arg("--jumak").arg(&self.jumak);
        command.args(["--replicas", &self.replicas.to_string(), "--port", &self.port.to_string()]);
        if let Some(engines) = self.engines.to_possible_value() {
            command.args(["--engines", engines.get_name()]);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        command.spawn().context("the process that keeps the mesh cannot be started")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All at once, so that nobody reads half of it.
    fn announce(&self, text: &str) -> anyhow::Result<()> {
        let draft = self.path(".ready");
        fs::write(&draft, text)?;
        Ok(fs::rename(draft, self.path(READY))?)
    }

    fn is_ready(&self) -> Option<String> {
        fs::read_to_string(self.path(READY)).ok()
    }

    fn forget(&self) -> anyhow::Result<()> {
        match fs::remove_file(self.path(READY)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn last_words(&self) -> String {
        let log: &Path = &self.path(LOG);
        let said = last_of(log).unwrap_or_default();
        format!("{}\n(all of it is in {})", said.trim_end(), log.display())
    }
}

/// Starts every process again that has ended by itself, as a supervisor does; somebody may have killed it to see what happens.
async fn supervise(mesh: &mut LocalMesh) -> anyhow::Result<()> {
    loop {
        sleep(PAUSE).await;
        for replica in mesh.replicas_mut() {
            if let Some(status) = replica.ended()? {
                output::note(format_args!("{replica} ended with {status} and is started again"));
                replica.start_again()?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(folder: &Path, port: u16) -> Trial {
        Trial {
            jumak: PathBuf::from("/nowhere/jumak"),
            replicas: 1,
            engines: Engines::Polyglot,
            folder: DataFolder::at(folder),
            port,
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_said_on_one_line_before_anything_is_started() {
        let folder = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let said = trial(&folder.path().join("mesh"), port).up().await.unwrap_err().to_string();
        assert!(said.contains(&format!("port {port} of 127.0.0.1 cannot be had")), "{said}");
        assert_eq!(said.lines().count(), 1);
        assert!(!folder.path().join("mesh").exists());
    }

    #[tokio::test]
    async fn a_mesh_that_runs_is_not_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let trial = trial(folder.path(), 8090);
        assert_eq!(trial.down().await.unwrap(), "no mesh runs");
        let _keeper = trial.folder.lock().unwrap();
        trial.announce("room at 127.0.0.1:8092").unwrap();
        let said = trial.up().await.unwrap();
        assert!(said.contains("the mesh runs already (process"), "{said}");
        assert!(said.contains("room at 127.0.0.1:8092"), "{said}");
    }
}

//! The mesh of `make mesh`, which starts it and returns, and of `make mesh-down`, which stops it.
//!
//! A process of its own, the keeper, keeps the mesh running. It holds the lock of the mesh's folder, so that there is only one mesh, and
//! the lock file contains its process id.

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

/// How long the servers, databases and processes may take to become ready.
const START: Duration = Duration::from_secs(180);
/// How long everything may take to stop.
const STOP: Duration = Duration::from_secs(120);
/// The pause between two checks.
const LOOK: Duration = Duration::from_millis(100);
/// The pause before a process that has ended is started again, so that a process that cannot start does not keep the machine busy.
const PAUSE: Duration = Duration::from_secs(1);
/// The keeper writes this file when the mesh is ready, with the text to print. It is removed when the mesh stops.
const READY: &str = "ready";
/// The keeper's log.
const LOG: &str = "mesh.log";

/// The mesh of `make mesh`.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The `jumak` binary.
    pub jumak: PathBuf,
    /// The number of processes of each context.
    pub replicas: u16,
    /// The engines of the contexts' databases.
    pub engines: Engines,
    /// The folder for keys, configurations and logs.
    pub folder: DataFolder,
    /// The first port.
    pub port: u16,
}

impl Trial {
    /// Starts the mesh unless it runs already, and returns the text to print. The processes keep running.
    pub async fn up(&self) -> anyhow::Result<String> {
        if let Some(keeper) = self.folder.holder()? {
            let ready = self.is_ready().unwrap_or_else(|| "it is not ready yet".to_owned());
            return Ok(format!("the mesh runs already (process {keeper}); `make mesh-down` stops it\n\n{ready}"));
        }
        // Checked here so that the user sees the error. The keeper would only log it.
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

    /// Stops the mesh, and returns the text to print.
    pub async fn down(&self) -> anyhow::Result<String> {
        let Some(keeper) = self.folder.holder()? else { return Ok("no mesh runs".to_owned()) };
        let asked = Command::new("kill").args(["-TERM", &keeper.to_string()]).status()?;
        anyhow::ensure!(asked.success(), "failed to send SIGTERM to process {keeper}, which keeps the mesh");
        let deadline = Instant::now() + STOP;
        while self.folder.is_locked()? {
            anyhow::ensure!(Instant::now() < deadline, "process {keeper}, which keeps the mesh, did not stop in time");
            sleep(LOOK).await;
        }
        Ok("the mesh has stopped, and its servers' data is deleted".to_owned())
    }

    /// Runs the keeper: starts the mesh, restarts its processes, and stops it on SIGTERM.
    pub async fn keep(&self) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // SIGHUP is ignored, so that the mesh survives the terminal that started it.
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

    /// Starts this program again as the keeper, which outlives this process and its terminal.
    fn spawn_keeper(&self) -> anyhow::Result<Child> {
        let log = File::create(self.path(LOG))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("keep").arg("--folder").arg(self.folder.path()).arg("--jumak").arg(&self.jumak);
        command.args(["--replicas", &self.replicas.to_string(), "--port", &self.port.to_string()]);
        if let Some(engines) = self.engines.to_possible_value() {
            command.args(["--engines", engines.get_name()]);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        command.spawn().context("failed to start the process that keeps the mesh")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Written under another name and renamed, so that no reader sees an incomplete file.
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
        format!("{}\n(the whole log is {})", said.trim_end(), log.display())
    }
}

/// Restarts every process that has ended by itself, as a supervisor does. A user may kill one to see what happens.
async fn supervise(mesh: &mut LocalMesh) -> anyhow::Result<()> {
    loop {
        sleep(PAUSE).await;
        for replica in mesh.replicas_mut() {
            if let Some(status) = replica.ended()? {
                output::note(format_args!("{replica} ended with {status}, restarting it"));
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
    async fn a_port_in_use_is_reported_on_one_line_before_anything_is_started() {
        let folder = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let said = trial(&folder.path().join("mesh"), port).up().await.unwrap_err().to_string();
        assert!(said.contains(&format!("port {port} of 127.0.0.1 is not free")), "{said}");
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

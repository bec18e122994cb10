//! nats-server with JetStream. It syncs its data five times a second. If a power cut loses acknowledged events, the contexts publish them
//! again from their outboxes. Dead letters are in no outbox, so production brokers sync always.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::process::{Server, Start, free_port, program};

/// How many ports to try. Another program may take a free port before the server listens on it.
const TRIES: u32 = 5;

/// The users and their permissions.
#[derive(Clone, Default)]
pub struct NatsOptions {
    /// The value of `accounts` in nats-server's configuration, with the users' passwords. None: every client may do everything.
    pub accounts: Option<String>,
}

/// A nats-server on a port of its own. Dropping this ends it and removes its data.
#[derive(Debug)]
pub struct Nats {
    // Dropped before the folder, so that the server has stopped when the folder is removed.
    server: Server,
    folder: TempDir,
}

/// A copy of a server's data.
#[derive(Debug)]
pub struct SavedNats(TempDir);

impl Nats {
    /// Starts an empty server.
    pub async fn start(options: NatsOptions) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("jumak-nats-").tempdir()?;
        let program = program("nats-server", &[])?;
        let mut tried = 1;
        loop {
            let port = free_port()?;
            let config = folder.path().join("nats.conf");
            fs::write(&config, configuration(&options, port, &data_in(folder.path())))?;
            let started = Server::start(Start {
                name: "nats-server",
                program: program.clone(),
                arguments: vec!["--config".to_owned(), config.display().to_string()],
                user: None,
                log: folder.path().join("nats.log"),
                address: ([127, 0, 0, 1], port).into(),
                stop_signal: "TERM",
            });
            match started.await {
                Ok(server) => return Ok(Self { server, folder }),
                Err(_) if tried < TRIES => tried += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Its URL, for `bus.url`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.server.address())
    }

    /// The end of its log.
    pub fn said(&self) -> String {
        self.server.said()
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again on the same port and data.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.server.start_again().await
    }

    /// Suspends it: it neither answers nor closes its connections.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.server.pause()
    }

    /// Ends [`pause`](Self::pause).
    pub fn resume(&self) -> anyhow::Result<()> {
        self.server.resume()
    }

    /// Kills it and removes all its data, with streams and consumers.
    pub fn wipe(&mut self) -> anyhow::Result<()> {
        self.kill();
        remove(&self.data())
    }

    /// Kills it and keeps a copy of its data.
    pub fn save(&mut self) -> anyhow::Result<SavedNats> {
        self.kill();
        let saved = tempfile::tempdir()?;
        copy(&self.data(), &data_in(saved.path()))?;
        Ok(SavedNats(saved))
    }

    /// Kills it and replaces its data by the copy.
    pub fn restore(&mut self, saved: &SavedNats) -> anyhow::Result<()> {
        self.kill();
        remove(&self.data())?;
        copy(&data_in(saved.0.path()), &self.data())
    }

    fn data(&self) -> PathBuf {
        data_in(self.folder.path())
    }
}

fn data_in(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn configuration(options: &NatsOptions, port: u16, data: &Path) -> String {
    let accounts = options.accounts.as_ref().map_or_else(String::new, |accounts| format!("accounts: {accounts}\n"));
    format!(
        "listen: \"127.0.0.1:{port}\"\nserver_name: jumak\njetstream {{ store_dir: {data:?}, sync_interval: 200ms }}\n{accounts}"
    )
}

/// Removes a folder if it exists.
fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("failed to read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

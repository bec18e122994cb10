//! nats-server with JetStream, which syncs what it has stored five times a second. What it had acknowledged and a power cut takes is
//! published again: the outboxes keep it. Dead letters are not in an outbox, so production brokers sync always.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::process::{Server, Start, free_port, program};

/// Somebody else may take a port between our finding it free and the server's asking for it.
const TRIES: u32 = 5;

/// Who may connect, and what they may do.
#[derive(Clone, Default)]
pub struct NatsOptions {
    /// The value of `accounts` in nats-server's configuration, with the users' passwords. None: anybody may do everything.
    pub accounts: Option<String>,
}

/// A nats-server on a port of its own. It is gone with its data when this is dropped.
#[derive(Debug)]
pub struct Nats {
    // Before the folder, so that it has stopped when that is removed.
    server: Server,
    folder: TempDir,
}

/// What a server's data was at one moment.
#[derive(Debug)]
pub struct SavedNats(TempDir);

impl Nats {
    /// Starts a server with nothing in it.
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

    /// Where it listens, for `bus.url`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.server.address())
    }

    /// The last of what it has logged.
    pub fn said(&self) -> String {
        self.server.said()
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again on the same port, with the data that there is.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.server.start_again().await
    }

    /// Stops it from running: it neither answers nor hangs up.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.server.pause()
    }

    /// Ends [`pause`](Self::pause).
    pub fn resume(&self) -> anyhow::Result<()> {
        self.server.resume()
    }

    /// Kills it and takes its data away: streams, consumers, everything.
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

    /// Kills it and gives it the data that it had then.
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

/// Removes a folder that may not be there.
fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
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

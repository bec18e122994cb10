//! The mesh as a whole.

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use jumak::{
    cli::target::{LOCAL_MESH_POSTGRES, OPERATORS},
    house::{DataFolder, Member},
};
use mesh::{Role, config::Config};
use servers::{MariaDb, Nats, Postgres};
use tempfile::TempDir;

use crate::{
    Options, Replica, Variables,
    bus::Users,
    databases::{Databases, is_in_a_file},
    files::{self, Facts},
    identities::Identities,
    ports,
    replica::Start,
};

/// A running mesh. Dropping it kills all processes; [`stop`](Self::stop) lets them finish the calls in hand.
#[derive(Debug)]
pub struct LocalMesh {
    // Dropped in this order: callers before callees, so that no process logs errors about a missing one.
    replicas: BTreeMap<Member, Vec<Replica>>,
    nats: Nats,
    databases: Databases,
    config: Config,
    folder: DataFolder,
    _ephemeral: Option<TempDir>,
}

impl LocalMesh {
    /// Starts everything, and returns when every process is ready.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        anyhow::ensure!((1..=9).contains(&options.replicas), "a mesh has 1 to 9 replicas of each context");
        let program = &options.jumak;
        anyhow::ensure!(program.is_file(), "there is no {}; `make build` makes it", program.display());
        let addresses = ports::choose(&options)?;
        let (folder, ephemeral) = match &options.folder {
            Some(path) => (DataFolder::at(path), None),
            None => {
                let temporary = tempfile::Builder::new().prefix("jumak-mesh-").tempdir()?;
                (DataFolder::at(temporary.path()), Some(temporary))
            }
        };
        folder.create()?;
        let (logs, outside) = (folder.path().join("logs"), DataFolder::at(folder.path().join("provider")));
        // The servers' databases begin empty, so the provider's must too: the audit would report an old charge as unknown.
        for leftover in [&logs, &outside.path().to_owned()] {
            unless_gone(leftover, fs::remove_dir_all(leftover))?;
        }
        fs::create_dir(&logs)?;
        outside.create()?;

        let identities = Identities::make(&folder)?;
        let users = Users::new();
        let (nats, databases) = tokio::try_join!(
            Nats::start(users.options()),
            Databases::start(&outside, options.servers, options.engines)
        )?;
        let users = users.at(nats.url());
        let facts = Facts {
            addresses: &addresses,
            databases: &databases.urls,
            identities: &identities,
            users: &users,
            over: &options.config,
        };
        let operators = facts.write_operators(&folder)?;
        files::write(&folder.path().join(LOCAL_MESH_POSTGRES), &databases.postgres_url())?;
        let mut replicas = BTreeMap::new();
        for (member, addresses) in &addresses {
            let config = facts.write_context(&folder, *member)?;
            let mut of_member = Vec::with_capacity(addresses.len());
            for (number, address) in (0..).zip(addresses) {
                of_member.push(Replica::start(Start {
                    member: *member,
                    number,
                    address: *address,
                    jumak: program,
                    config: &config,
                    data: is_in_a_file(*member).then(|| outside.path().to_owned()),
                    log: logs.join(format!("{member}-{number}.log")),
                    env: options.env.get(member).cloned().unwrap_or_default(),
                })?);
            }
            replicas.insert(*member, of_member);
        }
        let config = Config::from_sources(Some(&operators), [], &Member::configured())?;
        let mut mesh = Self { replicas, nats, databases, config, folder, _ephemeral: ephemeral };
        mesh.ready().await?;
        Ok(mesh)
    }

    /// Waits until every process that runs is ready.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        for replica in self.replicas.values_mut().flatten() {
            replica.ready().await?;
        }
        Ok(())
    }

    /// The folder with keys, configurations and logs.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// The operator's configuration, with every address and every database.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The file of the operator's configuration.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join(OPERATORS)
    }

    /// The URL of a context's database, with the password.
    pub fn database_url(&self, member: Member) -> Option<&str> {
        self.databases.urls.get(&member).map(String::as_str)
    }

    /// The address of a replica; replicas are numbered from 0.
    pub fn address(&self, member: Member, replica: u16) -> anyhow::Result<SocketAddr> {
        self.replicas
            .get(&member)
            .and_then(|replicas| replicas.get(usize::from(replica)))
            .map(Replica::address)
            .with_context(|| format!("there is no {member} {replica}"))
    }

    /// One process.
    pub fn replica(&mut self, member: Member, replica: u16) -> anyhow::Result<&mut Replica> {
        self.replicas
            .get_mut(&member)
            .and_then(|replicas| replicas.get_mut(usize::from(replica)))
            .with_context(|| format!("there is no {member} {replica}"))
    }

    /// All processes, callees before callers.
    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.values().flatten()
    }

    /// The same, mutable.
    pub fn replicas_mut(&mut self) -> impl Iterator<Item = &mut Replica> {
        self.replicas.values_mut().flatten()
    }

    /// Kills a process, as a power cut would.
    pub fn kill(&mut self, member: Member, replica: u16) -> anyhow::Result<()> {
        self.replica(member, replica)?.kill();
        Ok(())
    }

    /// Kills a process if it still runs, starts it again with these variables, and waits until it is ready.
    pub async fn restart(&mut self, member: Member, replica: u16, env: Variables) -> anyhow::Result<()> {
        let replica = self.replica(member, replica)?;
        replica.kill();
        replica.set_env(env);
        replica.start_again()?;
        replica.ready().await
    }

    /// The bus's server.
    pub fn nats(&mut self) -> &mut Nats {
        &mut self.nats
    }

    /// The PostgreSQL server, if it belongs to this mesh alone. Rooms, reservations and my page are always on it.
    pub fn postgres(&mut self) -> anyhow::Result<&mut Postgres> {
        Ok(&mut self.databases.own()?.postgres)
    }

    /// The MariaDB server with payment's database, if it belongs to this mesh alone.
    pub fn mariadb(&mut self) -> anyhow::Result<&mut MariaDb> {
        self.databases.own()?.mariadb.as_mut().context("no context of this mesh is on MariaDB")
    }

    /// Deletes all data of a context on PostgreSQL. The context must not run.
    pub async fn forget(&self, member: Member) -> anyhow::Result<()> {
        self.databases.empty(member).await
    }

    /// A token for the user `subject`.
    pub fn mint(&self, subject: &str, roles: &[Role], lifetime: Duration) -> anyhow::Result<String> {
        jumak::embedded::Keyring::open(&self.folder, &self.config.auth, [])?.mint(subject, roles, lifetime)
    }

    /// Stops every process in order, callers before callees, and then the servers.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        // First, so that it happens even if a process fails to stop.
        forget_the_way(self.folder.path())?;
        for (_, mut replicas) in std::mem::take(&mut self.replicas).into_iter().rev() {
            for replica in replicas.iter().filter(|replica| replica.id().is_some()) {
                replica.terminate()?;
            }
            for replica in &mut replicas {
                if replica.id().is_some() {
                    let status = replica.ends().await?;
                    anyhow::ensure!(status.success(), "{replica} ended with {status}:\n{}", replica.said());
                }
            }
        }
        Ok(())
    }
}

/// Removes the files with passwords and addresses of a mesh that is about to stop. Its ports may soon belong to other programs.
fn forget_the_way(folder: &Path) -> anyhow::Result<()> {
    for name in [OPERATORS, LOCAL_MESH_POSTGRES] {
        let file = folder.join(name);
        unless_gone(&file, fs::remove_file(&file))?;
    }
    Ok(())
}

fn unless_gone(path: &Path, removed: io::Result<()>) -> anyhow::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_with_passwords_and_addresses_are_removed_also_if_some_are_missing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOCAL_MESH_POSTGRES), "postgres://postgres:secret@127.0.0.1/postgres").unwrap();
        forget_the_way(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

//! A system in either shape (embedded or mesh), running or stopped.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jumak::{
    embedded::{Data, Options, System},
    house::{DataFolder, Member},
};
use local_mesh::{LocalMesh, Servers};
use mesh::{Database, config::Config};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use tonic::transport::Channel;

use super::{
    connect,
    setup::{Setup, Shape},
    switchboard::Switchboard,
};

/// Connections that a test has to one database.
const CONNECTIONS: u32 = 4;

/// A running system.
pub enum House {
    Embedded { system: Box<System>, kept: TempDir },
    Mesh(Box<Mutex<LocalMesh>>),
}

/// A stopped system with its data.
pub enum StoppedHouse {
    Embedded { kept: TempDir },
    Mesh(Box<LocalMesh>),
}

impl House {
    /// Starts a new system in the shape that the environment names.
    pub async fn open(setup: &Setup) -> Self {
        match Shape::chosen() {
            Shape::Embedded => {
                let kept = tempfile::tempdir().expect("a temporary folder");
                Self::embedded(kept, setup).await
            }
            Shape::Mesh => {
                let jumak = Path::new(env!("CARGO_BIN_EXE_jumak"));
                let options = local_mesh::Options {
                    config: setup.config.clone(),
                    servers: Servers::Shared,
                    ..local_mesh::Options::new(jumak)
                };
                let house = Self::mesh(options).await;
                if setup.without_my_page {
                    house.running_mesh().await.kill(Member::MYPAGE, 0).expect("it ran");
                }
                house
            }
        }
    }

    /// Starts a new mesh.
    pub async fn mesh(options: local_mesh::Options) -> Self {
        let mesh = LocalMesh::start(options).await.expect("the mesh starts");
        Self::Mesh(Box::new(Mutex::new(mesh)))
    }

    /// The mesh; panics for an embedded system.
    pub async fn running_mesh(&self) -> MutexGuard<'_, LocalMesh> {
        match self {
            Self::Embedded { .. } => panic!("this house is one process"),
            Self::Mesh(mesh) => mesh.lock().await,
        }
    }

    async fn embedded(kept: TempDir, setup: &Setup) -> Self {
        let file = kept.path().join("config.toml");
        std::fs::write(&file, setup.config.to_string()).expect("a file");
        let listen = [("JUMAK_LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
        let config = Config::from_sources(Some(&file), listen, &Member::configured()).expect("a configuration");
        let options = Options::new(config, Data::Folder(kept.path().join("data")));
        let left_out: &[Member] = if setup.without_my_page { &[Member::MYPAGE] } else { &[] };
        let system = System::start(options.without(left_out)).await.expect("the system starts");
        Self::Embedded { system: Box::new(system), kept }
    }

    /// The folder with the keys, and the configuration for commands on this system.
    pub async fn place(&self) -> (DataFolder, Config) {
        match self {
            Self::Embedded { system, .. } => (system.folder().clone(), system.config().clone()),
            Self::Mesh(mesh) => {
                let mesh = mesh.lock().await;
                (mesh.folder().clone(), mesh.config().clone())
            }
        }
    }

    /// New connections.
    pub async fn connection(&self) -> Switchboard {
        match self {
            Self::Embedded { system, .. } => connect(&format!("http://{}", system.address())).await.into(),
            Self::Mesh(mesh) => {
                let mesh = mesh.lock().await;
                let mut channels = BTreeMap::new();
                for member in Member::ALL {
                    let address = mesh.address(member, 0).expect("an address");
                    channels.insert(member.name(), lazily(&format!("http://{address}")));
                }
                Switchboard::Each(Arc::new(channels))
            }
        }
    }

    /// The database of a context.
    pub async fn database(&self, context: &str) -> Database {
        match self {
            Self::Embedded { system, .. } => system.database(context).expect("its database").clone(),
            Self::Mesh(mesh) => {
                let url = mesh.lock().await.config().database_url(context).expect("its database's URL").to_owned();
                Database::connect(&url, CONNECTIONS).await.expect("a connection")
            }
        }
    }

    /// Makes the other contexts' calls to this one fail.
    pub async fn cut_off(&self, context: &str) {
        match self {
            Self::Embedded { system, .. } => system.cut_off(context),
            Self::Mesh(mesh) => mesh.lock().await.kill(named(context), 0).expect("it ran"),
        }
    }

    /// Ends [`cut_off`](Self::cut_off).
    pub async fn reconnect(&self, context: &str) {
        match self {
            Self::Embedded { system, .. } => system.reconnect(context),
            Self::Mesh(mesh) => {
                mesh.lock().await.restart(named(context), 0, Vec::new()).await.expect("it starts again");
            }
        }
    }

    /// Stops everything in order, and keeps the data.
    pub async fn rests(self) -> StoppedHouse {
        match self {
            Self::Embedded { system, kept } => {
                system.stop().await.expect("the system stops");
                StoppedHouse::Embedded { kept }
            }
            Self::Mesh(mesh) => {
                let mut mesh = Box::new(mesh.into_inner());
                for member in Member::ALL.into_iter().rev() {
                    let replica = mesh.replica(member, 0).expect("a replica");
                    if replica.id().is_some() {
                        replica.terminate().expect("it can be asked");
                        let status = replica.ends().await.expect("it ends");
                        assert!(status.success(), "{member} ended with {status}: {}", replica.said());
                    }
                }
                StoppedHouse::Mesh(mesh)
            }
        }
    }

    /// Stops everything in order, and removes the data.
    pub async fn close(self) {
        match self {
            Self::Embedded { system, .. } => system.stop().await.expect("the system stops"),
            Self::Mesh(mesh) => mesh.into_inner().stop().await.expect("the mesh stops"),
        }
    }
}

impl StoppedHouse {
    /// Starts the system again.
    pub async fn opens(self, setup: &Setup) -> House {
        match self {
            Self::Embedded { kept } => House::embedded(kept, setup).await,
            Self::Mesh(mut mesh) => {
                assert!(setup.config.is_empty(), "a mesh is configured once");
                for member in Member::ALL {
                    if !(setup.without_my_page && member == Member::MYPAGE) {
                        mesh.restart(member, 0, Vec::new()).await.expect("it starts again");
                    }
                }
                House::Mesh(Box::new(Mutex::new(*mesh)))
            }
        }
    }

    /// Deletes my page's database.
    pub async fn forgets_my_page(&mut self) {
        match self {
            Self::Embedded { kept } => {
                let file = DataFolder::at(kept.path().join("data")).database_file("mypage");
                for suffix in ["", "-wal", "-shm"] {
                    let mut name = file.clone().into_os_string();
                    name.push(suffix);
                    let path = Path::new(&name);
                    if path.exists() {
                        std::fs::remove_file(path).expect("removed");
                    }
                }
            }
            Self::Mesh(mesh) => forget_my_page(mesh).await,
        }
    }
}

/// Deletes my page's database. My page must not run.
pub async fn forget_my_page(mesh: &LocalMesh) {
    mesh.forget(Member::MYPAGE).await.expect("an empty database");
}

fn named(context: &str) -> Member {
    Member::named(context).unwrap_or_else(|| panic!("there is no context {context}"))
}

/// Connects at the first use, and reconnects when the connection is lost.
fn lazily(uri: &str) -> Channel {
    tonic::transport::Endpoint::from_shared(uri.to_owned()).expect("an address").connect_lazy()
}

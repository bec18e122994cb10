//! The databases: two servers, with a database and a user for each context on them.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;
use jumak::house::{DataFolder, Member};
use mesh::context::Rank;
use servers::{Durability, MariaDb, Postgres};
use tokio::sync::OnceCell;
use url::Url;
use uuid::Uuid;

use crate::{Engines, Servers};

/// Whether the context's database is a SQLite file. An outside context, such as the provider, is not on our servers.
pub(crate) fn is_in_a_file(member: Member) -> bool {
    member.rank == Rank::Outside
}

/// The servers, and the URL of each context's database.
#[derive(Debug)]
pub(crate) struct Databases {
    held: Held,
    pub urls: BTreeMap<Member, String>,
}

#[derive(Debug)]
enum Held {
    Own(Box<DatabaseServers>),
    Shared(&'static DatabaseServers),
}

#[derive(Debug)]
pub(crate) struct DatabaseServers {
    pub postgres: Postgres,
    /// None if no context is on it.
    pub mariadb: Option<MariaDb>,
}

impl DatabaseServers {
    async fn start(engines: Engines, durability: Durability, is_tight: bool) -> anyhow::Result<Self> {
        let mariadb = async {
            match engines {
                Engines::Polyglot if is_tight => Ok(Some(MariaDb::start_tight(durability).await?)),
                Engines::Polyglot => Ok(Some(MariaDb::start(durability).await?)),
                Engines::Postgres => Ok(None),
            }
        };
        let (postgres, mariadb) = tokio::try_join!(Postgres::start(durability), mariadb)?;
        Ok(Self { postgres, mariadb })
    }
}

impl Databases {
    /// Makes the contexts' databases, on new servers or on shared ones.
    pub async fn start(outside: &DataFolder, servers: Servers, engines: Engines) -> anyhow::Result<Self> {
        static SHARED: OnceCell<DatabaseServers> = OnceCell::const_new();
        static MESHES: AtomicU32 = AtomicU32::new(0);
        let (held, suffix) = match servers {
            Servers::Own | Servers::Tight => {
                let is_tight = servers == Servers::Tight;
                let own = DatabaseServers::start(engines, Durability::Full, is_tight).await?;
                (Held::Own(Box::new(own)), String::new())
            }
            Servers::Shared => {
                let all = || DatabaseServers::start(Engines::Polyglot, Durability::Off, false);
                let shared = SHARED.get_or_try_init(all).await?;
                (Held::Shared(shared), format!("_{}", MESHES.fetch_add(1, Ordering::Relaxed)))
            }
        };
        let DatabaseServers { postgres, mariadb } = held.get();
        let mut urls = BTreeMap::new();
        for member in Member::ALL {
            let name = format!("{member}{suffix}");
            // Payment's database is on MariaDB unless all are on PostgreSQL, so that tests cover both engines.
            let mariadb = mariadb.as_ref().filter(|_| engines == Engines::Polyglot && member == Member::PAYMENT);
            let url = match mariadb {
                _ if is_in_a_file(member) => in_file(&outside.database_file(member.name()))?,
                Some(mariadb) => in_mariadb(mariadb, &name).await?,
                None => in_postgres(postgres, &name).await?,
            };
            urls.insert(member, url);
        }
        Ok(Self { held, urls })
    }

    /// The URL of the PostgreSQL server, for its owner. Every mesh has this server.
    pub fn postgres_url(&self) -> String {
        self.held.get().postgres.url("postgres")
    }

    /// The servers, if they belong to this mesh alone.
    pub fn own(&mut self) -> anyhow::Result<&mut DatabaseServers> {
        match &mut self.held {
            Held::Own(servers) => Ok(servers),
            Held::Shared(_) => anyhow::bail!("other meshes share the database servers"),
        }
    }

    /// Replaces a context's database on PostgreSQL by an empty one.
    pub async fn empty(&self, member: Member) -> anyhow::Result<()> {
        let url = self.urls.get(&member).filter(|url| url.starts_with("postgres:"));
        let url = Url::parse(url.with_context(|| format!("the database of {member} is not on PostgreSQL"))?)?;
        let (name, postgres) = (url.path().trim_start_matches('/'), &self.held.get().postgres);
        postgres.drop_database(name).await?;
        postgres.create_database(name).await?;
        give(postgres, name).await
    }
}

impl Held {
    fn get(&self) -> &DatabaseServers {
        match self {
            Self::Own(servers) => servers,
            Self::Shared(servers) => servers,
        }
    }
}

fn in_file(file: &Path) -> anyhow::Result<String> {
    let mut url = Url::parse("sqlite:///")?;
    url.set_path(&file.to_string_lossy());
    Ok(url.to_string())
}

/// Makes a database with a role of its own. No other role may connect to it.
async fn in_postgres(server: &Postgres, name: &str) -> anyhow::Result<String> {
    let password = password();
    server.create_database(name).await?;
    server.execute(&format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'")).await?;
    give(server, name).await?;
    as_user(&server.url(name), name, &password)
}

/// Makes the role of the same name the owner of a database.
async fn give(server: &Postgres, name: &str) -> anyhow::Result<()> {
    server.execute(&format!("ALTER DATABASE {name} OWNER TO {name}")).await?;
    server.execute(&format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")).await
}

async fn in_mariadb(server: &MariaDb, name: &str) -> anyhow::Result<String> {
    let password = password();
    server.create_database(name).await?;
    server.execute(&format!("CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY '{password}'")).await?;
    server.execute(&format!("GRANT ALL ON {name}.* TO '{name}'@'127.0.0.1'")).await?;
    as_user(&server.url(name), name, &password)
}

/// A random password of hexadecimal digits, so that SQL and URLs need no escaping.
pub(crate) fn password() -> String {
    Uuid::new_v4().simple().to_string()
}

fn as_user(url: &str, user: &str, password: &str) -> anyhow::Result<String> {
    let mut url = Url::parse(url)?;
    let set = url.set_username(user).and_then(|()| url.set_password(Some(password)));
    anyhow::ensure!(set.is_ok(), "the database's URL cannot have a user");
    Ok(url.to_string())
}

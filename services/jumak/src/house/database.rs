//! A context's database, wherever it is.

use anyhow::Context as _;
use mesh::{Database, config::Config};

use super::{DataFolder, Member};

/// Opens the context's database: the one that is configured, or else a file of its own in `folder`, which is marked as this version's.
pub async fn open(member: Member, folder: Option<&DataFolder>, config: &Config) -> anyhow::Result<Database> {
    let max_connections = config.database.max_connections;
    let database = match (config.database_url(member.name()), folder) {
        (Some(url), _) => Database::connect(url, max_connections).await,
        (None, Some(folder)) => {
            folder.mark()?;
            let file = folder.database_file(member.name());
            folder.create_file(&file)?;
            Database::open_file(&file, max_connections).await
        }
        (None, None) => anyhow::bail!("contexts.{member}.database_url is not set, and there is no data folder"),
    };
    database.with_context(|| format!("the database of {member} cannot be opened"))
}

/// Brings the context's database up to date, and tells which steps that took.
pub async fn migrate(member: Member, database: &Database) -> anyhow::Result<Vec<String>> {
    member
        .schema
        .migrate(database)
        .await
        .with_context(|| format!("the database of {member} cannot be brought up to date"))
}

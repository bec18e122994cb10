//! Opens and migrates a context's database.

use anyhow::Context as _;
use mesh::{Database, config::Config};

use super::{DataFolder, Member};

/// Opens the context's database: the configured one, or else its SQLite file in `folder`. In the second case it first marks the folder
/// with this version.
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
    database.with_context(|| format!("failed to open the database of {member}"))
}

/// Migrates the context's database, and returns the steps that were applied.
pub async fn migrate(member: Member, database: &Database) -> anyhow::Result<Vec<String>> {
    member.schema.migrate(database).await.with_context(|| format!("failed to migrate the database of {member}"))
}

//! Brings a database up to date, by one process at a time.

use futures::FutureExt as _;
use mesh_foundation::error::Error;

use super::{
    lease::{self, Timing},
    loss,
    migrator::{self, MigratorTrait, SchemaManager},
    version,
};
use crate::db::{Database, Engine};

/// Applies the migrator's missing steps to a context's database, and returns their names. Processes that do so at the same time wait for
/// one another, for five minutes at most; the later ones find nothing left to do. Data that this version does not understand is left
/// unchanged ([`version::Incompatible`]), and so is a file that has lost what it had acknowledged ([`loss::Lost`]).
pub async fn migrate(database: &Database, migrator: &(impl MigratorTrait + Sync)) -> Result<Vec<String>, Error> {
    let pending = pending(database, migrator).await?;
    let is_marked = version::check(database.read()).await?.is_some_and(|version| version.format == version::FORMAT);
    if pending.is_empty() && is_marked {
        return Ok(pending);
    }
    if database.engine() == Engine::Sqlite {
        // Its one write transaction is the lock, and either all steps are applied or none.
        database
            .transact("migrate", |tx| async move {
                version::check(tx.for_migrations()).await?;
                version::mark(tx.for_migrations()).await?;
                migrator::up(migrator, &SchemaManager::new(tx.for_migrations())).boxed().await?;
                Ok(())
            })
            .await?;
    } else {
        lease::hold(database, Timing::default(), take_steps(database, migrator)).await?;
    }
    Ok(pending)
}

/// Applies the steps on a connection without a statement timeout.
async fn take_steps(database: &Database, migrator: &(impl MigratorTrait + Sync)) -> Result<(), Error> {
    let connection = database.connect_to_migrate().await?;
    let taken = async {
        // Another process may have applied steps while this one waited for the lease.
        version::check(&connection).await?;
        version::mark(&connection).await?;
        migrator::up(migrator, &SchemaManager::new(&connection)).boxed().await?;
        Ok(())
    };
    let taken = taken.await;
    if let Err(error) = connection.close().await {
        tracing::debug!(error = &error as &dyn std::error::Error, "failed to close a migration's connection cleanly");
    }
    taken
}

/// The names of the missing steps. Changes nothing, and refuses data that this version does not understand, or of which a part is lost.
pub async fn pending(database: &Database, migrator: &(impl MigratorTrait + Sync)) -> Result<Vec<String>, Error> {
    version::check(database.read()).await?;
    loss::check(database).await?;
    let steps = migrator::pending(migrator, &SchemaManager::new(database.read())).boxed().await?;
    Ok(steps.iter().map(|step| step.name().to_owned()).collect())
}

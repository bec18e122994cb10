//! Brings a database up to date, by one process at a time.

use sea_orm_migration::MigratorTrait;

use super::lease::{self, Pace};
use crate::{
    db::{Database, Engine},
    error::Error,
};

/// Brings a context's database up to the migrator's last step, and tells the names of the steps that this took. Processes that do so
/// at the same time wait for one another, for five minutes at most; the later ones find nothing left to do.
pub async fn migrate<M: MigratorTrait>(database: &Database) -> Result<Vec<String>, Error> {
    let pending = pending::<M>(database).await?;
    if pending.is_empty() {
        return Ok(pending);
    }
    if database.engine() == Engine::Sqlite {
        // Its one transaction for writing is the lock, and all steps are done or none.
        database
            .transact("migrate", |tx| async move {
                M::up(tx.for_migrations(), None).await?;
                Ok(())
            })
            .await?;
    } else {
        lease::hold(database, Pace::default(), take_steps::<M>(database)).await?;
    }
    Ok(pending)
}

/// Takes the steps on a connection whose statements may take as long as there are rows.
async fn take_steps<M: MigratorTrait>(database: &Database) -> Result<(), Error> {
    let connection = database.connect_to_migrate().await?;
    let taken = M::up(&connection, None).await;
    if let Err(error) = connection.close().await {
        tracing::debug!(error = &error as &dyn std::error::Error, "a migration's connection did not close cleanly");
    }
    Ok(taken?)
}

/// The names of the steps that are still to be taken. Changes nothing.
pub async fn pending<M: MigratorTrait>(database: &Database) -> Result<Vec<String>, Error> {
    let steps = M::get_pending_migrations_read_only(database.read()).await?;
    Ok(steps.iter().map(|step| step.name().to_owned()).collect())
}

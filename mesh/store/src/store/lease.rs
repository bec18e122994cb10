//! A lease for changing the tables of a database: there is one holder at a time, and a holder that is gone loses it.
//!
//! 1. The holder increments a number while it works.
//! 2. A waiting process takes over when the number has not changed for a while by its own clock.
//! 3. A holder that finds its row gone stops.
//!
//! It uses no advisory lock, which some PostgreSQL-compatible databases do not have, and no timestamp, because the clocks of two hosts
//! may differ.

use std::{future::Future, time::Duration};

use mesh_foundation::error::Error;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use self::row::{ActiveModel, Column, Entity, Model};
use crate::db::Database;

/// The only row.
const ROW: i32 = 1;
/// Attempts to create the table: on PostgreSQL two processes that do so at once may both find it missing.
const TRIES: u32 = 5;

/// The time limits of a lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// How often the holder renews it.
    pub(super) beat: Duration,
    /// After how long without a renewal another process takes over: many renewals, because some may fail.
    pub(super) lapse: Duration,
    /// How long to wait for the lease.
    pub(super) patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { beat: Duration::from_secs(1), lapse: Duration::from_secs(15), patience: Duration::from_secs(5 * 60) }
    }
}

impl Timing {
    /// How often a waiting process polls.
    fn look(self) -> Duration {
        self.beat / 5
    }
}

/// Does `work` while this process holds the lease.
pub(super) async fn hold<T>(
    database: &Database,
    timing: Timing,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let holder = Uuid::now_v7();
    add_table(database).await?;
    take(database, holder, timing).await?;
    let outcome = tokio::select! {
        outcome = work => outcome,
        lost = beat(database, holder, timing) => Err(lost),
    };
    give_back(database, holder).await;
    outcome
}

async fn add_table(database: &Database) -> Result<(), Error> {
    use sea_orm::ConnectionTrait;
    let mut table = super::table_of::<Entity>(database.for_migrations().get_database_backend());
    table.if_not_exists();
    let mut tries = 1;
    while let Err(error) = database.for_migrations().execute(&table).await {
        if tries == TRIES {
            return Err(error.into());
        }
        tries += 1;
    }
    Ok(())
}

async fn take(database: &Database, holder: Uuid, timing: Timing) -> Result<(), Error> {
    let deadline = Instant::now() + timing.patience;
    let mut seen: Option<(Model, Instant)> = None;
    loop {
        let Some(theirs) = try_to_take(database, holder).await? else { return Ok(()) };
        if Instant::now() > deadline {
            return Err(Error::Internal("another process has been changing the tables for too long".to_owned()));
        }
        match &seen {
            Some((before, since)) if *before == theirs => {
                if since.elapsed() > timing.lapse {
                    tracing::warn!("the process that was changing the tables is gone; taking over its lease");
                    remove(database, &theirs).await?;
                    continue;
                }
            }
            _ => seen = Some((theirs, Instant::now())),
        }
        sleep(timing.look()).await;
    }
}

/// Takes the lease if it is free, or returns its holder.
async fn try_to_take(database: &Database, holder: Uuid) -> Result<Option<Model>, Error> {
    database
        .transact("take_lease", |tx| async move {
            // A waiting process polls often, and an insert that fails costs more than a read.
            if let Some(theirs) = Entity::find_by_id(ROW).one(&*tx).await? {
                return Ok(Some(theirs));
            }
            if tx.insert_new(ActiveModel { id: Set(ROW), holder: Set(holder), beat: Set(0) }).await? {
                return Ok(None);
            }
            Err(Error::Lost)
        })
        .await
}

/// Renews the lease periodically. Ends only when the lease is lost.
async fn beat(database: &Database, holder: Uuid, timing: Timing) -> Error {
    loop {
        sleep(timing.beat).await;
        let beaten = database
            .transact("beat", |tx| async move {
                let updated = Entity::update_many()
                    .col_expr(Column::Beat, Expr::col(Column::Beat).add(1))
                    .filter(Column::Id.eq(ROW))
                    .filter(Column::Holder.eq(holder))
                    .exec(&*tx)
                    .await?;
                Ok(updated.rows_affected)
            })
            .await;
        match beaten {
            Ok(0) => return Error::Internal("another process has taken over the migration of the tables".to_owned()),
            Ok(_) => {}
            // The next renewal may succeed; if none does in time, another process takes over.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to renew a lease; will retry")
            }
        }
    }
}

async fn give_back(database: &Database, holder: Uuid) {
    let given = database
        .transact("end_lease", |tx| async move {
            Entity::delete_many().filter(Column::Holder.eq(holder)).exec(&*tx).await?;
            Ok(())
        })
        .await;
    if let Err(error) = given {
        // The work is already done, or has failed; the next process only has to wait longer.
        tracing::warn!(error = &error as &dyn std::error::Error, "failed to release a lease; it will expire");
    }
}

/// Ends the lease of a holder that has not renewed it since it was read.
async fn remove(database: &Database, seen: &Model) -> Result<(), Error> {
    let (holder, beat) = (seen.holder, seen.beat);
    database
        .transact("remove_lease", |tx| async move {
            Entity::delete_many().filter(Column::Holder.eq(holder)).filter(Column::Beat.eq(beat)).exec(&*tx).await?;
            Ok(())
        })
        .await
}

mod row {
    use crate::store::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "migration_lease")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub holder: Uuid,
        pub beat: i64,
    }
}

#[cfg(test)]
mod tests;

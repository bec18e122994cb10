//! A lease for whoever changes the tables of a database: there is one holder at a time, and one that is gone loses it.
//!
//! No advisory lock, which some databases that speak PostgreSQL's language do not have, and no instant, over which two hosts' clocks
//! could differ. The holder raises a number while it works; who waits takes over when the number has not moved for a while by its
//! own clock. A holder that finds its row gone stops.

use std::{future::Future, time::Duration};

use mesh_foundation::error::Error;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use self::row::{ActiveModel, Column, Entity, Model};
use crate::db::Database;

/// The only row.
const ROW: i32 = 1;
/// Attempts to add the table: on PostgreSQL two that do so at once may both find it missing.
const TRIES: u32 = 5;

/// How fast a lease lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How often the holder says that it is there.
    pub(super) beat: Duration,
    /// After how long a silence somebody else takes over: many beats, because the holder may be kept from one.
    pub(super) lapse: Duration,
    /// How long the lease is waited for.
    pub(super) patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { beat: Duration::from_secs(1), lapse: Duration::from_secs(15), patience: Duration::from_secs(5 * 60) }
    }
}

impl Pace {
    /// How often somebody who waits looks.
    fn look(self) -> Duration {
        self.beat / 5
    }
}

/// Does `work` while this process holds the lease.
pub(super) async fn hold<T>(
    database: &Database,
    pace: Pace,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let holder = Uuid::now_v7();
    add_table(database).await?;
    take(database, holder, pace).await?;
    let outcome = tokio::select! {
        outcome = work => outcome,
        lost = beat(database, holder, pace) => Err(lost),
    };
    give_back(database, holder).await;
    outcome
}

async fn add_table(database: &Database) -> Result<(), Error> {
    use sea_orm::{ConnectionTrait, sea_query::Table};
    let table = Table::create()
        .table("migration_lease")
        .if_not_exists()
        .col(super::number("id").primary_key())
        .col(super::id("holder"))
        .col(super::large("beat"))
        .to_owned();
    let mut tries = 1;
    while let Err(error) = database.for_migrations().execute(&table).await {
        if tries == TRIES {
            return Err(error.into());
        }
        tries += 1;
    }
    Ok(())
}

async fn take(database: &Database, holder: Uuid, pace: Pace) -> Result<(), Error> {
    let deadline = Instant::now() + pace.patience;
    let mut seen: Option<(Model, Instant)> = None;
    loop {
        let Some(theirs) = try_to_take(database, holder).await? else { return Ok(()) };
        if Instant::now() > deadline {
            return Err(Error::Internal("another process has been changing the tables for too long".to_owned()));
        }
        match &seen {
            Some((before, since)) if *before == theirs => {
                if since.elapsed() > pace.lapse {
                    tracing::warn!("whoever was changing the tables is gone: taking over");
                    remove(database, &theirs).await?;
                    continue;
                }
            }
            _ => seen = Some((theirs, Instant::now())),
        }
        sleep(pace.look()).await;
    }
}

/// Takes the lease if nobody has it, or tells who does.
async fn try_to_take(database: &Database, holder: Uuid) -> Result<Option<Model>, Error> {
    database
        .transact("take_lease", |tx| async move {
            // Whoever waits asks often, and an insert that fails costs more than a look.
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

/// Says again and again that the holder is there. Ends only when it no longer holds the lease.
async fn beat(database: &Database, holder: Uuid, pace: Pace) -> Error {
    loop {
        sleep(pace.beat).await;
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
            Ok(0) => return Error::Internal("another process has taken over the change of the tables".to_owned()),
            Ok(_) => {}
            // It may work next time; if it does not in time, somebody takes over.
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a lease could not be renewed"),
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
        // The work is done, or has failed for a reason of its own; the next one only has to wait longer.
        tracing::warn!(error = &error as &dyn std::error::Error, "a lease was not given back, and lapses");
    }
}

/// Ends the lease of a holder that has not moved since it was seen so.
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
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "migration_lease")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub holder: Uuid,
        pub beat: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[cfg(test)]
mod tests;

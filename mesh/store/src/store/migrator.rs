//! Steps that change tables, and which of them a database has taken.
//!
//! As sea-orm-migration has them, down to the table's name: databases that it has brought up to date go on as they are. Of all that it
//! can do this is what is used here, and it brings all of sea-orm's kinds of values along, with a dozen crates behind them.

use std::collections::HashSet;

use async_trait::async_trait;
use mesh_foundation::clock::Clock;
use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, DatabaseExecutor, DbBackend, DbErr, EntityTrait, IntoDatabaseExecutor, QuerySelect, Schema,
    Statement, TransactionTrait, Value,
    sea_query::{IndexCreateStatement, TableCreateStatement},
};

/// The list of the steps that were taken.
pub(super) const TAKEN: &str = "seaql_migrations";

/// A step.
#[async_trait]
pub trait MigrationTrait: Send + Sync {
    /// Its name, which no other step of the context has, and which never changes.
    fn name(&self) -> &str;

    /// Takes it. On PostgreSQL and SQLite all of it is done or nothing. MySQL commits each statement by itself, so that a step which was
    /// cut off is found half done and is taken again.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr>;
}

/// All steps of a context.
pub trait MigratorTrait {
    /// The steps, in their order.
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>>;
}

/// What a step works with.
#[derive(Debug)]
pub struct SchemaManager<'c>(DatabaseExecutor<'c>);

impl<'c> SchemaManager<'c> {
    /// Over that connection, or in that transaction.
    pub fn new(connection: impl IntoDatabaseExecutor<'c>) -> Self {
        Self(connection.into_database_executor())
    }

    /// The connection or transaction.
    pub fn get_connection(&self) -> &DatabaseExecutor<'c> {
        &self.0
    }

    /// Which engine it is.
    pub fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    /// Makes a table.
    pub async fn create_table(&self, table: TableCreateStatement) -> Result<(), DbErr> {
        self.0.execute(&table).await.map(|_| ())
    }

    /// Makes an index.
    pub async fn create_index(&self, index: IndexCreateStatement) -> Result<(), DbErr> {
        self.0.execute(&index).await.map(|_| ())
    }

    /// Whether there is that table.
    pub async fn has_table(&self, table: &str) -> Result<bool, DbErr> {
        let found = match self.get_database_backend() {
            DbBackend::Postgres => {
                "information_schema.tables WHERE table_schema = CURRENT_SCHEMA() AND table_name = $1"
            }
            DbBackend::MySql => "information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
            _ => "sqlite_schema WHERE type = 'table' AND name = ?",
        };
        self.is_any(found, [table]).await
    }

    /// Whether there is that index.
    pub async fn has_index(&self, table: &str, index: &str) -> Result<bool, DbErr> {
        let found = match self.get_database_backend() {
            DbBackend::Postgres => {
                "pg_indexes WHERE schemaname = CURRENT_SCHEMA() AND tablename = $1 AND indexname = $2"
            }
            DbBackend::MySql => {
                "information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ?"
            }
            _ => "sqlite_schema WHERE type = 'index' AND tbl_name = ? AND name = ?",
        };
        self.is_any(found, [table, index]).await
    }

    async fn is_any<const N: usize>(&self, found: &str, names: [&str; N]) -> Result<bool, DbErr> {
        let sql = format!("SELECT COUNT(*) FROM {found}");
        let statement = Statement::from_sql_and_values(self.get_database_backend(), sql, names.map(Value::from));
        let row = self.0.query_one_raw(statement).await?;
        let count: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(count.is_some_and(|count| count > 0))
    }
}

/// The steps that are still to be taken, in their order. Changes nothing. A step that was taken and is not known is an error.
pub(super) async fn pending(
    migrator: &(impl MigratorTrait + Sync),
    manager: &SchemaManager<'_>,
) -> Result<Vec<Box<dyn MigrationTrait>>, DbErr> {
    let mut steps = migrator.migrations();
    if !manager.has_table(TAKEN).await? {
        return Ok(steps);
    }
    let taken = row::Entity::find().select_only().column(row::Column::Version);
    let taken: HashSet<String> = taken.into_tuple().all(manager.get_connection()).await?.into_iter().collect();
    if let Some(unknown) = taken.iter().find(|name| !steps.iter().any(|step| step.name() == *name)) {
        return Err(DbErr::Migration(format!("the step {unknown} was taken, and is not known here")));
    }
    steps.retain(|step| !taken.contains(step.name()));
    Ok(steps)
}

/// Takes all steps that are still to be taken.
#[expect(clippy::disallowed_methods, reason = "whoever migrates is alone, and has no `transact` yet")]
pub(super) async fn up(migrator: &(impl MigratorTrait + Sync), manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let backend = manager.get_database_backend();
    let mut taken = Schema::new(backend).create_table_from_entity(row::Entity);
    manager.create_table(taken.if_not_exists().to_owned()).await?;
    for step in pending(migrator, manager).await? {
        if backend == DbBackend::Postgres {
            let transaction = manager.get_connection().begin().await?;
            take(&*step, &SchemaManager::new(&transaction)).await?;
            transaction.commit().await?;
        } else {
            take(&*step, manager).await?;
        }
    }
    Ok(())
}

async fn take(step: &dyn MigrationTrait, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    step.up(manager).await?;
    let row =
        row::ActiveModel { version: Set(step.name().to_owned()), applied_at: Set(Clock::system().now().as_second()) };
    row::Entity::insert(row).exec_without_returning(manager.get_connection()).await?;
    Ok(())
}

pub(super) mod row {
    use crate::store::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "seaql_migrations")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: String,
        pub applied_at: i64,
    }
}

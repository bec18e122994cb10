//! The tables, step by step.

use mesh::store::{instant, key, optional_instant};
use sea_orm::sea_query::{ColumnDef, Index, Table};
use sea_orm_migration::prelude::*;

/// Brings a database up to date: `mesh`'s tables first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut steps = mesh::store::migrations();
        steps.push(Box::new(Tables));
        steps
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m0001_provider_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager
            .create_table(
                Table::create()
                    .table("charge")
                    .col(key(backend, "id", 64).primary_key())
                    .col(key(backend, "currency", 3))
                    .col(ColumnDef::new("amount_minor").big_integer().not_null())
                    .col(ColumnDef::new("committed_minor").big_integer().not_null())
                    .col(ColumnDef::new("refunded_minor").big_integer().not_null())
                    .col(key(backend, "state", 20))
                    .col(key(backend, "plan", 32))
                    .col(key(backend, "refund_plan", 32))
                    .col(key(backend, "decline_reason", 32))
                    .col(optional_instant("due_time"))
                    .col(instant("create_time"))
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("charge_refund")
                    .col(key(backend, "charge_id", 64))
                    .col(key(backend, "id", 64))
                    .col(key(backend, "currency", 3))
                    .col(ColumnDef::new("amount_minor").big_integer().not_null())
                    .col(key(backend, "state", 20))
                    .col(key(backend, "failure_reason", 32))
                    .col(optional_instant("due_time"))
                    .col(instant("create_time"))
                    .primary_key(Index::create().col("charge_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("movement")
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .col(key(backend, "charge_id", 64))
                    .col(key(backend, "direction", 16))
                    .col(key(backend, "currency", 3))
                    .col(ColumnDef::new("amount_minor").big_integer().not_null())
                    .col(instant("move_time"))
                    .to_owned(),
            )
            .await?;
        for (name, table, column) in [
            ("charge_due", "charge", "due_time"),
            ("charge_create_time", "charge", "create_time"),
            ("charge_refund_due", "charge_refund", "due_time"),
        ] {
            manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["movement", "charge_refund", "charge"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

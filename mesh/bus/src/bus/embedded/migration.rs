//! The tables of the bus's own file. SQLite only.

use mesh_store::store::{MigrationTrait, MigratorTrait, SchemaManager, instant};
use sea_orm::{
    DbErr,
    sea_query::{ColumnDef, Index, Table},
};

pub(super) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Tables), Box::new(NoEpoch)]
    }
}

struct Tables;

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    fn name(&self) -> &str {
        "m0001_bus_tables"
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("message")
                    .col(ColumnDef::new("seq").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("id").uuid().not_null().unique_key())
                    .col(ColumnDef::new("route").text().not_null())
                    .col(ColumnDef::new("headers").text().not_null())
                    .col(ColumnDef::new("data").blob().not_null())
                    .col(instant("publish_time"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("consumer")
                    .col(ColumnDef::new("name").text().not_null().primary_key())
                    .col(ColumnDef::new("filters").text().not_null())
                    .col(ColumnDef::new("next_seq").big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("pending")
                    .col(ColumnDef::new("consumer").text().not_null())
                    .col(ColumnDef::new("seq").big_integer().not_null())
                    .col(ColumnDef::new("deliveries").big_integer().not_null())
                    .col(instant("due_time"))
                    .primary_key(Index::create().col("consumer").col("seq"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("pending_due").table("pending").col("consumer").col("due_time").to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("dead_letter")
                    .col(ColumnDef::new("consumer").text().not_null())
                    .col(ColumnDef::new("seq").big_integer().not_null())
                    .col(ColumnDef::new("reason").text().not_null())
                    .col(ColumnDef::new("deliveries").big_integer().not_null())
                    .col(instant("bury_time"))
                    .primary_key(Index::create().col("consumer").col("seq"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("stream")
                    .col(ColumnDef::new("id").integer().not_null().primary_key())
                    .col(ColumnDef::new("epoch").uuid().not_null())
                    .to_owned(),
            )
            .await
    }
}

/// Removes the stream's own name: publishers record the position of each event instead.
struct NoEpoch;

#[async_trait::async_trait]
impl MigrationTrait for NoEpoch {
    fn name(&self) -> &str {
        "m0002_no_epoch"
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("stream").to_owned()).await
    }
}

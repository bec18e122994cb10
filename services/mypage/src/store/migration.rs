//! The read model's tables, step by step.

use mesh::store::{instant, key};
use sea_orm::sea_query::{ColumnDef, Index, IndexCreateStatement, Table};
use sea_orm_migration::prelude::*;

/// Brings a database of this context up to date.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = mesh::store::migrations();
        migrations.push(Box::new(ReadModel));
        migrations
    }
}

struct ReadModel;

impl MigrationName for ReadModel {
    fn name(&self) -> &'static str {
        "m0101_read_model"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for ReadModel {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        // Either half of a case may come first: what the other one will tell has a default until then.
        manager
            .create_table(
                Table::create()
                    .table("business_case")
                    .col(ColumnDef::new("case_id").uuid().not_null().primary_key())
                    .col(key(backend, "kind", 16).default(""))
                    .col(number("version").default(0))
                    .col(key(backend, "correlation_id", 160).default(""))
                    .col(ColumnDef::new("room_id").uuid().null())
                    .col(key(backend, "title", 80).default(""))
                    .col(key(backend, "state", 32).default(""))
                    .col(key(backend, "course", 16).default(""))
                    .col(key(backend, "start_date", 10).default(""))
                    .col(key(backend, "end_date", 10).default(""))
                    .col(instant("end_time").default(0))
                    .col(number("total_minor").default(0))
                    .col(key(backend, "currency", 3).default(""))
                    .col(ColumnDef::new("stay").blob().null())
                    .col(instant("source_time").default(0))
                    .col(ColumnDef::new("payment_id").uuid().null())
                    .col(instant("payment_create_time").default(0))
                    .col(number("payment_version").default(0))
                    .col(key(backend, "payment_state", 32).default(""))
                    .col(number("refunded_minor").default(0))
                    .col(instant("payment_source_time").default(0))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("business_case_room", "business_case", &["room_id"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("booking")
                    .col(key(backend, "user_name", 80))
                    .col(ColumnDef::new("case_id").uuid().not_null())
                    .col(ColumnDef::new("is_guest").boolean().not_null())
                    .col(ColumnDef::new("is_host").boolean().not_null())
                    .col(key(backend, "counterparty", 80))
                    .col(instant("create_time"))
                    .col(number("position"))
                    .col(instant("update_time"))
                    .primary_key(Index::create().col("user_name").col("case_id"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("booking_parties", "booking", &["case_id", "user_name"])).await?;
        manager.create_index(index("booking_newest", "booking", &["user_name", "create_time", "case_id"])).await?;
        manager.create_index(index("booking_changes", "booking", &["user_name", "position"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("viewer")
                    .col(key(backend, "user_name", 80).primary_key())
                    .col(number("position"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("timeline")
                    .col(ColumnDef::new("event_id").uuid().not_null().primary_key())
                    .col(ColumnDef::new("case_id").uuid().null())
                    .col(key(backend, "subject", 160))
                    .col(number("sequence"))
                    .col(instant("occur_time"))
                    .col(key(backend, "kind", 160))
                    .col(key(backend, "actor", 160))
                    .col(ColumnDef::new("causation_id").uuid().null())
                    .col(key(backend, "state", 32))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("timeline_case", "timeline", &["case_id", "occur_time", "event_id"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("room")
                    .col(ColumnDef::new("room_id").uuid().not_null().primary_key())
                    .col(key(backend, "host", 80))
                    .col(key(backend, "number", 16))
                    .col(key(backend, "display_name", 80))
                    .col(number("rate_minor"))
                    .col(key(backend, "currency", 3))
                    .col(ColumnDef::new("units").integer().not_null())
                    .col(ColumnDef::new("deleted").boolean().not_null())
                    .col(number("version"))
                    .col(instant("create_time"))
                    .col(instant("source_time"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("room_host", "room", &["host", "create_time"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["room", "timeline", "viewer", "booking", "business_case"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn number(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer().not_null();
    column
}

fn index(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

//! The first step: all of `mesh`'s tables.

use sea_orm::sea_query::{ColumnDef, Index, Table};
use sea_orm_migration::prelude::*;

use super::{instant, key, optional_instant, optional_key};

pub(super) struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m0001_mesh_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager
            .create_table(
                Table::create()
                    .table("outbox")
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .col(key(backend, "subject", 160))
                    .col(ColumnDef::new("sequence").big_integer().not_null())
                    .col(key(backend, "kind", 160))
                    .col(key(backend, "route", 200))
                    .col(instant("occur_time"))
                    .col(key(backend, "correlation_id", 160))
                    .col(optional_key(backend, "causation_id", 64))
                    .col(key(backend, "actor", 160))
                    .col(optional_key(backend, "traceparent", 64))
                    .col(ColumnDef::new("body").blob().not_null())
                    .col(optional_instant("publish_time"))
                    .col(instant("next_attempt_time"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("outbox_subject_sequence")
                    .table("outbox")
                    .col("subject")
                    .col("sequence")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("outbox_unpublished").table("outbox").col("publish_time").col("id").to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("relay")
                    .col(ColumnDef::new("id").integer().not_null().primary_key())
                    .col(key(backend, "epoch", 64))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("inbox")
                    .col(key(backend, "consumer", 120))
                    .col(ColumnDef::new("event_id").uuid().not_null())
                    .col(instant("handle_time"))
                    .primary_key(Index::create().col("consumer").col("event_id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("inbox_handle_time").table("inbox").col("handle_time").to_owned())
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("failure")
                    .col(key(backend, "consumer", 120))
                    .col(ColumnDef::new("event_id").uuid().not_null())
                    .col(ColumnDef::new("failures").integer().not_null())
                    .primary_key(Index::create().col("consumer").col("event_id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("incarnation")
                    .col(ColumnDef::new("id").integer().not_null().primary_key())
                    .col(ColumnDef::new("incarnation").uuid().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("request")
                    .col(key(backend, "principal", 120))
                    .col(key(backend, "method", 80))
                    .col(key(backend, "request_id", 64))
                    .col(ColumnDef::new("fingerprint").var_binary(32).not_null())
                    .col(optional_key(backend, "case_name", 120))
                    .col(ColumnDef::new("attempt").integer().not_null())
                    .col(ColumnDef::new("answer").blob().null())
                    .col(instant("create_time"))
                    .primary_key(Index::create().col("principal").col("method").col("request_id"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(Index::create().name("request_case").table("request").col("case_name").to_owned()).await?;
        manager
            .create_index(Index::create().name("request_create_time").table("request").col("create_time").to_owned())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["request", "incarnation", "failure", "inbox", "relay", "outbox"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

//! This context's schema.

use mesh::{
    checkout::payments::{MAX_ACTION_URI_CHARS, MAX_LABEL_CHARS, MAX_REASON_CHARS},
    store::{instant, key, optional_instant, optional_key},
};
use sea_orm::sea_query::{ColumnDef, Expr, ExprTrait, Index, Table};
use sea_orm_migration::prelude::*;

/// Brings a database up to this version of the context.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = mesh::store::migrations();
        all.push(Box::new(Tables));
        all
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m0002_reservation_tables"
    }
}

fn number(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.integer().not_null();
    column
}

fn flag(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.boolean().not_null();
    column
}

fn large(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer().not_null();
    column
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager
            .create_table(
                Table::create()
                    .table("reservation")
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .col(large("version"))
                    .col(key(backend, "state", 20))
                    .col(flag("all_or_nothing"))
                    .col(number("attempt"))
                    .col(flag("attempt_open"))
                    .col(number("calls"))
                    .col(flag("paid"))
                    .col(flag("cancel_asked"))
                    .col(key(backend, "correlation_id", 160))
                    .col(key(backend, "guest", 80))
                    .col(key(backend, "host", 80))
                    .col(ColumnDef::new("room").uuid().not_null())
                    .col(key(backend, "check_in_date", 10))
                    .col(key(backend, "check_out_date", 10))
                    .col(number("units"))
                    .col(number("guests"))
                    .col(large("total_minor"))
                    .col(key(backend, "currency", 3))
                    .col(optional_instant("refund_minor"))
                    .col(instant("earn_time"))
                    .col(instant("hold_expire_time"))
                    .col(optional_instant("next_attempt_time"))
                    .col(number("sweeps"))
                    .col(optional_key(backend, "payment_label", MAX_LABEL_CHARS))
                    .col(optional_instant("pay_time"))
                    .col(ColumnDef::new("action_uri").string_len(MAX_ACTION_URI_CHARS).null())
                    .col(optional_instant("action_expire_time"))
                    .col(ColumnDef::new("reject_reason").string_len(MAX_REASON_CHARS).null())
                    .col(ColumnDef::new("cancel_reason").string_len(200).null())
                    .col(optional_instant("confirm_time"))
                    .col(optional_instant("cancel_time"))
                    .col(large("orphans"))
                    .col(key(backend, "confirmation_code", 12))
                    .col(ColumnDef::new("frozen").blob().not_null())
                    .col(ColumnDef::new("guest_details").blob().null())
                    .col(instant("create_time"))
                    .col(instant("update_time"))
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("reservation_guest", ["guest", "id"]),
            ("reservation_host", ["host", "id"]),
            ("reservation_room", ["room", "state"]),
            ("reservation_due", ["next_attempt_time", "id"]),
        ] {
            let [first, second] = columns;
            let index = Index::create().name(name).table("reservation").col(first).col(second).to_owned();
            manager.create_index(index).await?;
        }
        manager
            .create_table(
                Table::create()
                    .table("room")
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .col(large("version"))
                    .col(flag("deleted"))
                    .col(flag("cancel_stays"))
                    .col(number("units"))
                    .col(ColumnDef::new("resource").blob().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("night")
                    .col(ColumnDef::new("room").uuid().not_null())
                    .col(key(backend, "night", 10))
                    .col(number("offered"))
                    .col(number("capacity"))
                    .col(number("taken"))
                    .col(number("blocked"))
                    .col(large("block_version"))
                    .primary_key(Index::create().col("room").col("night"))
                    // The last word on overselling: whatever a program does, the database refuses it.
                    .check(Expr::col("taken").gte(0))
                    .check(Expr::col("taken").lte(Expr::col("capacity")))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(Table::create().table("payer").col(key(backend, "name", 80).primary_key()).to_owned())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["payer", "night", "room", "reservation"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

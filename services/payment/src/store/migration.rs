//! The tables, step by step.

use mesh::{
    checkout::payments::{MAX_ACTION_URI_CHARS, MAX_REASON_CHARS},
    store::{instant, key, optional_instant, optional_key},
};
use sea_orm::sea_query::{ColumnDef, Index, IndexCreateStatement, Table};
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
        "m0001_payment_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager
            .create_table(
                Table::create()
                    .table("payment")
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .col(key(backend, "case_name", 120))
                    .col(optional_key(backend, "payer", 80))
                    .col(optional_key(backend, "payee", 80))
                    .col(optional_key(backend, "currency", 3))
                    .col(ColumnDef::new("amount_minor").big_integer().not_null())
                    .col(optional_instant("earn_time"))
                    .col(ColumnDef::new("refunded_minor").big_integer().not_null())
                    .col(ColumnDef::new("refunding_minor").big_integer().not_null())
                    .col(ColumnDef::new("owed_minor").big_integer().not_null())
                    .col(key(backend, "provider", 32))
                    .col(key(backend, "state", 20))
                    .col(ColumnDef::new("calls").integer().not_null())
                    .col(optional_instant("call_time"))
                    .col(optional_key(backend, "decline_reason", MAX_REASON_CHARS))
                    .col(optional_key(backend, "method_kind", 32))
                    .col(optional_key(backend, "method_brand", 32))
                    .col(optional_key(backend, "method_last4", 4))
                    .col(optional_key(backend, "provider_reference", 128))
                    .col(optional_key(backend, "action_uri", MAX_ACTION_URI_CHARS))
                    .col(optional_instant("action_expire_time"))
                    .col(optional_instant("approve_time"))
                    .col(instant("create_time"))
                    .col(instant("update_time"))
                    .col(ColumnDef::new("version").big_integer().not_null())
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .col(key(backend, "correlation_id", 160))
                    .col(ColumnDef::new("attempts").integer().not_null())
                    .col(optional_instant("next_attempt_time"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("refund")
                    .col(ColumnDef::new("payment_id").uuid().not_null())
                    .col(ColumnDef::new("id").uuid().not_null())
                    .col(key(backend, "kind", 20))
                    .col(key(backend, "currency", 3))
                    .col(ColumnDef::new("amount_minor").big_integer().not_null())
                    .col(key(backend, "state", 20))
                    .col(optional_key(backend, "failure_reason", MAX_REASON_CHARS))
                    .col(key(backend, "correlation_id", 160))
                    .col(optional_key(backend, "causation_id", 64))
                    .col(key(backend, "actor", 160))
                    .col(instant("create_time"))
                    .col(instant("update_time"))
                    .col(ColumnDef::new("version").big_integer().not_null())
                    .col(ColumnDef::new("attempts").integer().not_null())
                    .col(optional_instant("next_attempt_time"))
                    .primary_key(Index::create().col("payment_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("ledger_entry")
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .col(ColumnDef::new("transaction_id").uuid().not_null())
                    .col(ColumnDef::new("payment_id").uuid().not_null())
                    .col(key(backend, "account", 96))
                    .col(key(backend, "side", 8))
                    .col(key(backend, "currency", 3))
                    .col(ColumnDef::new("amount_minor").big_integer().not_null())
                    .col(optional_instant("earn_time"))
                    .col(instant("create_time"))
                    .to_owned(),
            )
            .await?;
        for index in indices() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["ledger_entry", "refund", "payment"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// One for each way in which rows are looked for.
fn indices() -> [IndexCreateStatement; 7] {
    let index = |name: &'static str, table: &'static str, columns: &[&'static str]| {
        let mut index = Index::create();
        index.name(name).table(table);
        for column in columns {
            index.col(*column);
        }
        index
    };
    [
        index("payment_payer", "payment", &["payer", "create_time"]),
        index("payment_payee", "payment", &["payee", "create_time"]),
        index("payment_case", "payment", &["case_name", "create_time"]),
        index("payment_due", "payment", &["next_attempt_time"]),
        index("refund_due", "refund", &["next_attempt_time"]),
        index("ledger_entry_payment", "ledger_entry", &["payment_id"]),
        index("ledger_entry_account", "ledger_entry", &["account"]),
    ]
}

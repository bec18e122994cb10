//! The steps to the context's tables.

use mesh::store::{instant, key, optional_instant, optional_key};
use sea_orm::sea_query::{ColumnDef, Index, Table};
use sea_orm_migration::prelude::*;

/// Brings a database up to this version of the context.
pub struct Migrator;

#[async_trait::async_trait]
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
        "m0101_room_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let coordinate = |name: &'static str| ColumnDef::new(name).double().null().to_owned();
        manager
            .create_table(
                Table::create()
                    .table("room")
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .col(key(backend, "host", 120))
                    .col(ColumnDef::new("version").big_integer().not_null())
                    .col(key(backend, "number", 16))
                    .col(optional_key(backend, "active_number", 16))
                    .col(key(backend, "display_name", 80))
                    .col(key(backend, "description", 2_000))
                    .col(ColumnDef::new("units").integer().not_null())
                    .col(ColumnDef::new("capacity").integer().not_null())
                    .col(ColumnDef::new("size_square_meters").integer().null())
                    // 50 words of 32 letters, and the commas.
                    .col(key(backend, "amenities", 1_651))
                    .col(ColumnDef::new("rate_minor").big_integer().not_null())
                    .col(key(backend, "currency", 3))
                    .col(key(backend, "place", 120))
                    // A letter in lower case is up to three characters.
                    .col(key(backend, "place_folded", 360))
                    .col(coordinate("latitude"))
                    .col(coordinate("longitude"))
                    .col(coordinate("x"))
                    .col(coordinate("y"))
                    .col(coordinate("z"))
                    .col(key(backend, "time_zone", 64))
                    .col(key(backend, "check_in_time", 5))
                    .col(key(backend, "check_out_time", 5))
                    .col(key(backend, "cancellation_policy", 60))
                    .col(ColumnDef::new("rating").double().not_null())
                    .col(instant("create_time"))
                    .col(instant("update_time"))
                    .col(optional_instant("delete_time"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("blocked_night")
                    .col(ColumnDef::new("room").uuid().not_null())
                    .col(key(backend, "night", 10))
                    .col(ColumnDef::new("units").integer().not_null())
                    .primary_key(Index::create().col("room").col("night"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("stay")
                    .col(ColumnDef::new("reservation").uuid().not_null().primary_key())
                    .col(ColumnDef::new("room").uuid().not_null())
                    .col(key(backend, "check_in", 10))
                    .col(key(backend, "check_out", 10))
                    .col(ColumnDef::new("units").integer().not_null())
                    .col(key(backend, "occupancy", 10))
                    .col(ColumnDef::new("version").big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        let mut number = Index::create();
        number.name("room_host_active_number").table("room").col("host").col("active_number").unique();
        manager.create_index(number).await?;
        for (name, table, columns) in [
            ("room_host", "room", ["host", "id"].as_slice()),
            // One for each order of a search; active rooms are those without a delete_time.
            ("room_price", "room", &["delete_time", "currency", "rate_minor", "id"]),
            ("room_rating", "room", &["delete_time", "rating", "id"]),
            ("room_latitude", "room", &["delete_time", "z"]),
            ("stay_room_check_out", "stay", &["room", "check_out"]),
        ] {
            let mut index = Index::create();
            index.name(name).table(table);
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["stay", "blocked_night", "room"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

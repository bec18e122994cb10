//! A step of a migrator that adds tables.

use sea_orm::{DbBackend, DbErr, sea_query::TableCreateStatement};

use super::{MigrationTrait, SchemaManager, TableIndex};

/// Tables and their indices, added in one step. Existing ones are left unchanged: MySQL commits each statement by itself, so an
/// interrupted step is found half done, and is then continued.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// The step's name, unique within the context.
    pub name: &'static str,
    /// The tables, in the engine's dialect.
    pub tables: fn(DbBackend) -> Vec<TableCreateStatement>,
    /// One for each kind of lookup.
    pub indices: &'static [TableIndex],
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    fn name(&self) -> &str {
        self.name
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for mut table in (self.tables)(manager.get_database_backend()) {
            manager.create_table(table.if_not_exists().to_owned()).await?;
        }
        for index in self.indices {
            if !manager.has_index(index.table, index.name).await? {
                manager.create_index(index.statement()).await?;
            }
        }
        Ok(())
    }
}

//! A step of a migrator that adds tables.

use sea_orm::{DbBackend, DbErr, sea_query::TableCreateStatement};

use super::{MigrationTrait, SchemaManager, TableIndex};

/// Tables and their indices, added in one step. Existing ones are left unchanged: MySQL commits each statement by itself, so an
/// interrupted step is found half done, and is then continued.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// The step's name, unique within the context.
    pub name: &'static str,
    /// Each table, in the engine's dialect: [`table_of`](super::table_of) an entity.
    pub tables: &'static [fn(DbBackend) -> TableCreateStatement],
    /// One for each kind of lookup.
    pub indices: &'static [TableIndex],
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    fn name(&self) -> &str {
        self.name
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in self.tables {
            manager.create_table(table(manager.get_database_backend()).if_not_exists().to_owned()).await?;
        }
        for index in self.indices {
            if !manager.has_index(index.table, index.name).await? {
                manager.create_index(index.statement()).await?;
            }
        }
        Ok(())
    }
}

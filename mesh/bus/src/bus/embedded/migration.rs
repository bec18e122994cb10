//! The tables of the bus's own file. SQLite only.

use mesh_store::store::{MigrationTrait, MigratorTrait, Tables, index, table_of};

use super::entity::{consumer, dead_letter, message, pending};

pub(super) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(TABLES)]
    }
}

const TABLES: Tables = Tables {
    name: "m0001_bus_tables",
    tables: &[
        table_of::<message::Entity>,
        table_of::<consumer::Entity>,
        table_of::<pending::Entity>,
        table_of::<dead_letter::Entity>,
    ],
    indices: &[index("pending_due", "pending", &["consumer", "due_time"])],
};

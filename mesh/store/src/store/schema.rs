//! A context's tables, as the steps that create them.

use std::fmt;

use mesh_foundation::error::Error;

use super::{MigrationTrait, MigratorTrait, migrate, migrations, pending};
use crate::db::Database;

/// The steps of a context's tables. `mesh`'s own come before them.
#[derive(Clone, Copy)]
pub struct Schema {
    steps: fn() -> Vec<Box<dyn MigrationTrait>>,
}

impl Schema {
    /// The schema of these steps.
    pub const fn new(steps: fn() -> Vec<Box<dyn MigrationTrait>>) -> Self {
        Self { steps }
    }

    /// Applies the missing steps to a database, and returns their names; see [`migrate`].
    pub async fn migrate(self, database: &Database) -> Result<Vec<String>, Error> {
        migrate(database, &self).await
    }

    /// The names of the missing steps; see [`pending`].
    pub async fn pending(self, database: &Database) -> Result<Vec<String>, Error> {
        pending(database, &self).await
    }
}

impl MigratorTrait for Schema {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        let mut all = migrations();
        all.extend((self.steps)());
        all
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.migrations().iter().map(|step| step.name().to_owned()).collect();
        f.debug_tuple("Schema").field(&names).finish()
    }
}

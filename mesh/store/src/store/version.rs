//! The format of a database's data, and the version of Jumak that wrote it.
//!
//! The meaning of rows and events differs between formats, even if their tables look alike: a Jumak that misread another format would
//! publish old events again, or read half of a payment. So every database is marked with its format, and the mark is checked first. It
//! is written before the first step of a migration, so that a half-migrated database is not taken for one of the older format.

use mesh_foundation::error::Error;
use sea_orm::{ActiveValue::Set, EntityTrait, IntoDatabaseExecutor, PaginatorTrait};
use serde::{Deserialize, Serialize};

use self::row::{ActiveModel, Entity};
use super::{SchemaManager, int, migrator, table_of};

/// The format of this version's data. It rises with every step that is added to a migrator, and with every change of the data that an
/// older version would misread.
pub const FORMAT: u32 = 1;
/// The oldest format that this version can migrate.
pub const OLDEST_FORMAT: u32 = 1;
/// This version of Jumak.
pub const JUMAK: &str = env!("CARGO_PKG_VERSION");

/// The table with the one row.
const TABLE: &str = "data_version";
const ROW: i32 = 1;

/// The format of data, and the version of Jumak that wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataVersion {
    /// The format.
    pub format: u32,
    /// The version of Jumak.
    pub jumak: String,
}

/// Why data is left unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// It has no mark.
    #[error(
        "its data carries no version, because a jumak from before there were any made it, and jumak {JUMAK} understands formats \
         {OLDEST_FORMAT} to {FORMAT} only; go on with the jumak that made it, or begin with an empty database or data folder"
    )]
    Unmarked,
    /// Its format is too old for this version.
    #[error(
        "its data is in format {}, made by jumak {}, and jumak {JUMAK} understands formats {OLDEST_FORMAT} to {FORMAT}; bring it up to \
         date with a jumak in between first", .0.format, .0.jumak
    )]
    TooOld(DataVersion),
    /// Its format is newer than this version.
    #[error(
        "its data is in format {}, made by jumak {}, and jumak {JUMAK} understands formats up to {FORMAT}; run jumak {} or a newer one \
         on it", .0.format, .0.jumak, .0.jumak
    )]
    TooNew(DataVersion),
}

impl From<Incompatible> for Error {
    fn from(why: Incompatible) -> Self {
        Self::Incompatible(why.into())
    }
}

impl DataVersion {
    /// The mark of this version.
    pub fn current() -> Self {
        Self { format: FORMAT, jumak: JUMAK.to_owned() }
    }

    /// Refuses data that this version does not understand.
    pub fn check(self) -> Result<Self, Incompatible> {
        match self.format {
            ..OLDEST_FORMAT => Err(Incompatible::TooOld(self)),
            OLDEST_FORMAT..=FORMAT => Ok(self),
            _ => Err(Incompatible::TooNew(self)),
        }
    }
}

/// The mark of a database; none if it is empty. Data that this version does not understand is refused. Changes nothing.
pub async fn check<'c>(connection: impl IntoDatabaseExecutor<'c>) -> Result<Option<DataVersion>, Error> {
    let manager = SchemaManager::new(connection);
    // Before the mark is looked for, which was made before the first step: somebody may be making both at this moment.
    let stepped = manager.has_table(migrator::TAKEN).await?
        && migrator::row::Entity::find().count(manager.get_connection()).await? > 0;
    if manager.has_table(TABLE).await? {
        // A table without the row means that the process was killed before it created anything else.
        let Some(row) = Entity::find_by_id(ROW).one(manager.get_connection()).await? else { return Ok(None) };
        let version = DataVersion { format: u32::try_from(row.format).unwrap_or_default(), jumak: row.jumak };
        return Ok(Some(version.check()?));
    }
    // The list of the steps that were taken is older than the mark.
    if stepped { Err(Incompatible::Unmarked.into()) } else { Ok(None) }
}

/// Marks a database as being in this version's format. One process at a time may do so.
pub(super) async fn mark<'c>(connection: impl IntoDatabaseExecutor<'c>) -> Result<(), Error> {
    let manager = SchemaManager::new(connection);
    let connection = manager.get_connection();
    let mut table = table_of::<Entity>(manager.get_database_backend());
    manager.create_table(table.if_not_exists().to_owned()).await?;
    let DataVersion { format, jumak } = DataVersion::current();
    let row = ActiveModel { id: Set(ROW), format: Set(int(format)?), jumak: Set(jumak) };
    if Entity::find_by_id(ROW).one(connection).await?.is_some() {
        Entity::update(row).exec(connection).await?;
    } else {
        Entity::insert(row).exec_without_returning(connection).await?;
    }
    Ok(())
}

mod row {
    use crate::store::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "data_version")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub format: i32,
        #[sea_orm(column_type = "String(StringLen::N(40))")]
        pub jumak: String,
    }
}

//! Which format the data of a database is in, and which Jumak brought it there.
//!
//! What rows and events mean changes from format to format, also where their tables look alike: a Jumak that took another format for
//! its own would publish old events again, or read half of a payment. So every database says what it holds, and it is looked at before
//! anything else is. The mark is made before the first step of a migration, so that a database that is half way to a newer format is
//! not taken for an older one.

use mesh_foundation::error::Error;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, IntoDatabaseExecutor, PaginatorTrait, sea_query::Table};
use serde::{Deserialize, Serialize};

use self::row::{ActiveModel, Entity};
use super::{SchemaManager, key, migrator, number};

/// The format of the data that this version works on. It rises with every step that is added to a migrator, and with every change of
/// what is written that an older version would misread.
pub const FORMAT: u32 = 1;
/// The oldest format that this version can bring up to its own.
pub const OLDEST_FORMAT: u32 = 1;
/// This version of Jumak.
pub const JUMAK: &str = env!("CARGO_PKG_VERSION");

/// The table with the one row.
const TABLE: &str = "data_version";
const ROW: i32 = 1;

/// The format that data is in, and the version of Jumak that brought it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataVersion {
    /// The format.
    pub format: u32,
    /// The version of Jumak.
    pub jumak: String,
}

/// Why data is left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// It does not say what it is.
    #[error(
        "its data carries no version, because a jumak from before there were any made it, and jumak {JUMAK} understands formats \
         {OLDEST_FORMAT} to {FORMAT} only; go on with the jumak that made it, or begin with an empty database or data folder"
    )]
    Unmarked,
    /// It is in a format that this version has forgotten.
    #[error(
        "its data is in format {}, made by jumak {}, and jumak {JUMAK} understands formats {OLDEST_FORMAT} to {FORMAT}; bring it up to \
         date with a jumak in between first", .0.format, .0.jumak
    )]
    TooOld(DataVersion),
    /// It is in a format that this version has not heard of.
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
    /// What this version makes.
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

/// What a database holds; none if it holds nothing yet. What this version does not understand is refused. Changes nothing.
pub async fn check<'c>(connection: impl IntoDatabaseExecutor<'c>) -> Result<Option<DataVersion>, Error> {
    let manager = SchemaManager::new(connection);
    // Before the mark is looked for, which was made before the first step: somebody may be making both at this moment.
    let stepped = manager.has_table(migrator::TAKEN).await?
        && migrator::row::Entity::find().count(manager.get_connection()).await? > 0;
    if manager.has_table(TABLE).await? {
        // Without the row, whoever made the table was killed before anything else was made.
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
    let backend = connection.get_database_backend();
    let table = Table::create()
        .table(TABLE)
        .if_not_exists()
        .col(number("id").primary_key())
        .col(number("format"))
        .col(key(backend, "jumak", 40))
        .to_owned();
    manager.create_table(table).await?;
    let DataVersion { format, jumak } = DataVersion::current();
    let row = ActiveModel { id: Set(ROW), format: Set(i32::try_from(format).unwrap_or(i32::MAX)), jumak: Set(jumak) };
    if Entity::find_by_id(ROW).one(connection).await?.is_some() {
        Entity::update(row).exec(connection).await?;
    } else {
        Entity::insert(row).exec_without_returning(connection).await?;
    }
    Ok(())
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "data_version")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub format: i32,
        pub jumak: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

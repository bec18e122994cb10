//! Tables and indices as statements: a table is what its entity says, on every engine.

use sea_orm::{
    ColumnTrait, ColumnType, DbBackend, EntityTrait, Iterable, PrimaryKeyArity, PrimaryKeyTrait, Schema,
    sea_query::{ColumnDef, Index, IndexCreateStatement, StringLen, Table, TableCreateStatement},
};

/// The no-pad binary collation, which compares byte by byte; with other collations `a` and `a ` are equal. MySQL and MariaDB have
/// different names for it, and each reads only its own comment. (The collation implies the character set.)
const MYSQL_BINARY: &str = "COLLATE /*M! utf8mb4_nopad_bin *//*!80000 utf8mb4_0900_bin */";

/// The statement that creates the table of an entity, with the entity's columns in their order.
///
/// Text has at most the number of characters that its `column_type` names, and compares byte by byte whatever the database's default: two
/// keys that differ in case or in trailing blanks are two. Bytes without a bound of their own are up to 16 MiB.
pub fn table_of<E: EntityTrait>(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(E::default().table_ref());
    for column in E::Column::iter() {
        table.col(column_of::<E>(column, backend));
    }
    if <<E::PrimaryKey as PrimaryKeyTrait>::ValueType as PrimaryKeyArity>::ARITY > 1 {
        let mut key = Index::create();
        for column in E::PrimaryKey::iter() {
            key.col(column);
        }
        table.primary_key(&mut key);
    }
    table
}

fn column_of<E: EntityTrait>(column: E::Column, backend: DbBackend) -> ColumnDef {
    let mut definition = Schema::new(backend).get_column_def::<E>(column);
    match (column.def().get_column_type(), backend) {
        (ColumnType::String(_), DbBackend::MySql) => definition.extra(MYSQL_BINARY),
        // Its plain blob ends at 64 KiB.
        (ColumnType::VarBinary(StringLen::None), DbBackend::MySql) => definition.custom("mediumblob"),
        (ColumnType::VarBinary(StringLen::None), _) => definition.blob(),
        _ => &mut definition,
    };
    definition
}

/// An index of a table, in the order of its columns.
#[derive(Clone, Copy, Debug)]
pub struct TableIndex {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    columns: &'static [&'static str],
    unique: bool,
}

/// An index for lookups.
pub const fn index(name: &'static str, table: &'static str, columns: &'static [&'static str]) -> TableIndex {
    TableIndex { name, table, columns, unique: false }
}

/// A unique index; rows with NULL in one of its columns never conflict.
pub const fn unique_index(name: &'static str, table: &'static str, columns: &'static [&'static str]) -> TableIndex {
    TableIndex { name, table, columns, unique: true }
}

impl TableIndex {
    pub(super) fn statement(self) -> IndexCreateStatement {
        let mut index = Index::create();
        index.name(self.name).table(self.table);
        for column in self.columns {
            index.col(*column);
        }
        if self.unique {
            index.unique();
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod basket {
        use crate::store::prelude::*;

        #[derive(Clone, Debug, PartialEq, DeriveEntityModel, DeriveActiveModelBehavior)]
        #[sea_orm(table_name = "basket")]
        pub(super) struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: Uuid,
            #[sea_orm(column_type = "String(StringLen::N(80))")]
            pub owner: String,
            #[sea_orm(column_type = "String(StringLen::N(16))", default_value = "")]
            pub colour: Option<String>,
            pub eggs: i32,
            pub version: i64,
            pub fill_time: Option<i64>,
            pub weight: f64,
            pub broken: bool,
            pub picture: Vec<u8>,
            pub note: Option<Vec<u8>>,
            #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
            pub seal: Vec<u8>,
        }
    }

    mod egg {
        use crate::store::prelude::*;

        #[derive(Clone, Debug, PartialEq, DeriveEntityModel, DeriveActiveModelBehavior)]
        #[sea_orm(table_name = "egg")]
        pub(super) struct Model {
            #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(64))")]
            pub basket: String,
            pub size: i32,
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: Uuid,
        }
    }

    #[test]
    fn a_table_is_what_its_entity_says_in_the_words_of_each_engine() {
        for (backend, expected) in [
            (
                DbBackend::Sqlite,
                r#"CREATE TABLE "basket" ( "id" uuid_text NOT NULL PRIMARY KEY, "owner" varchar(80) NOT NULL, "colour" varchar(16) DEFAULT '', "eggs" integer NOT NULL, "version" integer NOT NULL, "fill_time" integer, "weight" double NOT NULL, "broken" boolean NOT NULL, "picture" blob NOT NULL, "note" blob, "seal" varbinary_blob(32) NOT NULL )"#,
            ),
            (
                DbBackend::Postgres,
                r#"CREATE TABLE "basket" ( "id" uuid NOT NULL PRIMARY KEY, "owner" varchar(80) NOT NULL, "colour" varchar(16) DEFAULT '', "eggs" integer NOT NULL, "version" bigint NOT NULL, "fill_time" bigint, "weight" double precision NOT NULL, "broken" bool NOT NULL, "picture" bytea NOT NULL, "note" bytea, "seal" bytea NOT NULL )"#,
            ),
            (
                DbBackend::MySql,
                "CREATE TABLE `basket` ( `id` binary(16) NOT NULL PRIMARY KEY, `owner` varchar(80) NOT NULL COLLATION, `colour` varchar(16) DEFAULT '' COLLATION, `eggs` int NOT NULL, `version` bigint NOT NULL, `fill_time` bigint, `weight` double NOT NULL, `broken` bool NOT NULL, `picture` mediumblob NOT NULL, `note` mediumblob, `seal` varbinary(32) NOT NULL )",
            ),
        ] {
            let expected = expected.replace("COLLATION", MYSQL_BINARY);
            assert_eq!(backend.build(&table_of::<basket::Entity>(backend)).sql, expected, "{backend:?}");
        }
    }

    #[test]
    fn a_key_of_several_columns_is_one_key() {
        let table = DbBackend::Sqlite.build(&table_of::<egg::Entity>(DbBackend::Sqlite)).sql;
        let columns = r#""basket" varchar(64) NOT NULL, "size" integer NOT NULL, "id" uuid_text NOT NULL"#;
        assert_eq!(table, format!(r#"CREATE TABLE "egg" ( {columns}, PRIMARY KEY ("basket", "id") )"#));
    }
}

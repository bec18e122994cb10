//! This context's schema.

use mesh::{
    checkout::store::payer,
    store::{Schema, Tables, index, table_of},
};
use sea_orm::{
    DbBackend,
    sea_query::{Expr, ExprTrait, TableCreateStatement},
};

use super::entity::{night, reservation, room};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables {
    name: "m0002_reservation_tables",
    tables: &[table_of::<reservation::Entity>, table_of::<room::Entity>, nights, table_of::<payer::Entity>],
    indices: &[
        index("reservation_payer", "reservation", &["payer", "id"]),
        index("reservation_payee", "reservation", &["payee", "id"]),
        index("reservation_room", "reservation", &["room", "state"]),
        index("reservation_due", "reservation", &["next_attempt_time", "id"]),
    ],
};

fn nights(backend: DbBackend) -> TableCreateStatement {
    table_of::<night::Entity>(backend)
        // The last defence against overselling: the database refuses it, whatever a program does.
        .check(Expr::col("taken").gte(0))
        .check(Expr::col("taken").lte(Expr::col("capacity")))
        .to_owned()
}

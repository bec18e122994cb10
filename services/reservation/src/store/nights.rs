//! The allocation of room-nights: overselling is impossible by construction.
//!
//! A night's row has its capacity and the taken units. Taking units is one conditional update over all nights of a stay; it succeeds if it
//! updates as many rows as there are nights. The table's CHECK is a second defence. The nights are locked in
//! their order, so that stays that overlap do not wait for one another: by the update on PostgreSQL, by the range of the primary key on
//! MariaDB. SQLite has one writer.

use jiff::civil::Date;
use mesh::{
    Error, Refusal, Tx,
    db::{Step, missing},
    store::int,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{CaseStatement, Expr, ExprTrait, SelectStatement, SimpleExpr},
};
use uuid::Uuid;

use super::{
    entity::night::{ActiveModel, Column, Entity},
    rooms,
};
use crate::{
    domain::{RoomOffer, Stay},
    reasons,
};

/// Creates the missing rows of a stay's nights. The caller holds the room's lock, so that the offer cannot change between its read and
/// this write.
pub async fn ensure(tx: &Tx, room: &RoomOffer, stay: &Stay) -> Result<(), Error> {
    let nights: Vec<String> = stay.nights().map(|night| night.to_string()).collect();
    let present: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Night)
        .filter(of(room.id, stay.check_in, stay.check_out))
        .into_tuple()
        .all(&**tx)
        .await?;
    let offered = units_on_offer(room)?;
    for night in missing(&nights, &present.into_iter().collect()) {
        tx.insert_new(fresh(room.id, night, offered)).await?;
    }
    Ok(())
}

/// Whether every night of the stay has a row: then there is no need to lock the room and [`ensure`] them.
pub async fn are_there(tx: &Tx, room: Uuid, stay: &Stay) -> Result<bool, Error> {
    let there = Entity::find().filter(of(room, stay.check_in, stay.check_out)).count(&**tx).await?;
    Ok(there == u64::from(stay.count()))
}

/// Takes the stay's units on every one of its nights, if the room is still in `version`.
pub fn take(room: Uuid, version: Option<i64>, stay: &Stay) -> Step {
    let update = Entity::update_many()
        .col_expr(Column::Taken, Expr::col(Column::Taken).add(units(stay)))
        .filter(of(room, stay.check_in, stay.check_out))
        .filter(enough(stay))
        .filter(Expr::exists(rooms::in_version(room, version)));
    Step::from(update).exactly(stay.count().into()).locking(Column::Night, in_order(room, stay))
}

/// Refuses a stay of which a night has too few units left, and names the first such night.
pub async fn check_left(connection: &impl ConnectionTrait, room: Uuid, stay: &Stay) -> Result<(), Error> {
    let short = Entity::find()
        .filter(of(room, stay.check_in, stay.check_out))
        .filter(enough(stay).not())
        .order_by_asc(Column::Night)
        .one(connection)
        .await?;
    match short {
        Some(night) => Err(unavailable(&night.night, night.capacity - night.taken, night.offered)),
        None => Ok(()),
    }
}

/// Releases the stay's units. The capacity of an oversold night shrinks by the released units.
pub fn give_back(room: Uuid, stay: &Stay) -> Step {
    let left = || Expr::col(Column::Taken).sub(units(stay));
    let update = Entity::update_many()
        // Before `taken`, because MySQL evaluates from left to right with the new values.
        .col_expr(Column::Capacity, larger(left(), Expr::col(Column::Offered)))
        .col_expr(Column::Taken, left())
        .filter(of(room, stay.check_in, stay.check_out));
    Step::from(update).exactly(stay.count().into()).locking(Column::Night, in_order(room, stay))
}

/// Sets the offer of every night from `from` on to the room's units. The caller has just written the room's row.
pub async fn reoffer(tx: &Tx, room: &RoomOffer, from: Date) -> Result<(), Error> {
    let units = units_on_offer(room)?;
    let offered = || -> SimpleExpr {
        CaseStatement::new()
            .case(Expr::val(units).gt(Expr::col(Column::Blocked)), Expr::val(units).sub(Expr::col(Column::Blocked)))
            .finally(0)
            .into()
    };
    Entity::update_many()
        .col_expr(Column::Offered, offered())
        .col_expr(Column::Capacity, larger(Expr::col(Column::Taken), offered()))
        .filter(Column::Room.eq(room.id))
        .filter(Column::Night.gte(from.to_string()))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Sets the blocked units of a night, unless a newer version of the room has set them.
pub async fn block(tx: &Tx, room: &RoomOffer, night: Date, blocked: i32, version: i64) -> Result<(), Error> {
    let units = units_on_offer(room)?;
    tx.insert_new(fresh(room.id, night.to_string(), units)).await?;
    let offered = Ord::max(units - blocked, 0);
    Entity::update_many()
        .col_expr(Column::Blocked, Expr::val(blocked))
        .col_expr(Column::BlockVersion, Expr::val(version))
        .col_expr(Column::Offered, Expr::val(offered))
        .col_expr(Column::Capacity, larger(Expr::col(Column::Taken), Expr::val(offered)))
        .filter(Column::Room.eq(room.id))
        .filter(Column::Night.eq(night.to_string()))
        .filter(Column::BlockVersion.lt(version))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// How many units the night with the fewest has left; a night without a row has all.
pub async fn fewest_left(connection: &impl ConnectionTrait, room: &RoomOffer, stay: &Stay) -> Result<i32, Error> {
    let rows = Entity::find().filter(of(room.id, stay.check_in, stay.check_out)).all(connection).await?;
    let all_touched = rows.len() as u64 == u64::from(stay.count());
    let untouched = if all_touched { None } else { Some(units_on_offer(room)?) };
    Ok(rows.iter().map(|row| row.capacity - row.taken).chain(untouched).min().unwrap_or(0))
}

fn of(room: Uuid, check_in: Date, check_out: Date) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(Column::Room.eq(room))
        .add(Column::Night.gte(check_in.to_string()))
        .add(Column::Night.lt(check_out.to_string()))
}

fn enough(stay: &Stay) -> SimpleExpr {
    Expr::col(Column::Taken).add(units(stay)).lte(Expr::col(Column::Capacity))
}

fn larger(left: impl Into<SimpleExpr>, right: impl Into<SimpleExpr>) -> SimpleExpr {
    let (left, right) = (left.into(), right.into());
    CaseStatement::new().case(left.clone().gt(right.clone()), left).finally(right).into()
}

fn fresh(room: Uuid, night: String, offered: i32) -> ActiveModel {
    ActiveModel {
        room: Set(room),
        night: Set(night),
        offered: Set(offered),
        capacity: Set(offered),
        taken: Set(0),
        blocked: Set(0),
        block_version: Set(0),
    }
}

/// The nights of a stay, in the order in which everybody takes them.
fn in_order(room: Uuid, stay: &Stay) -> SelectStatement {
    let nights = Entity::find().select_only().column(Column::Night).filter(of(room, stay.check_in, stay.check_out));
    nights.order_by_asc(Column::Night).into_query()
}

fn units_on_offer(room: &RoomOffer) -> Result<i32, Error> {
    if room.deleted { Ok(0) } else { int(room.units) }
}

/// Wider than the columns: more units than a column holds are more than are left, and the table refuses them.
fn units(stay: &Stay) -> i64 {
    stay.units.into()
}

fn unavailable(night: &str, left: i32, of: i32) -> Error {
    let left = Ord::max(left, 0);
    Refusal::new(reasons::ROOM_UNAVAILABLE, format!("the room is sold out on {night} ({left} of {of} left)"))
        .hint("try other dates or SearchRooms")
        .with("date", night)
        .with("units_left", left)
        .into()
}

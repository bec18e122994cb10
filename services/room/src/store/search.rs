//! The SQL of a search: every condition on the rooms themselves, and the order.

use mesh::{Error, db::order, money::Money, unicode};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, Order as SqlOrder, QueryFilter, QueryOrder,
    QuerySelect, Select,
    sea_query::{Expr, ExprTrait, LikeExpr},
};

use super::entity::room::{Column, Entity};
use crate::{
    domain::{Room, chord_squared_of},
    search::{Near, Order, Query},
};

/// The escape character of LIKE. Not the backslash, which MySQL treats specially.
const ESCAPE: char = '!';

/// The next `limit` matching active rooms, sold out or not.
pub async fn candidates(connection: &impl ConnectionTrait, query: &Query, limit: u64) -> Result<Vec<Room>, Error> {
    select(query, connection.get_database_backend())
        .limit(limit)
        .all(connection)
        .await?
        .into_iter()
        .map(Room::try_from)
        .collect()
}

/// All matching rooms in their order, after the last page.
///
/// Indices serve the orders of price and rating. Their first column is the deletion time, which is NULL for active rooms.
pub(crate) fn select(query: &Query, backend: DbBackend) -> Select<Entity> {
    let select = Entity::find().filter(suits(query));
    let behind = |select, order| order::behind(select, Column::DeleteTime, order, backend);
    match query.order {
        Order::Price { after } => {
            let after = after.map(|(rate, id)| {
                let last = [Expr::value(rate.code()), Expr::value(rate.minor()), Expr::value(id)];
                Expr::tuple([Column::Currency, Column::RateMinor, Column::Id].map(Expr::col)).gt(Expr::tuple(last))
            });
            behind(select.filter(Condition::all().add_option(after)), SqlOrder::Asc)
                .order_by_asc(Column::Currency)
                .order_by_asc(Column::RateMinor)
                .order_by_asc(Column::Id)
        }
        Order::Distance { from, after } => {
            let distance = || chord_squared_from(from);
            let after = after.map(|(chord_squared, id)| {
                Expr::tuple([distance(), Expr::col(Column::Id)])
                    .gt(Expr::tuple([Expr::value(chord_squared), Expr::value(id)]))
            });
            select.filter(Condition::all().add_option(after)).order_by_asc(distance()).order_by_asc(Column::Id)
        }
        Order::Rating { after } => {
            // One direction for all columns, so that an index serves the order.
            let after = after.map(|(rating, id)| {
                Expr::tuple([Column::Rating, Column::Id].map(Expr::col))
                    .lt(Expr::tuple([Expr::value(rating), Expr::value(id)]))
            });
            behind(select.filter(Condition::all().add_option(after)), SqlOrder::Desc)
                .order_by_desc(Column::Rating)
                .order_by_desc(Column::Id)
        }
    }
}

fn suits(query: &Query) -> Condition {
    let mut all = Condition::all()
        .add(Column::DeleteTime.is_null())
        .add(Column::Units.gte(i32::from(query.units)))
        .add(Column::Capacity.gte(i32::from(query.guests.div_ceil(query.units))))
        .add_option(query.min_size.map(|size| Column::SizeSquareMeters.gte(i32::from(size))))
        .add_option(query.min_rate.map(|rate| in_currency(rate).add(Column::RateMinor.gte(rate.minor()))))
        .add_option(query.max_rate.map(|rate| in_currency(rate).add(Column::RateMinor.lte(rate.minor()))))
        .add_option(query.near.as_ref().map(around));
    if !query.place.is_empty() {
        all = all.add(Column::PlaceFolded.like(containing(&unicode::folded(&query.place))));
    }
    for word in &query.amenities {
        all = all.add(Column::Amenities.like(containing(&format!(",{word},"))));
    }
    all
}

fn in_currency(rate: Money) -> Condition {
    Condition::all().add(Column::Currency.eq(rate.code()))
}

/// A near place is near in each coordinate, which an index can check before the distance is computed.
fn around(near: &Near) -> Condition {
    let max = chord_squared_of(near.radius_meters);
    let mut all = Condition::all();
    for (column, at) in [Column::X, Column::Y, Column::Z].into_iter().zip(near.on_unit_sphere) {
        all = all.add(column.between(at - max.sqrt(), at + max.sqrt()));
    }
    all.add(chord_squared_from(near.on_unit_sphere).lte(max))
}

/// [`chord_squared`](crate::domain::chord_squared) in SQL.
fn chord_squared_from(from: [f64; 3]) -> Expr {
    let [x, y, z] = from;
    let squared = |column: Column, at: f64| Expr::col(column).sub(at).mul(Expr::col(column).sub(at));
    squared(Column::X, x).add(squared(Column::Y, y)).add(squared(Column::Z, z))
}

fn containing(text: &str) -> LikeExpr {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(letter);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape(ESCAPE)
}

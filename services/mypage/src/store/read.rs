//! Queries for a user: the user is part of the WHERE clause of every query for owned data.

use std::collections::HashMap;

use contracts::mypage::v1::booking::{Kind, Phase, Role};
use jiff::Timestamp;
use mesh::{
    Database, Error,
    page::{self, Page},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, Order, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::entity::{booking, case, room, timeline, viewer};
use crate::course::Course;

/// A booking, and the case that it is of.
pub type Row = (booking::Model, case::Model);

/// The most entries of a timeline.
const MAX_TIMELINE: u64 = 200;

/// The filter of a user's bookings; all conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// In which the user has this role.
    pub role: Option<Role>,
    /// Of one of these kinds; empty: any.
    pub kinds: Vec<Kind>,
    /// In one of these phases; empty: any.
    pub phases: Vec<Phase>,
}

/// How many bookings a user has, and how new the newest of them is.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Tally {
    /// As a guest, open.
    pub guest_open: i64,
    /// As a guest, done.
    pub guest_done: i64,
    /// As a guest, cancelled.
    pub guest_cancelled: i64,
    /// As a host, open.
    pub host_open: i64,
    /// As a host, done.
    pub host_done: i64,
    /// As a host, cancelled.
    pub host_cancelled: i64,
    /// When the youngest of the owners' changes came about.
    pub source_time: Option<i64>,
    /// When the youngest of payment's changes came about.
    pub payment_source_time: Option<i64>,
}

/// How many rooms a user lets, and how new the newest change of one is.
#[derive(Clone, Debug, FromQueryResult)]
pub struct RoomTally {
    /// Rooms that are not deleted.
    pub rooms: i64,
    /// When the youngest change came about, deletions included.
    pub source_time: Option<i64>,
}

/// The user's booking of that case.
pub async fn booking(database: &Database, user: &str, case_id: Uuid) -> Result<Option<Row>, Error> {
    let found = booking::Entity::find_by_id((user.to_owned(), case_id)).find_both_related(case::Entity);
    Ok(found.one(database.read()).await?)
}

/// A page of the user's bookings among those that are wanted, the newest first.
pub async fn bookings(
    database: &Database,
    user: &str,
    wanted: &Wanted,
    now: Timestamp,
    page: &Page<(i64, Uuid)>,
) -> Result<Vec<Row>, Error> {
    let mut condition = Condition::all().add(booking::Column::UserName.eq(user));
    if let Some(role) = wanted.role {
        condition = condition.add(is(role));
    }
    if !wanted.kinds.is_empty() {
        condition = condition.add(case::Column::Kind.is_in(wanted.kinds.iter().map(|kind| kind.as_str_name())));
    }
    if !wanted.phases.is_empty() {
        let any = wanted.phases.iter().fold(Condition::any(), |any, phase| any.add(in_phase(*phase, now)));
        condition = condition.add(any);
    }
    let columns = [booking::Column::CreateTime, booking::Column::CaseId];
    let found = page.of(booking::Entity::find().filter(condition), &columns, &Order::Desc);
    Ok(found.find_both_related(case::Entity).all(database.read()).await?)
}

/// The user's open bookings that are not over, those that begin first before the others.
pub async fn upcoming(database: &Database, user: &str, now: Timestamp, limit: u64) -> Result<Vec<Row>, Error> {
    let found = booking::Entity::find()
        .filter(booking::Column::UserName.eq(user))
        .filter(in_phase(Phase::Open, now))
        .filter(case::Column::EndTime.gt(now.as_microsecond()))
        .order_by_asc(case::Column::StartDate)
        .order_by_asc(case::Column::CaseId)
        .limit(limit)
        .find_both_related(case::Entity);
    Ok(found.all(database.read()).await?)
}

/// The user's bookings that have changed since position `after`, in the order of their last changes. Up to `open_until` only the
/// open ones.
pub async fn changes(
    database: &Database,
    user: &str,
    after: i64,
    open_until: i64,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<Row>, Error> {
    let found = booking::Entity::find()
        .filter(booking::Column::UserName.eq(user))
        .filter(booking::Column::Position.gt(after))
        .filter(Condition::any().add(booking::Column::Position.gt(open_until)).add(in_phase(Phase::Open, now)))
        .order_by_asc(booking::Column::Position)
        .limit(limit)
        .find_both_related(case::Entity);
    Ok(found.all(database.read()).await?)
}

/// The next `limit` bookings of all users, by case and user.
pub async fn all_bookings(database: &Database, last: Option<(Uuid, String)>, limit: u64) -> Result<Vec<Row>, Error> {
    let columns = [booking::Column::CaseId, booking::Column::UserName];
    let found = page::after(booking::Entity::find(), &columns, &Order::Asc, last, limit);
    Ok(found.find_both_related(case::Entity).all(database.read()).await?)
}

/// The position of the user's last change; 0 if there was none.
pub async fn position(database: &Database, user: &str) -> Result<i64, Error> {
    let found = viewer::Entity::find_by_id(user.to_owned()).one(database.read()).await?;
    Ok(found.map_or(0, |viewer| viewer.position))
}

/// Counts the user's bookings.
pub async fn tally(database: &Database, user: &str, now: Timestamp) -> Result<Tally, Error> {
    let found = booking::Entity::find()
        .select_only()
        .inner_join(case::Entity)
        .filter(booking::Column::UserName.eq(user))
        .expr_as(count(is(Role::Guest).add(in_phase(Phase::Open, now))), "guest_open")
        .expr_as(count(is(Role::Guest).add(in_phase(Phase::Done, now))), "guest_done")
        .expr_as(count(is(Role::Guest).add(in_phase(Phase::Cancelled, now))), "guest_cancelled")
        .expr_as(count(is(Role::Host).add(in_phase(Phase::Open, now))), "host_open")
        .expr_as(count(is(Role::Host).add(in_phase(Phase::Done, now))), "host_done")
        .expr_as(count(is(Role::Host).add(in_phase(Phase::Cancelled, now))), "host_cancelled")
        .expr_as(case::Column::SourceTime.max(), "source_time")
        .expr_as(case::Column::PaymentSourceTime.max(), "payment_source_time")
        .into_model::<Tally>()
        .one(database.read())
        .await?;
    found.ok_or_else(nothing_counted)
}

/// The newest `limit` rooms that the user lets.
pub async fn rooms(database: &Database, host: &str, limit: u64) -> Result<Vec<room::Model>, Error> {
    let found = room::Entity::find()
        .filter(room::Column::Host.eq(host))
        .filter(room::Column::Deleted.eq(false))
        .order_by_desc(room::Column::CreateTime)
        .order_by_desc(room::Column::RoomId)
        .limit(limit);
    Ok(found.all(database.read()).await?)
}

/// Counts the user's rooms.
pub async fn room_tally(database: &Database, host: &str) -> Result<RoomTally, Error> {
    let found = room::Entity::find()
        .select_only()
        .filter(room::Column::Host.eq(host))
        .expr_as(count(Condition::all().add(room::Column::Deleted.eq(false))), "rooms")
        .expr_as(room::Column::SourceTime.max(), "source_time")
        .into_model::<RoomTally>()
        .one(database.read())
        .await?;
    found.ok_or_else(nothing_counted)
}

/// How many open bookings each of these rooms has; a room without any is not in the answer.
pub async fn open_bookings(database: &Database, rooms: &[Uuid], now: Timestamp) -> Result<HashMap<Uuid, i64>, Error> {
    let found: Vec<(Uuid, i64)> = case::Entity::find()
        .select_only()
        .column(case::Column::RoomId)
        .expr_as(case::Column::CaseId.count(), "bookings")
        .filter(case::Column::RoomId.is_in(rooms.iter().copied()))
        .filter(in_phase(Phase::Open, now))
        .group_by(case::Column::RoomId)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(found.into_iter().collect())
}

/// What happened to a case, the oldest first.
pub async fn timeline(database: &Database, case_id: Uuid) -> Result<Vec<timeline::Model>, Error> {
    let found = timeline::Entity::find()
        .filter(timeline::Column::CaseId.eq(case_id))
        .order_by_asc(timeline::Column::OccurTime)
        .order_by_asc(timeline::Column::EventId)
        .limit(MAX_TIMELINE);
    Ok(found.all(database.read()).await?)
}

/// The full names of those of these events that were heard. Of two contexts that use one id it is either: a cause is named by its id
/// alone.
pub async fn kinds(database: &Database, events: &[Uuid]) -> Result<HashMap<Uuid, String>, Error> {
    let found: Vec<(Uuid, String)> = timeline::Entity::find()
        .select_only()
        .column(timeline::Column::EventId)
        .column(timeline::Column::Kind)
        .filter(timeline::Column::EventId.is_in(events.iter().copied()))
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(found.into_iter().collect())
}

fn is(role: Role) -> Condition {
    Condition::all().add_option(match role {
        Role::Unspecified => None,
        Role::Guest => Some(booking::Column::IsGuest.eq(true)),
        Role::Host => Some(booking::Column::IsHost.eq(true)),
    })
}

/// What [`Course::phase`] says, in SQL.
fn in_phase(phase: Phase, now: Timestamp) -> Condition {
    let course = |course: Course| case::Column::Course.eq(course.name());
    let now = now.as_microsecond();
    match phase {
        Phase::Unspecified => Condition::all(),
        Phase::Open => Condition::any()
            .add(course(Course::Undecided))
            .add(course(Course::Agreed).and(case::Column::EndTime.gt(now))),
        Phase::Done => Condition::all().add(course(Course::Agreed)).add(case::Column::EndTime.lte(now)),
        Phase::Cancelled => Condition::all().add(course(Course::Off)),
    }
}

/// COUNT skips NULL, and gives a BIGINT on every engine, which SUM does not.
fn count(rows: Condition) -> Expr {
    let row: Expr = Expr::case(rows, 1).into();
    row.count()
}

fn nothing_counted() -> Error {
    Error::Internal("a count gave no row".to_owned())
}

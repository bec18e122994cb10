//! Applies events. Events of one case are serialised by its row, and their changes get positions from the rows of its parties.

use jiff::Timestamp;
use mesh::{Error, Tx, db::Kept};
use prost::Message;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::entity::{booking, case, room, viewer};
use crate::projection::{CaseChange, Change, Heard, PaymentChange};

/// Applies an event, unless it was applied before.
pub async fn apply(tx: &Tx, heard: &Heard, now: Timestamp) -> Result<(), Error> {
    if !tx.insert_new(heard.entry.clone().into_active_model()).await? {
        return Ok(());
    }
    match &heard.change {
        Change::Case(change) => apply_case(tx, change, now).await,
        Change::Payment(change) => apply_payment(tx, change, now).await,
        Change::Room(row) => apply_room(tx, row).await,
    }
}

async fn apply_case(tx: &Tx, change: &CaseChange, now: Timestamp) -> Result<(), Error> {
    if tx.keep_newest(owner_half(change), case::Column::Version.lt(change.version)).await? == Kept::Nothing {
        return Ok(());
    }
    number_change(tx, &parties(change)).await?;
    if place_change(tx, change.case_id, now).await? == 0 {
        booking::Entity::insert_many(booking_rows(change, now)).exec_without_returning(&**tx).await?;
        place_change(tx, change.case_id, now).await?;
    }
    Ok(())
}

async fn apply_payment(tx: &Tx, change: &PaymentChange, now: Timestamp) -> Result<(), Error> {
    let asked = change.create_time.as_microsecond();
    let same_time = case::Column::PaymentCreateTime.eq(asked);
    let same_payment = same_time.clone().and(case::Column::PaymentId.eq(change.payment_id));
    let older = case::Column::PaymentCreateTime
        .lt(asked)
        .or(same_time.and(case::Column::PaymentId.lt(change.payment_id)))
        .or(same_payment.and(case::Column::PaymentVersion.lt(change.version)));
    if tx.keep_newest(payment_half(change), older).await? == Kept::Nothing {
        return Ok(());
    }
    let users: Vec<String> = booking::Entity::find()
        .select_only()
        .column(booking::Column::UserName)
        .filter(booking::Column::CaseId.eq(change.case_id))
        .into_tuple()
        .all(&**tx)
        .await?;
    // The case is not shown before its owner's event arrives.
    if !users.is_empty() {
        number_change(tx, &users).await?;
        place_change(tx, change.case_id, now).await?;
    }
    Ok(())
}

async fn apply_room(tx: &Tx, row: &room::Model) -> Result<(), Error> {
    let older = room::Column::Version.lt(row.version);
    tx.keep_newest(row.clone().into_active_model().reset_all(), older).await?;
    Ok(())
}

/// Takes the next position of each user.
async fn number_change(tx: &Tx, users: &[String]) -> Result<(), Error> {
    let next = viewer::Entity::update_many()
        .col_expr(viewer::Column::Position, Expr::col(viewer::Column::Position).add(1))
        .filter(viewer::Column::UserName.is_in(users));
    if next.clone().exec(&**tx).await?.rows_affected == users.len() as u64 {
        return Ok(());
    }
    for user in users {
        tx.insert_new(viewer::ActiveModel { user_name: Set(user.clone()), position: Set(0) }).await?;
    }
    next.exec(&**tx).await?;
    Ok(())
}

/// Puts the case at the positions just taken, and returns the number of its bookings.
async fn place_change(tx: &Tx, case_id: Uuid, now: Timestamp) -> Result<u64, Error> {
    let position = viewer::Entity::find()
        .select_only()
        .column(viewer::Column::Position)
        .filter(
            Expr::col((viewer::Entity, viewer::Column::UserName)).equals((booking::Entity, booking::Column::UserName)),
        )
        .into_query();
    let placed = booking::Entity::update_many()
        .col_expr(booking::Column::Position, position.into())
        .col_expr(booking::Column::UpdateTime, Expr::value(now.as_microsecond()))
        .filter(booking::Column::CaseId.eq(case_id))
        .exec(&**tx)
        .await?;
    Ok(placed.rows_affected)
}

/// The parties of the case: two, or one if a user books their own room.
fn parties(change: &CaseChange) -> Vec<String> {
    let mut users = vec![change.guest.clone()];
    if change.host != change.guest {
        users.push(change.host.clone());
    }
    users
}

fn booking_rows(change: &CaseChange, now: Timestamp) -> Vec<booking::ActiveModel> {
    let row = |user: String| booking::ActiveModel {
        is_guest: Set(user == change.guest),
        is_host: Set(user == change.host),
        counterparty: Set(if user == change.guest { change.host.clone() } else { change.guest.clone() }),
        user_name: Set(user),
        case_id: Set(change.case_id),
        create_time: Set(change.create_time.as_microsecond()),
        position: Set(0),
        update_time: Set(now.as_microsecond()),
    };
    parties(change).into_iter().map(row).collect()
}

fn owner_half(change: &CaseChange) -> case::ActiveModel {
    case::ActiveModel {
        case_id: Set(change.case_id),
        kind: Set(change.kind.as_str_name().to_owned()),
        version: Set(change.version),
        correlation_id: Set(change.correlation_id.clone()),
        room_id: Set(Some(change.room_id)),
        title: Set(change.title.clone()),
        state: Set(change.state.clone()),
        course: Set(change.course.name().to_owned()),
        start_date: Set(change.start_date.to_string()),
        end_date: Set(change.end_date.to_string()),
        end_time: Set(change.end_time.as_microsecond()),
        total_minor: Set(change.total.minor()),
        currency: Set(change.total.code().to_owned()),
        details: Set(Some(change.details.encode_to_vec())),
        source_time: Set(change.source_time.as_microsecond()),
        ..Default::default()
    }
}

fn payment_half(change: &PaymentChange) -> case::ActiveModel {
    case::ActiveModel {
        case_id: Set(change.case_id),
        payment_id: Set(Some(change.payment_id)),
        payment_create_time: Set(change.create_time.as_microsecond()),
        payment_version: Set(change.version),
        payment_state: Set(change.state.clone()),
        refunded_minor: Set(change.refunded_minor),
        payment_source_time: Set(change.source_time.as_microsecond()),
        ..Default::default()
    }
}

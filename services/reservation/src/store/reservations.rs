//! Queries and updates of reservations, for the lifecycle and the lists.

use async_trait::async_trait;
use contracts::reservation::v1::{
    ReservationCancelRequested, ReservationCancelled, ReservationConfirmed, ReservationExpired, ReservationHeld,
    ReservationRejected,
};
use jiff::{Timestamp, civil::Date};
use mesh::{
    Actor, Database, Error, Event, Reason, Tx,
    checkout::{Cases, Fact, Record, State, store::case_of},
    db::Step,
    page::{self, Page},
};
use prost::Message;
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QuerySelect, sea_query::ExprTrait};
use uuid::Uuid;

use super::{
    entity::reservation::{ActiveModel, Column, Entity, Model},
    nights, rooms, row,
};
use crate::{
    convert,
    domain::{COLLECTION, Reservation},
    events, reasons,
};

/// The store of reservations.
#[derive(Clone)]
pub struct Reservations {
    database: Database,
}

/// The view of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The caller's own stays.
    Guest,
    /// The stays in the caller's rooms.
    Host,
    /// Everybody's.
    All,
}

/// Which reservations a list holds.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The view.
    pub view: View,
    /// The caller.
    pub user: String,
    /// Only this room's.
    pub room: Option<Uuid>,
    /// Only in these states; empty is any.
    pub states: Vec<State>,
    /// Only with a night on this date or later.
    pub from_date: Option<Date>,
}

impl Filter {
    /// All parameters of a list: a page token of another list must not open this one.
    pub fn list(&self) -> [String; 6] {
        let view = match self.view {
            View::Guest => "GUEST",
            View::Host => "HOST",
            View::All => "ALL",
        };
        let states = page::joined(self.states.iter().map(|state| state.name()));
        let (room, from_date) = (page::joined(self.room), page::joined(self.from_date));
        ["ListReservations".to_owned(), view.to_owned(), self.user.clone(), room, states, from_date]
    }
}

impl Reservations {
    /// The reservations in that database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// A page of reservations, the newest first.
    pub async fn list(&self, filter: &Filter, page: &Page<Uuid>) -> Result<Vec<Reservation>, Error> {
        let mut query = match filter.view {
            View::Guest => Entity::find().filter(Column::Payer.eq(&filter.user)),
            View::Host => Entity::find().filter(Column::Payee.eq(&filter.user)),
            View::All => Entity::find(),
        };
        if let Some(room) = filter.room {
            query = query.filter(Column::Room.eq(room));
        }
        if !filter.states.is_empty() {
            query = query.filter(Column::State.is_in(filter.states.iter().map(|state| state.name())));
        }
        if let Some(from) = filter.from_date {
            query = query.filter(Column::CheckOutDate.gt(from.to_string()));
        }
        let rows = page.of(query, &[Column::Id], &Order::Desc).all(self.database.read()).await?;
        rows.into_iter().map(case_of::<Self>).collect()
    }

    /// Up to `limit` stays of a room that were not over at `not_over_at` and are sold or held, in the order of their ids, from above
    /// `after` on.
    pub async fn open_stays(
        &self,
        room: Uuid,
        not_over_at: Timestamp,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Uuid>, Error> {
        let query = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Room.eq(room))
            // A stay is earned when it is over.
            .filter(Column::EarnTime.gt(not_over_at.as_microsecond()))
            .filter(
                Column::State
                    .eq(State::Confirmed.name())
                    .or(Column::State.eq(State::Pending.name()).and(Column::CancelAsked.eq(false))),
            );
        let query = page::after(query, &[Column::Id], &Order::Asc, after, limit);
        Ok(query.into_tuple().all(self.database.read()).await?)
    }
}

#[async_trait]
impl Cases for Reservations {
    type Case = Reservation;
    type Table = Entity;

    const CONTEXT: &'static str = "reservation";
    const COLLECTION: &'static str = COLLECTION;
    const WORD: &'static str = "reservation";
    const NOT_FOUND: Reason = reasons::RESERVATION_NOT_FOUND;
    const LIST: &'static str = "ListReservations";

    fn to_row(case: &Reservation) -> Result<ActiveModel, Error> {
        row::to_row(case)
    }

    fn from_row(row: Model, record: Record) -> Result<Reservation, Error> {
        row::from_row(row, record)
    }

    fn take(&self, case: &Reservation) -> Vec<Step> {
        vec![nights::take(case.room, case.room_version, &case.stay)]
    }

    async fn still_stands(&self, tx: &Tx, case: &Reservation) -> Result<bool, Error> {
        Ok(case.room_version.is_some() && rooms::version(tx, case.room).await? == case.room_version)
    }

    async fn make_ready(&self, tx: &Tx, case: &Reservation) -> Result<(), Error> {
        if !nights::are_there(tx, case.room, &case.stay).await? {
            // Under the room's lock, so that its offer cannot change between this read and the rows.
            let room = rooms::find(tx, case.room).await?.ok_or(Error::Lost)?;
            nights::ensure(tx, &room, &case.stay).await?;
        }
        nights::check_left(&**tx, case.room, &case.stay).await
    }

    fn give_back(&self, case: &Reservation) -> Vec<Step> {
        vec![nights::give_back(case.room, &case.stay)]
    }

    fn event(&self, case: &Reservation, fact: Fact, actor: &Actor) -> Result<Event, Error> {
        let reservation = Some(convert::for_event(case));
        Ok(match fact {
            Fact::CancelAsked | Fact::CancelRefused => {
                return Err(Error::Internal(
                    "nobody but the reservation decides whether a stay can be cancelled".to_owned(),
                ));
            }
            Fact::Held => events::new(case, actor, &ReservationHeld { reservation }),
            Fact::Confirmed => events::new(case, actor, &ReservationConfirmed { reservation }),
            Fact::Rejected => events::new(case, actor, &ReservationRejected { reservation }),
            Fact::Expired => events::new(case, actor, &ReservationExpired { reservation }),
            Fact::CancelRequested => events::new(case, actor, &ReservationCancelRequested { reservation }),
            Fact::Cancelled => events::new(case, actor, &ReservationCancelled { reservation }),
            Fact::RefundRequested(attempt) => events::refund_requested(case, attempt, actor),
        })
    }

    fn answer(&self, case: &Reservation) -> Vec<u8> {
        convert::resource(case).encode_to_vec()
    }
}

//! Reservations, as the lifecycle and the lists need them.

use async_trait::async_trait;
use contracts::reservation::v1::{
    ReservationCancelRequested, ReservationCancelled, ReservationConfirmed, ReservationExpired, ReservationHeld,
    ReservationRejected,
};
use jiff::{Timestamp, civil::Date};
use mesh::{
    Actor, Database, Error, Event, Reason, Refusal, Tx,
    checkout::{Cases, Due, Fact, Scope, State},
    clock::from_micros,
    db::{Engine, exactly_one},
    error::shown,
    fields,
    page::{self, Page},
};
use prost::Message;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::{
    entity::{
        payer,
        reservation::{Column, Entity},
    },
    nights, row,
};
use crate::{
    convert,
    domain::{COLLECTION, Reservation},
    events,
};

/// The store of reservations.
#[derive(Clone)]
pub struct Reservations {
    database: Database,
}

/// As what a caller lists.
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
    /// As what, and whose.
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
    /// Everything that decides what a list holds, by name: a token of another list must not open this one.
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
            View::Guest => Entity::find().filter(Column::Guest.eq(&filter.user)),
            View::Host => Entity::find().filter(Column::Host.eq(&filter.user)),
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
        rows.into_iter().map(row::from_row).collect()
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

    /// Up to `limit` reservations in the order of their ids, from above `after` on: for the audit.
    pub async fn page(
        connection: &impl ConnectionTrait,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Reservation>, Error> {
        let query = page::after(Entity::find(), &[Column::Id], &Order::Asc, after, limit);
        query.all(connection).await?.into_iter().map(row::from_row).collect()
    }

    fn id(&self, name: &str) -> Result<Uuid, Error> {
        fields::parse_name(name, COLLECTION).ok_or_else(|| self.not_found(name))
    }

    async fn one(
        &self,
        connection: &impl ConnectionTrait,
        name: &str,
        scope: &Scope,
    ) -> Result<Option<Reservation>, Error> {
        let query = Entity::find_by_id(self.id(name)?);
        let query = match scope {
            Scope::All => query,
            Scope::Payer(user) => query.filter(Column::Guest.eq(user)),
            Scope::Party(user) => query.filter(Column::Guest.eq(user).or(Column::Host.eq(user))),
        };
        query.one(connection).await?.map(row::from_row).transpose()
    }
}

#[async_trait]
impl Cases for Reservations {
    type Case = Reservation;

    const CONTEXT: &'static str = "reservation";
    const COLLECTION: &'static str = "reservations/";
    const WORD: &'static str = "reservation";

    async fn find(&self, tx: &Tx, name: &str, scope: &Scope) -> Result<Option<Reservation>, Error> {
        self.one(&**tx, name, scope).await
    }

    async fn read(&self, name: &str, scope: &Scope) -> Result<Option<Reservation>, Error> {
        self.one(self.database.read(), name, scope).await
    }

    async fn insert(&self, tx: &Tx, case: &Reservation) -> Result<(), Error> {
        Entity::insert(row::to_row(case)).exec_without_returning(&**tx).await?;
        Ok(())
    }

    async fn update(&self, tx: &Tx, from: (i64, State), case: &Reservation) -> Result<(), Error> {
        let (version, state) = from;
        let updated = Entity::update_many()
            .set(row::to_row(case))
            .filter(Column::Id.eq(case.id))
            .filter(Column::Version.eq(version))
            .filter(Column::State.eq(state.name()))
            .exec(&**tx)
            .await?;
        exactly_one(updated.rows_affected)
    }

    async fn take(&self, tx: &Tx, case: &Reservation) -> Result<(), Error> {
        nights::take(tx, case.room, &case.stay).await
    }

    async fn give_back(&self, tx: &Tx, case: &Reservation) -> Result<(), Error> {
        nights::give_back(tx, case.room, &case.stay).await
    }

    async fn open_holds(&self, tx: &Tx, payer: &str) -> Result<u64, Error> {
        // Whoever counts before this transaction commits would not see its hold. Before any night is locked, so that everybody locks
        // in one order. SQLite has one writer anyway.
        if tx.engine() != Engine::Sqlite {
            lock_payer(tx, payer).await?;
        }
        Ok(Entity::find()
            .filter(Column::Guest.eq(payer))
            .filter(Column::State.eq(State::Pending.name()))
            .count(&**tx)
            .await?)
    }

    async fn due(&self, now: Timestamp, limit: u64) -> Result<Vec<Due>, Error> {
        let rows: Vec<(Uuid, i64, i64, i32)> = Entity::find()
            .select_only()
            .column(Column::Id)
            .column(Column::NextAttemptTime)
            .column(Column::HoldExpireTime)
            .column(Column::Sweeps)
            .filter(Column::NextAttemptTime.lte(now.as_microsecond()))
            .order_by_asc(Column::NextAttemptTime)
            .limit(limit)
            .into_tuple()
            .all(self.database.read())
            .await?;
        let due = rows.into_iter().map(|(id, since, hold_expire_time, sweeps)| Due {
            name: fields::name(COLLECTION, id),
            since: from_micros(since),
            hold_expire_time: from_micros(hold_expire_time),
            sweeps: u32::try_from(sweeps).unwrap_or_default(),
        });
        Ok(due.collect())
    }

    async fn claim(&self, name: &str, seen: Timestamp, next: Timestamp) -> Result<bool, Error> {
        let id = self.id(name)?;
        self.database
            .transact("claim", |tx| async move {
                let updated = Entity::update_many()
                    .col_expr(Column::NextAttemptTime, Expr::value(next.as_microsecond()))
                    .col_expr(Column::Sweeps, Expr::col(Column::Sweeps).add(1))
                    .filter(Column::Id.eq(id))
                    .filter(Column::NextAttemptTime.eq(seen.as_microsecond()))
                    .exec(&*tx)
                    .await?;
                Ok(updated.rows_affected == 1)
            })
            .await
    }

    fn event(&self, case: &Reservation, fact: Fact, actor: &Actor) -> Event {
        let reservation = Some(convert::for_event(case));
        match fact {
            Fact::Held => events::new(case, actor, &ReservationHeld { reservation }),
            Fact::Confirmed => events::new(case, actor, &ReservationConfirmed { reservation }),
            Fact::Rejected => events::new(case, actor, &ReservationRejected { reservation }),
            Fact::Expired => events::new(case, actor, &ReservationExpired { reservation }),
            Fact::CancelRequested => events::new(case, actor, &ReservationCancelRequested { reservation }),
            Fact::Cancelled => events::new(case, actor, &ReservationCancelled { reservation }),
            Fact::RefundRequested(attempt) => events::refund_requested(case, attempt, actor),
        }
    }

    fn answer(&self, case: &Reservation) -> Vec<u8> {
        convert::resource(case).encode_to_vec()
    }

    fn not_found(&self, name: &str) -> Error {
        let shown = shown(name);
        Refusal::new(Reason::ReservationNotFound, format!("there is no {shown} among your reservations"))
            .hint("ListReservations lists yours")
            .with("reservation", shown)
            .into()
    }
}

/// Holds the payer's row, which is made by the first hold, until the transaction ends. It is looked for first: on MySQL an insert
/// that finds it there shares its lock, and two that share it can neither of them go on.
pub(super) async fn lock_payer(tx: &Tx, name: &str) -> Result<(), Error> {
    let lock = || payer::Entity::find_by_id(name.to_owned()).lock_exclusive().one(&**tx);
    if lock().await?.is_none() {
        tx.insert_new(payer::ActiveModel { name: Set(name.to_owned()) }).await?;
        lock().await?;
    }
    Ok(())
}

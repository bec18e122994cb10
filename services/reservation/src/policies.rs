//! Whenever a room changes, the sellable room is updated; whenever a payment is decided, its reservation is settled.

use std::{sync::Arc, time::Duration};

use contracts::{
    payment::v1::Payment,
    room::v1::{NightsBlocked, Room, RoomDeleted, room},
};
use jiff::Timestamp;
use mesh::{
    Actor, Clock, Error, Tx,
    background::Background,
    checkout::{Asks, Cancels, Cases, Checkout, Scope},
    context::Handled,
    driver::{Task, Turn},
    fields,
    hearing::Hearing,
};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    domain::COLLECTION,
    rooms::Rooms,
    store::{self, Reservations},
};

/// How often the loop below polls for rooms whose stays are to be cancelled.
const LOOK: Duration = Duration::from_secs(5);
/// The longest pause after a failure.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How many rooms, and stays of each, are handled at a time.
const BATCH: u64 = 50;

/// This context's policies, and the loop that carries one of them out.
#[derive(Clone)]
pub struct Policies {
    checkout: Checkout<Reservations>,
    rooms: Rooms,
    database: mesh::Database,
    clock: Clock,
    /// A policy that asks for stays to be cancelled has committed.
    asked: Arc<Notify>,
}

impl Policies {
    /// The policies over a checkout and the known rooms.
    pub fn new(checkout: Checkout<Reservations>, rooms: Rooms, database: mesh::Database, clock: Clock) -> Self {
        Self { checkout, rooms, database, clock, asked: Arc::default() }
    }

    /// The events that this context consumes.
    pub fn hearing(self) -> Hearing<Self> {
        Hearing::new(self)
            .on("room", |this, tx, told: RoomDeleted, _| {
                let cancel = told.on_reserved() == room::OnReserved::Cancel;
                Box::pin(this.when_a_room_changes(tx, told.room, cancel))
            })
            .on("room", |this, tx, told: NightsBlocked, _| Box::pin(this.when_nights_are_blocked(tx, told)))
            .on_any("room", |this, tx, room: Room, _| Box::pin(this.when_a_room_changes(tx, Some(room), false)))
            .on_any("payment", |this, tx, payment: Payment, event| {
                Box::pin(async move { this.checkout.hear(tx, &payment, event).await })
            })
    }

    async fn when_a_room_changes(&self, tx: &Tx, room: Option<Room>, cancel_stays: bool) -> Result<Handled, Error> {
        let Some(room) = room else { return Ok(Handled::Done) };
        self.rooms.learn(tx, &room, cancel_stays).await?;
        if cancel_stays {
            let asked = self.asked.clone();
            // Its writes are not visible before the commit.
            tx.on_commit(move || asked.notify_one());
        }
        Ok(Handled::Done)
    }

    async fn when_nights_are_blocked(&self, tx: &Tx, told: NightsBlocked) -> Result<Handled, Error> {
        let Some(room) = &told.room else { return Ok(Handled::Done) };
        let nights: Vec<_> = told
            .nights
            .iter()
            .filter_map(|night| Some((night.date.parse().ok()?, night.units_blocked.unwrap_or(0))))
            .collect();
        self.rooms.learn_blocks(tx, room, &nights).await?;
        Ok(Handled::Done)
    }

    /// Starts the loop that cancels the stays of removed rooms: the policy only records that they are to be cancelled.
    pub fn start(&self, background: &Background) {
        let this = self.clone();
        let task = Task::new("reservation", "removed_rooms", LOOK).retries(LOOK, MAX_PAUSE);
        task.woken_by(self.asked.clone()).start(background, move || {
            let this = this.clone();
            async move { this.cancel_stays_of_removed_rooms().await.map(|()| Turn::Idle) }
        });
    }

    /// Handles every room whose stays are to be cancelled. A room that fails does not delay the others, and is retried.
    pub(crate) async fn cancel_stays_of_removed_rooms(&self) -> Result<(), Error> {
        let (mut last, mut outcome) = (None, Ok(()));
        loop {
            let rooms = store::deleted_with_stays(self.database.read(), last, BATCH).await?;
            let Some(end) = rooms.last().copied() else { return outcome };
            for room in rooms {
                if let Err(error) = self.cancel_stays_of(room).await {
                    outcome = Err(error);
                }
            }
            last = Some(end);
        }
    }

    /// A stay that was made while the deletion was in transit is found, because the loop repeats until nothing is left to cancel.
    async fn cancel_stays_of(&self, room: Uuid) -> Result<(), Error> {
        let deleted = store::read_room(self.database.read(), room).await?.and_then(|room| room.delete_time);
        // Every stay that was not over at the deletion is cancelled, however late the event arrives: the outcome must not depend on
        // timing.
        let not_over_at = deleted.unwrap_or_else(|| self.clock.now());
        while self.cancel_each_stay_of(room, not_over_at).await? > 0 {}
        self.database.transact("stays_cancelled", |tx| async move { store::stays_cancelled(&tx, room).await }).await
    }

    /// Goes through all stays of the room, and skips those that refuse. Each is cancelled like any other, in its own commit.
    async fn cancel_each_stay_of(&self, room: Uuid, not_over_at: Timestamp) -> Result<u64, Error> {
        let (mut last, mut cancelled) = (None, 0);
        loop {
            let stays = self.checkout.cases().open_stays(room, not_over_at, last, BATCH).await?;
            let Some(end) = stays.last().copied() else { return Ok(cancelled) };
            for name in stays.into_iter().map(|id| fields::name(COLLECTION, id)) {
                let actor = Actor::context(Reservations::CONTEXT, name.as_str());
                let waits = Duration::ZERO;
                let cancels = Cancels { asks: Asks::System, cause: None, reason: "the room was removed", waits };
                match self.checkout.cancel(&name, Scope::All, cancels, None, &actor).await {
                    Ok(_) => cancelled += 1,
                    Err(Error::Refused(refusal)) => {
                        tracing::info!(
                            reservation = name,
                            reason = refusal.reason.as_str(),
                            "kept a stay of a removed room"
                        );
                    }
                    Err(error) => return Err(error),
                }
            }
            last = Some(end);
        }
    }
}

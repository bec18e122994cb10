//! The rooms that this context knows: from events or, for a room without an event so far, from one call to the room context.

use std::{sync::Arc, time::Duration};

use contracts::room::v1::{GetRoomRequest, Room, room_service_client::RoomServiceClient};
use jiff::civil::Date;
use mesh::{
    Caller, Clock, Database, Error, Reason, Refusal, Tx,
    client::{DEFAULT_DEADLINE, Upstream, outgoing},
    db::Kept,
    fields,
};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use uuid::Uuid;

use crate::{
    domain::{RoomOffer, Stay},
    reasons,
    remembered::Remembered,
    single_flight::SingleFlight,
    store,
};

/// How long a call about a room may take: half of a caller's usual time, so that there is time for a second call.
const ASKED_WITHIN: Duration = Duration::from_secs(DEFAULT_DEADLINE.as_secs() / 2);

/// The rooms on offer.
#[derive(Clone)]
pub struct Rooms {
    database: Database,
    room_context: Upstream,
    clock: Clock,
    /// Rooms as they were last read. They may have changed.
    pub remembered: Remembered,
    /// The calls about rooms that are under way.
    asking: Arc<SingleFlight<Uuid, Result<RoomOffer, Status>>>,
}

impl Rooms {
    /// The known rooms in `database`; others are fetched from `room_context`.
    pub fn new(database: Database, room_context: Upstream, clock: Clock) -> Self {
        Self { database, room_context, clock, remembered: Remembered::default(), asking: Arc::default() }
    }

    /// A room that can be booked.
    pub async fn on_offer(&self, id: Uuid, caller: &Caller) -> Result<Arc<RoomOffer>, Error> {
        let room = match store::read_room(self.database.read(), id).await? {
            Some(room) => room,
            None => self.ask(id, caller).await?,
        };
        if room.deleted {
            return Err(Refusal::new(reasons::ROOM_DELETED, "the room was removed and takes no more reservations")
                .hint("SearchRooms finds others")
                .with("room", fields::name("rooms", id))
                .into());
        }
        let room = Arc::new(room);
        self.remembered.keep(room.clone());
        Ok(room)
    }

    /// Refuses a stay that is sold out already.
    pub async fn check_left(&self, room: Uuid, stay: &Stay) -> Result<(), Error> {
        store::check_left(self.database.read(), room, stay).await
    }

    /// How many units the stay's fullest night has left.
    pub async fn fewest_left(&self, room: &RoomOffer, stay: &Stay) -> Result<i32, Error> {
        store::fewest_left(self.database.read(), room, stay).await
    }

    /// Stores a room, from an event or a call: the newest version wins.
    pub async fn learn(&self, tx: &Tx, resource: &Room, cancel_stays: bool) -> Result<(), Error> {
        if store::learn(tx, resource, cancel_stays).await? == Kept::Nothing {
            return Ok(());
        }
        if let Some(room) = self.find(tx, resource).await? {
            let (remembered, id) = (self.remembered.clone(), room.id);
            tx.on_commit(move || remembered.forget(id));
            store::reoffer(tx, &room, room.booking_window(self.clock.now()).first()).await?;
        }
        Ok(())
    }

    /// Stores the blocked units, night by night.
    pub async fn learn_blocks(&self, tx: &Tx, resource: &Room, blocked: &[(Date, i32)]) -> Result<(), Error> {
        self.learn(tx, resource, false).await?;
        if let Some(room) = self.find(tx, resource).await? {
            for (night, units) in blocked {
                store::block(tx, &room, *night, *units, resource.version).await?;
            }
        }
        Ok(())
    }

    async fn find(&self, tx: &Tx, resource: &Room) -> Result<Option<RoomOffer>, Error> {
        match fields::parse_name(&resource.name, "rooms") {
            Some(id) => store::find_room(tx, id).await,
            None => Ok(None),
        }
    }

    /// An unknown room: fetched by one shared call, however many callers need it. Otherwise a new room that many guests have waited for
    /// would use up all concurrent calls to its context.
    ///
    /// If the shared call fails, for example at a slow replica, the callers that joined it share one more call.
    async fn ask(&self, id: Uuid, caller: &Caller) -> Result<RoomOffer, Error> {
        let asking = async {
            match self.ask_together(id, caller).await {
                (Err(status), false) if has_no_answer(&status) => self.ask_together(id, caller).await.0,
                (answer, _) => answer,
            }
        };
        match timeout_at(caller.deadline, asking).await {
            Ok(answer) => answer
                .map_err(|status| Refusal::from_status(&status).map_or_else(|| status.clone().into(), Error::from)),
            Err(_) => Err(no_answer().into()),
        }
    }

    /// The result of the shared call, and whether this caller began it.
    async fn ask_together(&self, id: Uuid, caller: &Caller) -> (Result<RoomOffer, Status>, bool) {
        let mut began = false;
        let answer = self.asking.join(id, || {
            began = true;
            let (this, correlation_id) = (self.clone(), caller.correlation_id.clone());
            // As a status, because the callers share a failure, and it is logged once.
            async move { this.find_out(id, correlation_id).await.map_err(Status::from) }
        });
        (answer.await, began)
    }

    /// Calls with its own deadline, because the first caller's may be shorter than those of callers that join.
    async fn find_out(&self, id: Uuid, correlation_id: String) -> Result<RoomOffer, Error> {
        // Another call may have stored the room in the meantime.
        if let Some(room) = store::read_room(self.database.read(), id).await? {
            return Ok(room);
        }
        let request = GetRoomRequest { name: fields::name("rooms", id) };
        let request = outgoing(request, correlation_id, Instant::now() + ASKED_WITHIN);
        let resource = match RoomServiceClient::new(self.room_context.clone()).get_room(request).await {
            Ok(room) => room.into_inner(),
            Err(status) => return Err(unknown_room(&status, id)),
        };
        let told = &resource;
        self.database.transact("learn_room", |tx| async move { self.learn(&tx, told, false).await }).await?;
        store::read_room(self.database.read(), id).await?.ok_or_else(|| not_found(id))
    }
}

fn unknown_room(status: &Status, id: Uuid) -> Error {
    match Reason::of(status) {
        Some(reason) if reason == reasons::ROOM_NOT_FOUND => not_found(id),
        _ => {
            tracing::warn!(code = ?status.code(), "failed to fetch an unknown room from the room context");
            no_answer().into()
        }
    }
}

fn has_no_answer(status: &Status) -> bool {
    Reason::of(status) == Some(Reason::UPSTREAM_UNAVAILABLE)
}

fn no_answer() -> Refusal {
    Refusal::new(Reason::UPSTREAM_UNAVAILABLE, "the room is not known here yet, and the room context cannot be reached")
        .with("context", "room")
        .hint("try again shortly")
        .retry_after(Duration::from_secs(1))
}

fn not_found(id: Uuid) -> Error {
    let name = fields::name("rooms", id);
    Refusal::new(reasons::ROOM_NOT_FOUND, format!("there is no {name}"))
        .hint("SearchRooms finds rooms")
        .with("room", name)
        .into()
}

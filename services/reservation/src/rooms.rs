//! What this context knows of rooms: what it heard, and for a room that it has not heard of yet, what it asks once.

use contracts::room::v1::{GetRoomRequest, Room, room_service_client::RoomServiceClient};
use jiff::{Span, civil::Date, tz::TimeZone};
use mesh::{
    Caller, Clock, Database, Error, Reason, Refusal, Tx,
    client::{Upstream, outgoing},
    fields,
};
use uuid::Uuid;

use crate::{
    domain::{RoomOffer, RoomState, Stay},
    store::{self, Learned},
};

/// The rooms on offer.
#[derive(Clone)]
pub struct Rooms {
    database: Database,
    room_context: Upstream,
    clock: Clock,
}

impl Rooms {
    /// The rooms heard of in `database`; others are asked of `room_context`.
    pub fn new(database: Database, room_context: Upstream, clock: Clock) -> Self {
        Self { database, room_context, clock }
    }

    /// A room that can be booked.
    pub async fn on_offer(&self, id: Uuid, caller: &Caller) -> Result<RoomOffer, Error> {
        let room = match store::read_room(self.database.read(), id).await? {
            Some(room) => room,
            None => self.ask(id, caller).await?,
        };
        match room.state {
            RoomState::Active => Ok(room),
            RoomState::Deleted => {
                Err(Refusal::new(Reason::RoomDeleted, "the room was removed and takes no more reservations")
                    .hint("SearchRooms finds others")
                    .with("room", fields::name("rooms", id))
                    .into())
            }
        }
    }

    /// Makes sure that every night of the stay has a row to be taken.
    pub async fn ensure_nights(&self, room: &RoomOffer, stay: &Stay) -> Result<(), Error> {
        if store::are_there(self.database.read(), room.id, stay).await? {
            return Ok(());
        }
        self.database
            .transact("ensure_nights", |tx| async move {
                // Under the room's lock: what it offers cannot change between this read and the rows.
                let room = store::find_room(&tx, room.id).await?.ok_or(Error::Lost)?;
                store::ensure(&tx, &room, stay).await
            })
            .await
    }

    /// Refuses a stay that is sold out already.
    pub async fn check_left(&self, room: &RoomOffer, stay: &Stay) -> Result<(), Error> {
        store::check_left(self.database.read(), room.id, stay).await
    }

    /// How many units the stay's fullest night has left.
    pub async fn fewest_left(&self, room: &RoomOffer, stay: &Stay) -> Result<i32, Error> {
        store::fewest_left(self.database.read(), room, stay).await
    }

    /// Takes up what was told of a room, whoever told it: the newest version wins.
    pub async fn learn(&self, tx: &Tx, resource: &Room, cancel_stays: bool) -> Result<(), Error> {
        if store::learn(tx, resource, cancel_stays).await? == Learned::Nothing {
            return Ok(());
        }
        if let Some(room) = self.find(tx, resource).await? {
            store::reoffer(tx, &room, self.yesterday()).await?;
        }
        Ok(())
    }

    /// Takes up the units that a host keeps back, night by night.
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

    /// Nights before this are over in every time zone.
    fn yesterday(&self) -> Date {
        self.clock.now().to_zoned(TimeZone::UTC).date().saturating_sub(Span::new().days(1))
    }

    async fn ask(&self, id: Uuid, caller: &Caller) -> Result<RoomOffer, Error> {
        let request = GetRoomRequest { name: fields::name("rooms", id) };
        let request = outgoing(request, &caller.correlation_id, caller.deadline);
        let resource = match RoomServiceClient::new(self.room_context.clone()).get_room(request).await {
            Ok(room) => room.into_inner(),
            Err(status) => return Err(unknown_room(&status, id)),
        };
        let told = &resource;
        self.database.transact("learn_room", |tx| async move { self.learn(&tx, told, false).await }).await?;
        store::read_room(self.database.read(), id).await?.ok_or_else(|| not_found(id))
    }
}

fn unknown_room(status: &tonic::Status, id: Uuid) -> Error {
    match Refusal::from_status(status) {
        Some(refusal) if refusal.reason == Reason::RoomNotFound => not_found(id),
        _ => {
            tracing::warn!(code = ?status.code(), "a room that is new here cannot be asked about");
            Refusal::new(Reason::UpstreamUnavailable, "this room is new here, and the room context cannot be asked")
                .with("context", "room")
                .hint("try again shortly")
                .retry_after(std::time::Duration::from_secs(1))
                .into()
        }
    }
}

fn not_found(id: Uuid) -> Error {
    let name = fields::name("rooms", id);
    Refusal::new(Reason::RoomNotFound, format!("there is no {name}"))
        .hint("SearchRooms finds rooms")
        .with("room", name)
        .into()
}

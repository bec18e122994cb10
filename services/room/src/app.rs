//! The use cases: load, decide, save together with the event and the answer.

use contracts::room::v1::BlockNightsResponse;
use jiff::Timestamp;
use mesh::{
    Actor, Caller, Clock, Database, Error, Principal, Reach, Tx, outbox,
    page::Page,
    requests::{self, Answer, Request},
};
use uuid::Uuid;

use crate::{
    convert,
    domain::{Block, Change, Details, Fact, Night, Nights, OnReserved, OpenStays, Room, Update, calendar},
    events, store,
};

/// How many open stays a refusal names.
const MAX_CASES: u64 = 20;

/// The use cases of the context. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
}

impl App {
    /// The use cases on a migrated database.
    pub fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Registers a room with the caller as its host.
    pub async fn create(&self, caller: &Caller, request: Option<Request>, details: Details) -> Result<Answer, Error> {
        let now = self.clock.now();
        let change = &Room::register(Uuid::now_v7(), caller.user()?.to_owned(), details, now);
        let actor = &caller.actor();
        requests::once(&self.database, "create room", request.as_ref(), now, move |tx| async move {
            save(&tx, change, actor).await?;
            Ok(Answer::ok(&convert::room(&change.room)))
        })
        .await
    }

    /// Updates the caller's room.
    pub async fn update(
        &self,
        caller: &Caller,
        request: Option<Request>,
        id: Uuid,
        update: &Update,
    ) -> Result<Answer, Error> {
        let (reach, actor, now) = (&own(caller)?, &caller.actor(), self.clock.now());
        requests::once(&self.database, "update room", request.as_ref(), now, move |tx| async move {
            let room = store::rooms::lock(&tx, id, reach).await?;
            let room = save_any(&tx, room.update(update, now)?, room, actor).await?;
            Ok(Answer::ok(&convert::room(&room)))
        })
        .await
    }

    /// Deletes a room: the caller's own, or any if the caller works in the service centre.
    pub async fn delete(
        &self,
        caller: &Caller,
        request: Option<Request>,
        id: Uuid,
        etag: &str,
        on_reserved: OnReserved,
    ) -> Result<Answer, Error> {
        let (reach, actor, now) = (&deletes(caller), &caller.actor(), self.clock.now());
        requests::once(&self.database, "delete room", request.as_ref(), now, move |tx| async move {
            let room = store::rooms::lock(&tx, id, reach).await?;
            let open = match on_reserved {
                OnReserved::Refuse => store::nights::open(&tx, id, room.first_open_check_out(now), MAX_CASES).await?,
                OnReserved::Keep | OnReserved::Cancel => OpenStays::default(),
            };
            let room = save_any(&tx, room.delete(etag, on_reserved, open, now)?, room, actor).await?;
            Ok(Answer::ok(&convert::room(&room)))
        })
        .await
    }

    /// Blocks units of the caller's room, or unblocks them.
    pub async fn block(
        &self,
        caller: &Caller,
        request: Option<Request>,
        id: Uuid,
        block: Block,
    ) -> Result<Answer, Error> {
        let (reach, actor, now) = (&own(caller)?, &caller.actor(), self.clock.now());
        requests::once(&self.database, "block nights", request.as_ref(), now, move |tx| async move {
            let room = store::rooms::lock(&tx, id, reach).await?;
            let blocked = store::nights::blocked(&*tx, &[id], block.nights).await?.remove(&id).unwrap_or_default();
            let room = save_any(&tx, room.block(block, &blocked, now)?, room, actor).await?;
            let nights = nights_of(&*tx, &room, block.nights, now).await?;
            let nights = nights.iter().map(convert::night).collect::<Result<_, _>>()?;
            Ok(Answer::ok(&BlockNightsResponse { nights }))
        })
        .await
    }

    /// A room, for any caller.
    pub async fn get(&self, id: Uuid) -> Result<Room, Error> {
        store::rooms::read(self.database.read(), id, &Reach::All).await
    }

    /// A page of the rooms of one host or of all, the newest first.
    pub async fn list(&self, reach: &Reach, deleted_too: bool, page: &Page<Uuid>) -> Result<Vec<Room>, Error> {
        store::rooms::list(self.database.read(), reach, deleted_too, page).await
    }

    /// The nights of a room: the caller's own, or any if the caller works in the service centre.
    pub async fn calendar(&self, caller: &Caller, id: Uuid, nights: Nights) -> Result<Vec<Night>, Error> {
        let room = store::rooms::read(self.database.read(), id, &Reach::of(caller)).await?;
        nights_of(self.database.read(), &room, nights, self.clock.now()).await
    }
}

/// The rooms that the caller may delete: the caller's own, or any for agents, admins and the service centre.
fn deletes(caller: &Caller) -> Reach {
    match &caller.principal {
        // The table of access lets no other context in.
        Principal::Context { .. } => Reach::All,
        Principal::User { .. } => Reach::of(caller),
    }
}

/// The caller's own rooms, whatever the caller's roles.
fn own(caller: &Caller) -> Result<Reach, Error> {
    Ok(Reach::Own(caller.user()?.to_owned()))
}

/// Saves a change if there is one, and returns the room after it.
async fn save_any(tx: &Tx, change: Option<Change>, room: Room, actor: &Actor) -> Result<Room, Error> {
    let Some(change) = change else { return Ok(room) };
    save(tx, &change, actor).await?;
    Ok(change.room)
}

async fn save(tx: &Tx, change: &Change, actor: &Actor) -> Result<(), Error> {
    let room = &change.room;
    match &change.fact {
        Fact::Created => store::rooms::insert(tx, room).await?,
        Fact::Updated | Fact::Deleted(_) => store::rooms::update(tx, room).await?,
        Fact::NightsBlocked { block, blocked } => {
            store::rooms::update(tx, room).await?;
            store::nights::block(tx, room.id, block.nights, blocked).await?;
        }
    }
    outbox::append(tx, events::event(change, actor)).await
}

async fn nights_of(
    connection: &impl sea_orm::ConnectionTrait,
    room: &Room,
    nights: Nights,
    now: Timestamp,
) -> Result<Vec<Night>, Error> {
    let stays = store::nights::stays(connection, &[room.id], nights).await?.remove(&room.id).unwrap_or_default();
    let blocked = store::nights::blocked(connection, &[room.id], nights).await?.remove(&room.id).unwrap_or_default();
    Ok(calendar(room, nights, &stays, &blocked, now))
}

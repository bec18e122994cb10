//! The room context: rooms, their calendar as hosts see it, and search.
//!
//! **Owns** rooms and the nights on which their hosts keep units back. What it knows of stays it has heard from reservation, which
//! alone decides what is sold: calendar and search are a hint, a moment behind.
//!
//! **Invariants.** A number is unique among its host's active rooms. A room's currency and time zone never change. On no night
//! more units are kept back than the room has. Each change raises the room's version by one and commits together with its event and
//! the answer under its request id. Of each reservation the newest version counts, in whatever order versions arrive.
//!
//! **RPCs**: CreateRoom, GetRoom, ListRooms, UpdateRoom, DeleteRoom, BlockNights, SearchRooms, GetRoomCalendar.
//!
//! **Events out**: RoomCreated, RoomUpdated, RoomDeleted, NightsBlocked. **Events in**: all of a reservation's.

mod app;
pub mod audit;
mod convert;
mod domain;
mod events;
mod grpc;
mod policies;
mod search;
mod store;
#[cfg(test)]
mod tests;

use contracts::room::v1::room_service_server::RoomServiceServer;
use mesh::{Context, Deps, Error, Role, auth::access::Rule, page::PageTokens};
use tonic::service::Routes;

pub use domain::Occupancy;
pub use store::Migrator;

use crate::{app::App, grpc::Grpc};

/// The context's name.
pub const CONTEXT: &str = "room";

/// What an operator may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The IANA time zone of a room whose host names none.
    pub time_zone: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { time_zone: "Asia/Seoul".to_owned() }
    }
}

/// Who may call what. Whose room it may be is a matter of the WHERE clause.
const ACCESS: &[Rule] = &[
    Rule::roles("jumak.room.v1.RoomService/CreateRoom", &[Role::Host]),
    Rule::anyone("jumak.room.v1.RoomService/GetRoom"),
    Rule::anyone("jumak.room.v1.RoomService/ListRooms"),
    Rule::roles("jumak.room.v1.RoomService/UpdateRoom", &[Role::Host]),
    Rule::roles("jumak.room.v1.RoomService/DeleteRoom", &[Role::Host, Role::Agent, Role::Admin]),
    Rule::roles("jumak.room.v1.RoomService/BlockNights", &[Role::Host]),
    Rule::anyone("jumak.room.v1.RoomService/SearchRooms"),
    Rule::roles("jumak.room.v1.RoomService/GetRoomCalendar", &[Role::Host, Role::Agent, Role::Admin]),
];

/// Puts the context together, on a database that [`Migrator`] has brought up to date.
pub async fn context(deps: Deps, settings: Settings) -> Result<Context, Error> {
    let time_zone = mesh::clock::zone(&settings.time_zone)
        .ok_or_else(|| Error::Internal(format!("there is no time zone {}", settings.time_zone)))?;
    let grpc = Grpc {
        app: App::new(deps.database.clone(), deps.clock),
        tokens: PageTokens::of(&deps.database).await?,
        time_zone,
    };
    Ok(Context {
        name: CONTEXT,
        services: &["jumak.room.v1.RoomService"],
        routes: Routes::new(RoomServiceServer::new(grpc)),
        access: ACCESS,
        hears: Some(policies::hearing().hears(false)),
        database: deps.database,
        // Nothing here happens by itself.
        start: Box::new(|_| {}),
    })
}

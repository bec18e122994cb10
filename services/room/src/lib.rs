//! The room context: rooms, their calendar as hosts see it, and search.
//!
//! **Owns** rooms and their blocked nights. It learns of stays from the events of reservation, which alone decides what is sold:
//! calendar and search are a hint, a moment behind.
//!
//! **Invariants.** A number is unique among its host's active rooms. A room's currency and time zone never change. No night has more
//! blocked units than the room has. Each change raises the room's version by one and commits together with its event and the answer
//! under its request id. The newest version of each reservation counts, in any order of arrival.
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
pub mod reasons;
mod search;
mod store;
#[cfg(test)]
mod tests;

use contracts::room::v1::room_service_server::{RoomServiceServer, SERVICE_NAME};
use mesh::{
    Deps, Descriptor, Error, Role,
    auth::access::Rule,
    config::{AnySection, Config, Findings, Section},
    context::{Parts, Rank, Subscription},
    page::PageTokens,
};
use serde::Deserialize;
use tonic::service::Routes;

pub use domain::Occupancy;

use crate::{app::App, grpc::Grpc};

/// The context's name.
pub const CONTEXT: &str = "room";

/// The operator's settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The IANA time zone of a room whose host names none.
    pub time_zone: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { time_zone: "Asia/Seoul".to_owned() }
    }
}

impl Section for Settings {
    const NAME: &'static str = CONTEXT;

    fn check(&self, _: &Config, found: &mut Findings) {
        found.unless(
            mesh::clock::zone(&self.time_zone).is_some(),
            "room.time_zone",
            format!("is `{}`, which is no IANA time zone", self.time_zone),
        );
    }
}

/// Who may call what. The WHERE clause decides which rooms.
const ACCESS: &[Rule] = &[
    Rule::roles("jumak.room.v1.RoomService/CreateRoom", &[Role::Host]),
    Rule::anyone("jumak.room.v1.RoomService/GetRoom"),
    Rule::anyone("jumak.room.v1.RoomService/ListRooms"),
    Rule::roles("jumak.room.v1.RoomService/UpdateRoom", &[Role::Host]),
    Rule::roles_or_contexts(
        "jumak.room.v1.RoomService/DeleteRoom",
        &[Role::Host, Role::Agent, Role::Admin],
        &["servicecenter"],
    ),
    Rule::roles("jumak.room.v1.RoomService/BlockNights", &[Role::Host]),
    Rule::anyone("jumak.room.v1.RoomService/SearchRooms"),
    Rule::roles("jumak.room.v1.RoomService/GetRoomCalendar", &[Role::Host, Role::Agent, Role::Admin]),
];

/// The context's description.
pub static DESCRIPTOR: Descriptor = Descriptor {
    name: CONTEXT,
    about: "Rooms and their search",
    services: &[SERVICE_NAME],
    access: ACCESS,
    rank: Rank::Core,
    calls: &[],
    cases: None,
    reasons: reasons::ALL,
    reasons_of_others: &[],
    settings: Some(AnySection::of::<Settings>()),
    hears: Some(Subscription::Once),
    schema: store::SCHEMA,
    assemble: |deps, config| Box::pin(assemble(deps, config.section())),
};

/// Builds the context.
pub async fn assemble(deps: Deps, settings: Settings) -> Result<Parts, Error> {
    let time_zone = mesh::clock::zone(&settings.time_zone)
        .ok_or_else(|| Error::Internal(format!("there is no time zone {}", settings.time_zone)))?;
    let tokens = PageTokens::of(&deps.database).await?;
    let grpc = Grpc { app: App::new(deps.database, deps.clock), tokens, time_zone };
    Ok(Parts::serving(Routes::new(RoomServiceServer::new(grpc))).hearing(policies::hearing()))
}

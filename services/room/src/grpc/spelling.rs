//! The canonical form of a request, by which a repeated request is recognised under its request id.
//!
//! It is made from the parsed values, and never from the request itself, so that explicit defaults, output-only fields and repetitions
//! make no difference. Defaults are left out, so that a field that a later version adds does not change requests without it.

use contracts::room::v1::{BlockNightsRequest, CreateRoomRequest, DeleteRoomRequest, Room, UpdateRoomRequest};
use jiff::tz::TimeZone;
use mesh::fields::name;
use uuid::Uuid;

use super::details::EDITABLE;
use crate::{
    convert,
    domain::{Block, Details, OnReserved, Update},
};

/// A request to register such a room, where rooms are in `default_zone` unless their hosts say otherwise.
pub fn create(details: &Details, default_zone: &TimeZone) -> CreateRoomRequest {
    let mut room = convert::details(details);
    let plain = Details::new(String::new(), details.nightly_rate.zero(), default_zone.clone());
    EDITABLE.leave_out(&mut room, &convert::details(&plain));
    CreateRoomRequest { room: Some(room), request_id: String::new() }
}

/// A request to say that of a room.
pub fn update(id: Uuid, update: &Update) -> UpdateRoomRequest {
    let mut room = convert::details(&update.said);
    EDITABLE.keep(&mut room, &update.fields);
    let paths = update.fields.iter().map(|path| (*path).to_owned()).collect();
    UpdateRoomRequest {
        room: Some(Room { name: name("rooms", id), etag: update.etag.clone(), ..room }),
        update_mask: Some(prost_types::FieldMask { paths }),
        request_id: String::new(),
    }
}

/// A request to delete a room.
pub fn delete(id: Uuid, etag: &str, on_reserved: OnReserved) -> DeleteRoomRequest {
    let on_reserved = match on_reserved {
        OnReserved::Keep => 0,
        other => contracts::room::v1::room::OnReserved::from(other).into(),
    };
    DeleteRoomRequest { name: name("rooms", id), etag: etag.to_owned(), on_reserved, request_id: String::new() }
}

/// A request to keep nights back, or to give them free.
pub fn block(id: Uuid, block: Block) -> BlockNightsRequest {
    BlockNightsRequest {
        name: name("rooms", id),
        start_date: block.nights.first().to_string(),
        end_date: block.nights.end().to_string(),
        units: block.units.map(i32::from),
        unblock: block.unblock,
        request_id: String::new(),
    }
}

//! Converts the domain to the contract: resources, and refusals with their reasons.

use contracts::{
    google::r#type::LatLng,
    room::v1::{self as pb, room::State, room_night},
};
use jiff::civil::Time;
use mesh::{
    Error, Reason, Refusal,
    clock::to_proto,
    fields::{name, refusal_of},
    store::int,
};

use crate::{
    domain::{Details, Fault, Night, NightState, OnReserved, Point, Room},
    reasons,
};

/// The room as a resource.
pub fn room(room: &Room) -> pb::Room {
    pb::Room {
        name: room.name(),
        host: room.host.clone(),
        state: match room.delete_time {
            None => State::Active,
            Some(_) => State::Deleted,
        }
        .into(),
        delete_time: room.delete_time.map(to_proto),
        etag: room.etag(),
        create_time: Some(to_proto(room.create_time)),
        update_time: Some(to_proto(room.update_time)),
        version: room.version,
        ..details(&room.details)
    }
}

/// The details of a room, in the fields of the resource.
pub fn details(details: &Details) -> pb::Room {
    pb::Room {
        number: details.number.clone(),
        display_name: details.display_name.clone(),
        description: details.description.clone(),
        units: Some(details.units.into()),
        capacity: Some(details.capacity.into()),
        size_square_meters: details.size_square_meters.map(i32::from),
        amenities: details.amenities.clone(),
        nightly_rate: Some(details.nightly_rate.into()),
        place: details.place.clone(),
        location: details.location.map(location),
        time_zone: details.zone_name().to_owned(),
        check_in_time: time(details.check_in_time),
        check_out_time: time(details.check_out_time),
        cancellation_policy: Some((&details.cancellation_policy).into()),
        rating: details.rating,
        ..pb::Room::default()
    }
}

fn location(point: Point) -> LatLng {
    LatLng { latitude: point.latitude, longitude: point.longitude }
}

/// A time of day as `HH:MM`.
pub fn time(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// A night of a room. Every number is present, also when it is zero.
pub fn night(night: &Night) -> Result<pb::RoomNight, Error> {
    Ok(pb::RoomNight {
        date: night.date.to_string(),
        state: match night.state() {
            NightState::Vacant => room_night::State::Vacant,
            NightState::PartlyCharged => room_night::State::PartlyCharged,
            NightState::Charged => room_night::State::Charged,
            NightState::Blocked => room_night::State::Blocked,
        }
        .into(),
        units_total: Some(int(night.total)?),
        units_held: Some(int(night.held)?),
        units_charged: Some(int(night.charged)?),
        units_left: Some(int(night.left())?),
        units_blocked: Some(int(night.blocked)?),
    })
}

impl From<OnReserved> for pb::room::OnReserved {
    fn from(on_reserved: OnReserved) -> Self {
        match on_reserved {
            OnReserved::Keep => Self::Keep,
            OnReserved::Refuse => Self::Refuse,
            OnReserved::Cancel => Self::Cancel,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let message = fault.to_string();
        match fault {
            Fault::NotFound => {
                Refusal::new(reasons::ROOM_NOT_FOUND, message).hint("ListRooms shows the existing rooms")
            }
            Fault::Deleted => Refusal::new(reasons::ROOM_DELETED, message).hint("register another one with CreateRoom"),
            Fault::NumberTaken => {
                Refusal::new(reasons::ROOM_NUMBER_TAKEN, message).hint("choose another number, or leave it empty")
            }
            Fault::EtagMismatch { current } => Refusal::new(reasons::ETAG_MISMATCH, message)
                .with("etag", current)
                .hint("read it again with GetRoom and repeat the change"),
            Fault::CurrencyMismatch { .. } => Refusal::new(Reason::CURRENCY_MISMATCH, message)
                .hint("register another room to sell in another currency"),
            Fault::Reserved { count, first } => Refusal::new(reasons::ROOM_RESERVED, message)
                .with("count", count)
                .with("cases", first.into_iter().map(|id| name("reservations", id)).collect::<Vec<_>>().join(","))
                .hint("wait until they are over, or set on_reserved to KEEP or CANCEL"),
            Fault::TimeZoneFixed { .. } => refusal_of("room.time_zone", message),
            Fault::NotOnSale(_) => refusal_of("start_date", message),
        }
        .into()
    }
}

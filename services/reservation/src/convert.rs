//! Converts between the domain and the contracts.

use contracts::{
    google::r#type::Money as ProtoMoney,
    reservation::v1::{
        Reservation as Resource,
        reservation::{GuestDetails as ResourceDetails, RoomSnapshot as ResourceSnapshot, State as ResourceState},
    },
    room::v1::{Room, room},
};
use jiff::civil::Time;
use mesh::{
    checkout::State,
    clock::{from_proto, to_proto, zone},
    fields,
    money::Money,
    types::{CancellationPolicy, Price},
};

use crate::domain::{GuestDetails, Reservation, RoomOffer, RoomSnapshot};

/// The reservation as its guest and its host see it.
pub fn resource(case: &Reservation) -> Resource {
    let record = &case.record;
    Resource {
        name: record.name.clone(),
        room: fields::name("rooms", case.room),
        guest: record.payer.clone(),
        host: record.payee.clone(),
        check_in_date: case.stay.check_in.to_string(),
        check_out_date: case.stay.check_out.to_string(),
        units: i32::try_from(case.stay.units).ok(),
        guests: i32::try_from(case.stay.guests).ok(),
        guest_details: case.guest_details.as_ref().map(guest_details),
        room_snapshot: Some(snapshot(&case.room_snapshot)),
        price: Some((&case.price).into()),
        cancellation_policy: Some((&case.cancellation_policy).into()),
        refund_amount: record.refund_amount.map(ProtoMoney::from),
        state: state(record.state()).into(),
        reject_reason: record.reject_reason.clone().unwrap_or_default(),
        cancel_reason: record.cancel_reason.clone().unwrap_or_default(),
        payment: record.approved_payment().unwrap_or_default(),
        payment_action: record.payment_action.as_ref().map(Into::into),
        payment_label: record.payment_label.clone().unwrap_or_default(),
        pay_time: record.pay_time.map(to_proto),
        hold_expire_time: (record.state() == State::Pending).then(|| to_proto(record.hold_expire_time)),
        confirm_time: record.confirm_time.map(to_proto),
        cancel_time: record.cancel_time.map(to_proto),
        confirmation_code: record.confirmation_code.clone(),
        create_time: Some(to_proto(record.create_time)),
        update_time: Some(to_proto(record.update_time)),
        version: record.version,
        cancellation: record.cancellation.map(Into::into),
        refund_failure_reason: record.refund_failure_reason.clone().unwrap_or_default(),
    }
}

/// The reservation in events: without any text that a person wrote, because events are kept for ever.
pub fn for_event(case: &Reservation) -> Resource {
    Resource {
        guest_details: None,
        cancel_reason: String::new(),
        payment_action: None,
        confirmation_code: String::new(),
        ..resource(case)
    }
}

/// The frozen terms of a reservation, as they are stored.
pub fn frozen(case: &Reservation) -> Resource {
    Resource {
        room_snapshot: Some(snapshot(&case.room_snapshot)),
        price: Some((&case.price).into()),
        cancellation_policy: Some((&case.cancellation_policy).into()),
        ..Resource::default()
    }
}

/// The frozen terms of a reservation, read back.
pub fn read_frozen(frozen: &Resource) -> Option<(RoomSnapshot, Price, CancellationPolicy)> {
    Some((
        read_snapshot(frozen.room_snapshot.as_ref()?),
        Price::read(frozen.price.as_ref()?)?,
        CancellationPolicy::read(frozen.cancellation_policy.as_ref()?)?,
    ))
}

/// The lifecycle's state as the contract names it.
pub fn state(state: State) -> ResourceState {
    match state {
        State::Pending => ResourceState::Pending,
        State::Confirmed => ResourceState::Confirmed,
        State::CancelRequested => ResourceState::CancelRequested,
        State::Cancelled => ResourceState::Cancelled,
        State::Rejected => ResourceState::Rejected,
        State::Expired => ResourceState::Expired,
    }
}

/// The contract's state as the lifecycle names it; none for UNSPECIFIED.
pub fn read_state(state: ResourceState) -> Option<State> {
    State::ALL.into_iter().find(|candidate| self::state(*candidate) == state)
}

pub fn guest_details(details: &GuestDetails) -> ResourceDetails {
    ResourceDetails { full_name: details.full_name.clone(), phone: details.phone.clone(), note: details.note.clone() }
}

pub fn read_guest_details(details: &ResourceDetails) -> GuestDetails {
    GuestDetails { full_name: details.full_name.clone(), phone: details.phone.clone(), note: details.note.clone() }
}

fn snapshot(room: &RoomSnapshot) -> ResourceSnapshot {
    ResourceSnapshot {
        number: room.number.clone(),
        display_name: room.display_name.clone(),
        size_square_meters: room.size_square_meters,
        amenities: room.amenities.clone(),
        register_time: room.register_time.map(to_proto),
        time_zone: room.time_zone.clone(),
        check_in_time: room.check_in_time.clone(),
        check_out_time: room.check_out_time.clone(),
    }
}

fn read_snapshot(room: &ResourceSnapshot) -> RoomSnapshot {
    RoomSnapshot {
        number: room.number.clone(),
        display_name: room.display_name.clone(),
        size_square_meters: room.size_square_meters,
        amenities: room.amenities.clone(),
        register_time: room.register_time.as_ref().and_then(from_proto),
        time_zone: room.time_zone.clone(),
        check_in_time: room.check_in_time.clone(),
        check_out_time: room.check_out_time.clone(),
    }
}

/// The sellable room from its resource; none if the resource is incomplete.
pub fn room_offer(room: &Room) -> Option<RoomOffer> {
    let time = |text: &str| text.parse::<Time>().ok();
    Some(RoomOffer {
        id: fields::parse_name(&room.name, "rooms")?,
        host: room.host.clone(),
        version: room.version,
        deleted: room.state() == room::State::Deleted,
        delete_time: room.delete_time.as_ref().and_then(from_proto),
        units: u32::try_from(room.units.unwrap_or(1)).ok()?,
        capacity: u32::try_from(room.capacity.unwrap_or(2)).ok()?,
        nightly_rate: Money::try_from(room.nightly_rate.as_ref()?).ok()?,
        time_zone: zone(&room.time_zone)?,
        check_in_time: time(&room.check_in_time)?,
        check_out_time: time(&room.check_out_time)?,
        cancellation_policy: CancellationPolicy::read(room.cancellation_policy.as_ref()?)?,
        snapshot: RoomSnapshot {
            number: room.number.clone(),
            display_name: room.display_name.clone(),
            size_square_meters: room.size_square_meters,
            amenities: room.amenities.clone(),
            register_time: room.create_time.as_ref().and_then(from_proto),
            time_zone: room.time_zone.clone(),
            check_in_time: room.check_in_time.clone(),
            check_out_time: room.check_out_time.clone(),
        },
    })
}

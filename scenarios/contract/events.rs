//! Events are kept for ever, so they carry nothing personal: every event of every context is read, after everything that can happen
//! to a reservation has happened to one.

use std::collections::BTreeSet;

use contracts::{
    reservation::v1::{
        CancelReservationRequest,
        reservation::{GuestDetails, State},
    },
    room::v1::Room,
};
use jumak::house::Member;
use mesh::store::entity::outbox;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use sea_orm::EntityTrait;

use crate::support::{Inn, Person, nights::two_nights, setup::Setup, wire::contracts};

/// What must not be told.
const PERSONAL: [&str; 5] = ["Canary Kim", "010-555-0199", "a quiet room for the canary", "the canary is ill", "tok_"];

/// What must have been told of, or nothing is proved.
const TOLD: [&str; 9] = [
    "jumak.payment.v1.PaymentApproved",
    "jumak.payment.v1.PaymentDeclined",
    "jumak.payment.v1.PaymentRefunded",
    "jumak.reservation.v1.ReservationCancelRequested",
    "jumak.reservation.v1.ReservationCancelled",
    "jumak.reservation.v1.ReservationConfirmed",
    "jumak.reservation.v1.ReservationExpired",
    "jumak.reservation.v1.ReservationHeld",
    "jumak.reservation.v1.ReservationRejected",
];

async fn books(guest: &Person, room: &Room, token: Option<&str>) -> Result<String, tonic::Status> {
    let mut request = two_nights(room, token);
    if let Some(reservation) = &mut request.reservation {
        reservation.guest_details = Some(GuestDetails {
            full_name: PERSONAL[0].to_owned(),
            phone: PERSONAL[1].to_owned(),
            note: PERSONAL[2].to_owned(),
        });
    }
    Ok(guest.reservations().create_reservation(request).await?.into_inner().name)
}

async fn everything_happens(inn: &Inn) {
    let room = inn.host("hana").registers_a_room(10).await;
    let guest = inn.guest("alice");
    let held = books(&guest, &room, None).await.expect("a hold");
    books(&guest, &room, Some("tok_decline_expired")).await.expect_err("declined");
    let booked = books(&guest, &room, Some("tok_approve")).await.expect("a booking");
    let shown = guest.reservation(&booked).await.expect("a reservation");
    assert_eq!(
        shown.guest_details.map(|details| details.full_name).as_deref(),
        Some(PERSONAL[0]),
        "it is kept for its owner"
    );
    let cancel =
        CancelReservationRequest { name: booked.clone(), reason: PERSONAL[3].to_owned(), ..Default::default() };
    guest.reservations().cancel_reservation(cancel).await.expect("a cancellation");
    guest.reservation_in(&booked, State::Cancelled).await;
    guest.reservation_in(&held, State::Expired).await;
    inn.audit().await;
}

/// Whether a message has something in one of these fields, at any depth.
fn filled(message: &DynamicMessage, names: &[&str]) -> bool {
    message.fields().any(|(field, value)| {
        names.contains(&field.name())
            || match value {
                Value::Message(inner) => filled(inner, names),
                Value::List(items) => items.iter().filter_map(Value::as_message).any(|inner| filled(inner, names)),
                _ => false,
            }
    })
}

#[tokio::test]
async fn no_event_carries_anything_personal() {
    let setup = Setup::new().with("checkout.hold_ms", 1_500).with("checkout.sweep_interval_ms", 50);
    let inn = Inn::with(setup).await;
    everything_happens(&inn).await;

    let mut kinds = BTreeSet::new();
    for member in Member::ALL {
        let database = inn.database(member.name()).await;
        for row in outbox::Entity::find().all(database.read()).await.expect("its outbox") {
            let kind = contracts().get_message_by_name(&row.kind);
            let kind = kind.unwrap_or_else(|| panic!("{} is in no contract", row.kind));
            let event = DynamicMessage::decode(kind, row.body.as_slice()).expect("an event that decodes");
            assert!(event.unknown_fields().next().is_none(), "{} has more than its contract says", row.kind);
            assert!(!filled(&event, &["guest_details", "cancel_reason", "payment_method"]), "{event:?}");
            let text = format!("{event:?}{row:?}{}", String::from_utf8_lossy(&row.body));
            for personal in PERSONAL {
                assert!(!text.contains(personal), "{} tells {personal:?}: {event:?}", row.kind);
            }
            assert_eq!(event.descriptor().full_name(), row.kind);
            let carried = event.get_field_by_number(1).and_then(|field| field.as_message().cloned());
            let name = carried.and_then(|resource| Some(resource.get_field_by_name("name")?.as_str()?.to_owned()));
            assert_eq!(
                name.as_deref(),
                Some(&*row.subject),
                "field 1 of {} is the resource that it is about",
                row.kind
            );
            kinds.insert(row.kind);
        }
    }
    for kind in TOLD {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
    inn.close().await;
}

/// Whoever hears an event of a kind that came later reads what it is about.
#[test]
fn field_1_of_every_event_is_the_resource_that_it_is_about() {
    let mut events = 0;
    for file in contracts().files().filter(|file| file.name().ends_with("/events.proto")) {
        for event in file.messages() {
            let first = event.get_field(1).unwrap_or_else(|| panic!("{} has no field 1", event.full_name()));
            let resource = first.kind().as_message().cloned();
            let resource = resource.unwrap_or_else(|| panic!("field 1 of {} is no message", event.full_name()));
            assert_eq!(resource.name().to_lowercase(), first.name(), "{}", event.full_name());
            assert!(resource.get_field_by_name("name").is_some(), "{} is no resource", resource.full_name());
            events += 1;
        }
    }
    assert!(events >= 17, "only {events} events were found");
}

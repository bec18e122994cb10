//! Timelines.

use std::collections::HashMap;

use contracts::mypage::v1::timeline_entry::Cause;
use jiff::SignedDuration;
use mesh::{Actor, Event};
use uuid::Uuid;

use super::{
    ALICE, HOST, House,
    history::{Plot, Story, hearing, room_story},
    today,
};
use crate::{store::entity::timeline::Model as Entry, timeline};

#[tokio::test]
async fn a_timeline_tells_who_or_what_led_from_state_to_state() {
    let house = House::open().await;
    let story = Story::whole(ALICE, HOST, Uuid::now_v7(), 0, 0, Plot::Cancelled);
    house.hear(&story.events).await;
    let told = house.timeline(HOST, &story.name()).await.expect("a timeline");
    assert_eq!(told.correlation_id, story.correlation());

    let actor = |name: &str| Some(Cause::Actor(name.to_owned()));
    let event = |name: &str| Some(Cause::CauseEvent(name.to_owned()));
    let lines: Vec<_> = told
        .entries
        .into_iter()
        .map(|entry| {
            let name = entry.event.rsplit('.').next().unwrap_or_default().to_owned();
            (name, entry.cause, entry.from_state, entry.to_state)
        })
        .collect();
    let expected = [
        ("ReservationHeld", actor(ALICE), "", "PENDING"),
        ("PaymentApproved", actor("contexts/reservation"), "", "APPROVED"),
        ("ReservationConfirmed", event("jumak.payment.v1.PaymentApproved"), "PENDING", "CONFIRMED"),
        ("ReservationCancelRequested", actor(ALICE), "CONFIRMED", "CANCEL_REQUESTED"),
        ("PaymentRefunded", event("jumak.reservation.v1.ReservationCancelRequested"), "APPROVED", "REFUNDED"),
        ("ReservationCancelled", event("jumak.payment.v1.PaymentRefunded"), "CANCEL_REQUESTED", "CANCELLED"),
    ]
    .map(|(name, cause, from, to)| (name.to_owned(), cause, from.to_owned(), to.to_owned()));
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_cancellation_names_the_deletion_of_the_room_that_led_to_it() {
    let house = House::open().await;
    let room = Uuid::now_v7();
    let mut story = Story::whole(ALICE, HOST, room, 0, 0, Plot::Confirmed);
    let deletion = room_story(HOST, room, 4).remove(3);
    story.cancel_requested();
    let Actor { causation_id, actor, .. } = hearing(&deletion);
    let last = Event { causation_id, actor, ..story.events.pop().expect("an event") };

    house.hear(&story.events).await;
    house.hear(&[last]).await;
    let cause =
        |told: contracts::mypage::v1::GetTimelineResponse| told.entries.last().and_then(|entry| entry.cause.clone());
    let told = house.timeline(ALICE, &story.name()).await.expect("a timeline");
    assert_eq!(cause(told), Some(Cause::Actor("contexts/reservation".to_owned())), "the cause is not known yet");
    house.hear(&[deletion]).await;
    let told = house.timeline(ALICE, &story.name()).await.expect("a timeline");
    assert_eq!(cause(told), Some(Cause::CauseEvent("jumak.room.v1.RoomDeleted".to_owned())));
}

#[test]
fn what_happened_to_one_resource_stands_in_the_order_of_its_versions() {
    let entry = |subject: &str, sequence: i64, second: i64| Entry {
        event_id: Uuid::now_v7(),
        case_id: None,
        subject: subject.to_owned(),
        sequence,
        occur_time: (today() + SignedDuration::from_secs(second)).as_microsecond(),
        kind: format!("{subject}{sequence}"),
        actor: ALICE.to_owned(),
        causation_id: None,
        state: format!("S{sequence}"),
    };
    // The clock of whoever wrote the third version was behind.
    let entries = vec![entry("r", 3, 1), entry("p", 1, 3), entry("r", 2, 4), entry("r", 1, 0)];
    let told = timeline::tell(entries, &HashMap::new());
    let lines: Vec<_> =
        told.iter().map(|it| (it.event.as_str(), it.from_state.as_str(), it.to_state.as_str())).collect();
    assert_eq!(lines, [("r1", "", "S1"), ("p1", "", "S1"), ("r2", "S1", "S2"), ("r3", "S2", "S3")]);
}

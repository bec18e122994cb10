//! Until when, and how far ahead, a night can be booked: where the room is, and not where the server is.

use contracts::room::v1::{Room, RoomUpdated};
use jiff::{SignedDuration, civil::Date};
use mesh::{Error, Reason};
use uuid::Uuid;

use super::{
    House,
    front_desk::FrontDesk,
    guest, resource, room,
    rooms::{event, hear, policies},
};
use crate::{
    app::{App, Wish},
    domain::Stay,
};

fn wish(room: Uuid, check_in: &str) -> Wish {
    let check_in: Date = check_in.parse().expect("date");
    let check_out = check_in.tomorrow().expect("date");
    Wish { room, stay: Stay { check_in, check_out, units: 1, guests: 1 } }
}

/// The fields at fault in a quote for the night that begins on `check_in`.
async fn faults(app: &App, room: Uuid, check_in: &str) -> Vec<String> {
    match app.quote(wish(room, check_in), &guest()).await {
        Ok(_) => Vec::new(),
        Err(Error::Refused(refusal)) if refusal.reason == Reason::INVALID_FIELDS => {
            refusal.violations.into_iter().map(|(path, _)| path).collect()
        }
        Err(other) => panic!("not what a wish is refused for: {other}"),
    }
}

#[tokio::test]
async fn last_night_can_be_booked_until_check_out_time() {
    let house = House::with_units(5).await;
    let desk = FrontDesk::closed(Ok(room(1, 1)));
    let (app, room) = (house.app(&desk), house.seller.room.id);
    // 09:00 of the first of April where the room is.
    assert_eq!(faults(&app, room, "2027-03-30").await, ["reservation.check_in_date"]);
    assert!(faults(&app, room, "2027-03-31").await.is_empty());
    let answer = app.create(wish(room, "2027-03-31"), None, None, Some("approve".to_owned()), None, &guest()).await;
    assert_eq!(resource(answer.expect("a stay")).state().as_str_name(), "CONFIRMED");

    house.clock.advance(SignedDuration::from_micros(2 * 3_600_000_000 - 1));
    assert!(faults(&app, room, "2027-03-31").await.is_empty(), "a moment before eleven");
    house.clock.advance(SignedDuration::from_micros(1));
    assert_eq!(faults(&app, room, "2027-03-31").await, ["reservation.check_in_date"], "at eleven");
    assert!(faults(&app, room, "2027-04-01").await.is_empty());
    let late = app.create(wish(room, "2027-03-31"), None, None, None, None, &guest()).await;
    assert!(matches!(late, Err(Error::Refused(refusal)) if refusal.reason == Reason::INVALID_FIELDS));
}

#[tokio::test]
async fn a_stay_begins_at_most_1830_days_ahead() {
    let house = House::with_units(1).await;
    let desk = FrontDesk::closed(Ok(room(1, 1)));
    let (app, room) = (house.app(&desk), house.seller.room.id);
    assert!(faults(&app, room, "2032-04-04").await.is_empty());
    assert_eq!(faults(&app, room, "2032-04-05").await, ["reservation.check_in_date"]);
}

/// Where it is still the day before yesterday's night for somebody.
#[tokio::test]
async fn what_a_host_changes_holds_for_every_night_that_can_still_be_booked() {
    let house = House::with_units(1).await;
    let desk = FrontDesk::closed(Ok(room(1, 1)));
    let (app, policies) = (house.app(&desk), policies(&house));
    let id = Uuid::from_u128(9);
    // It is noon of the last of March there, and guests have until six in the evening to leave.
    let far = |units, version| Room {
        name: mesh::fields::name("rooms", id),
        time_zone: "Etc/GMT+12".to_owned(),
        check_out_time: "18:00".to_owned(),
        ..room(units, version)
    };
    hear(&house, &policies, &event(1, &RoomUpdated { room: Some(far(1, 1)) })).await;
    let first = app.create(wish(id, "2027-03-30"), None, None, Some("approve".to_owned()), None, &guest()).await;
    first.expect("the one unit of last night");
    hear(&house, &policies, &event(2, &RoomUpdated { room: Some(far(2, 2)) })).await;
    let second = app.create(wish(id, "2027-03-30"), None, None, Some("approve".to_owned()), None, &guest()).await;
    assert_eq!(resource(second.expect("the second one")).state().as_str_name(), "CONFIRMED");
}

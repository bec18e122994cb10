//! The rules of the lifecycle on reservations, and what a hotel makes of them.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use mesh::{
    Database, Error, Event, Reason,
    checkout::{By, Case, Closing, Told},
    store::Schema,
};
use mesh_testing::lifecycle::{Seller, answered};
use uuid::Uuid;

use super::{House, now, room, usual};
use crate::{
    convert,
    domain::{GuestDetails, Reservation, RoomOffer, Stay, of_nights},
    events,
    store::{self, Reservations},
};

mesh_testing::lifecycle_rules!(Hotel);

/// One room.
pub(super) struct Hotel {
    pub room: RoomOffer,
}

impl Hotel {
    pub async fn wish(&self, database: &Database, stay: Stay, guest: &str, now: Timestamp) -> Reservation {
        let id = self.room.id;
        let room = database
            .transact("ensure", |tx| async move {
                let room = store::find_room(&tx, id).await?.expect("the room is known");
                store::ensure(&tx, &room, &stay).await?;
                Ok(room)
            })
            .await
            .expect("nights");
        let price = of_nights(&stay, room.nightly_rate).expect("price");
        Reservation::begin(Uuid::now_v7(), guest, &room, stay, price, None, "case", now)
    }
}

const ARRIVED: &str = "arrived";

#[async_trait]
impl Seller for Hotel {
    type Cases = Reservations;

    const SCHEMA: Schema = store::SCHEMA;
    const SOLD_OUT: Reason = crate::reasons::ROOM_UNAVAILABLE;

    fn begin() -> Timestamp {
        now()
    }

    async fn open(database: &Database, units: u32) -> Self {
        let resource = &room(units.try_into().expect("units"), 1);
        let learns = database.transact("learn", |tx| async move { store::learn(&tx, resource, false).await });
        learns.await.expect("room");
        Self { room: convert::room_offer(resource).expect("room") }
    }

    fn cases(database: &Database) -> Reservations {
        Reservations::new(database.clone())
    }

    async fn case(&self, database: &Database, payer: &str, now: Timestamp) -> Reservation {
        self.wish(database, usual(), payer, now).await
    }

    async fn free(&self, database: &Database) -> u32 {
        let left = store::fewest_left(database.read(), &self.room, &usual()).await.expect("database");
        left.try_into().expect("units")
    }

    /// A hotel has no step of its own; here a guest arrives, and the note says so.
    fn step(stay: &mut Reservation) -> Result<Option<Told<Reservation>>, Error> {
        let details = stay.guest_details.get_or_insert_with(GuestDetails::default);
        if details.note == ARRIVED {
            return Ok(None);
        }
        details.note = ARRIVED.to_owned();
        Ok(Some(|stay, actor| Event {
            kind: "jumak.reservation.v1.GuestArrived".to_owned(),
            ..events::new(stay, actor, &convert::for_event(stay))
        }))
    }
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

#[tokio::test]
async fn a_guest_can_cancel_until_check_in_a_host_until_check_out_and_an_agent_always() {
    let house = House::with_units(1).await;
    let stay = house.sold(None).await;
    let (check_in, check_out) = (stay.check_in, stay.record.earn_time);
    assert_eq!(check_in.to_string(), "2027-05-01T06:00:00Z");
    assert_eq!(check_out.to_string(), "2027-05-03T02:00:00Z");
    for (party, until) in
        [(By::Guest, Some(check_in)), (By::Host, Some(check_out)), (By::Agent, None), (By::System, None)]
    {
        let Some(until) = until else {
            assert_eq!(stay.closing(party, check_out + hours(10_000)), Closing::Open, "{party:?}");
            continue;
        };
        assert_eq!(stay.closing(party, until - SignedDuration::from_micros(1)), Closing::Open, "{party:?}");
        assert_eq!(stay.closing(party, until), Closing::Closed(until), "{party:?}");
    }
}

#[tokio::test]
async fn a_guest_did_not_come_if_the_first_night_is_over_and_another_one_is_left() {
    let house = House::with_units(2).await;
    let stay = house.sold(None).await;
    // Check-out time of the day after check-in, and of the day after that.
    let (from, until) = (stay.record.earn_time - hours(24), stay.record.earn_time);
    let (moment, second) = (SignedDuration::from_micros(1), SignedDuration::from_secs(1));
    for (at, may_be) in
        [(stay.check_in, false), (from - second, false), (from, true), (until - moment, true), (until, false)]
    {
        assert_eq!(stay.may_be_no_show(at), may_be, "{at}");
    }
    let short = super::stay("2027-05-01", "2027-05-02", 1);
    let short = house.wish(short, &super::guest()).await;
    assert!(!short.may_be_no_show(from) && !short.may_be_no_show(from - moment), "nothing is left of one night");
    let long = house.wish(super::stay("2027-05-01", "2027-05-09", 1), &super::guest()).await;
    assert!(long.may_be_no_show(until - moment) && !long.may_be_no_show(until), "nobody says it for longer than a day");
}

#[tokio::test]
async fn every_night_of_a_stay_is_taken_and_given_back() {
    let house = House::with_units(2).await;
    let three = super::stay("2027-05-01", "2027-05-04", 2);
    let answer = house.book(three, Some("approve")).await.expect("an answer");
    assert_eq!(house.taken().await, [2, 2, 2]);
    answered(house.cancel(&super::resource(answer).name).await);
    assert_eq!(house.taken().await, [0, 0, 0]);
}

//! A hotel of one room with a till that does as it is told. What holds for every case is tested by the rules of the lifecycle; the other
//! tests are about nights and rooms.

mod as_written;
mod booking_window;
mod budget;
mod first_bookings;
mod front_desk;
mod hold;
mod lifecycle;
mod nights;
mod replicas;
mod rooms;

use std::ops::Deref;

use contracts::{
    reservation::v1::Reservation as Resource,
    room::v1::{Room, room},
    types::v1::{CancellationPolicy, cancellation_policy::Tier},
};
use jiff::Timestamp;
use mesh::{
    Caller, Error,
    checkout::{Case, store::page},
    requests::Answer,
};
use mesh_testing::lifecycle::{Bench, answered, caller, create, reason};
use prost::Message;
use uuid::Uuid;

use self::lifecycle::Hotel;
use crate::{
    app::Wish,
    audit,
    domain::{Reservation, Stay},
    store::{self, Reservations},
};

/// The hotel, with its lifecycle.
struct House(Bench<Hotel>);

impl Deref for House {
    type Target = Bench<Hotel>;

    fn deref(&self) -> &Bench<Hotel> {
        &self.0
    }
}

/// The only room.
const ROOM: Uuid = Uuid::from_u128(7);

fn now() -> Timestamp {
    "2027-04-01T00:00:00Z".parse().expect("instant")
}

/// A room as its context tells it.
pub(crate) fn room(units: i32, version: i64) -> Room {
    Room {
        name: mesh::fields::name("rooms", ROOM),
        host: "users/host".to_owned(),
        number: "101".to_owned(),
        display_name: "Garden room".to_owned(),
        units: Some(units),
        capacity: Some(2),
        nightly_rate: Some(contracts::google::r#type::Money {
            currency_code: "KRW".to_owned(),
            units: 90_000,
            nanos: 0,
        }),
        time_zone: "Asia/Seoul".to_owned(),
        check_in_time: "15:00".to_owned(),
        check_out_time: "11:00".to_owned(),
        cancellation_policy: Some(CancellationPolicy {
            tiers: vec![
                Tier { hours_before_start: 72, refund_percent: Some(100) },
                Tier { hours_before_start: 24, refund_percent: Some(50) },
                Tier { hours_before_start: 0, refund_percent: Some(0) },
            ],
        }),
        state: room::State::Active.into(),
        version,
        ..Room::default()
    }
}

/// A stay of one guest.
fn stay(check_in: &str, check_out: &str, units: u32) -> Stay {
    Stay { check_in: check_in.parse().expect("date"), check_out: check_out.parse().expect("date"), units, guests: 1 }
}

/// Two nights of one unit.
fn usual() -> Stay {
    stay("2027-05-01", "2027-05-03", 1)
}

/// What a guest asks for who wants that stay.
const fn wish_for(room: Uuid, stay: Stay) -> Wish {
    Wish { room, stay }
}

impl House {
    async fn with_units(units: u32) -> Self {
        Self(Bench::with_units(units).await)
    }

    async fn wish(&self, stay: Stay, caller: &Caller) -> Reservation {
        self.seller.wish(&self.database, stay, caller.user().expect("a user"), self.clock.now()).await
    }

    async fn book(&self, stay: Stay, token: Option<&str>) -> Result<Answer, Error> {
        self.book_as(&guest(), stay, token).await
    }

    async fn book_as(&self, caller: &Caller, stay: Stay, token: Option<&str>) -> Result<Answer, Error> {
        create(&self.checkout, self.wish(stay, caller).await, token, None, caller).await
    }

    /// Books the usual stay, and returns the reservation's name.
    async fn booked(&self, token: Option<&str>) -> String {
        self.sold(token).await.record().name.clone()
    }

    /// The reservation that was made last.
    async fn newest(&self) -> Reservation {
        let all = page::<Reservations>(self.database.read(), None, 100).await.expect("database");
        all.into_iter().next_back().expect("a reservation")
    }

    /// Units taken on the nights that have any row.
    async fn taken(&self) -> Vec<i32> {
        let mut nights = audit::nights(&self.database).await.expect("database");
        nights.sort_by(|a, b| a.night.cmp(&b.night));
        nights.into_iter().map(|night| night.taken).collect()
    }
}

fn guest() -> Caller {
    caller("alice")
}

fn resource(answer: Answer) -> Resource {
    Resource::decode(answered(Ok(answer)).as_slice()).expect("a reservation")
}

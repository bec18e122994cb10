//! A house of one room with a till that does as it is told: the lifecycle on a real database, without payment behind it.

mod attempts;
mod booking_window;
mod first_bookings;
mod front_desk;
mod nights;
mod progress;
mod refunds;
mod replicas;
mod requests;
mod rooms;
mod rules;
mod sweeping;
mod till;

use std::{sync::Arc, time::Duration};

use contracts::{
    payment::v1::{Payment, PaymentApproved, PaymentDeclined, PaymentVoided, payment},
    reservation::v1::Reservation as Resource,
    room::v1::{Room, room},
    types::v1::{CancellationPolicy, cancellation_policy::Tier},
};
use jiff::{SignedDuration, Timestamp};
use mesh::{
    Actor, Caller, Clock, Database, Error, Event, Principal, Role,
    background::Background,
    checkout::{Asks, Cancels, Cause, Checkout, Scope, Settings, State, machine::Outcome, payment_name, store::page},
    context::Handled,
    requests::{Answer, Request},
    store::entity::outbox,
};
use prost::Message;
use sea_orm::{EntityTrait, QueryOrder};
use servers::engine::FreshDatabase;
use uuid::Uuid;

use self::till::Till;
use crate::{
    convert,
    domain::{Reservation, RoomOffer, Stay, of_nights},
    store::{self, Reservations},
};

/// Everything that a test of the lifecycle touches.
struct House {
    database: Database,
    clock: Clock,
    till: Arc<Till>,
    background: Background,
    checkout: Checkout<Reservations>,
    room: RoomOffer,
    kept: FreshDatabase,
}

fn now() -> Timestamp {
    "2027-04-01T00:00:00Z".parse().expect("instant")
}

/// A room as its context tells it.
fn room(units: i32, version: i64) -> Room {
    Room {
        name: mesh::fields::name("rooms", Uuid::from_u128(7)),
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

impl House {
    async fn with_units(units: i32) -> Self {
        let kept = FreshDatabase::new().await.expect("a database");
        let database = Database::connect(kept.url(), 4).await.expect("a connection");
        crate::DESCRIPTOR.schema.migrate(&database).await.expect("schema");
        let (clock, background, till) = (Clock::manual(now()), Background::new(), Arc::new(Till::default()));
        let settings = Settings { max_open_holds: 100, ..Settings::default() };
        let checkout = Checkout::new(
            Reservations::new(database.clone()),
            database.clone(),
            till.clone(),
            settings,
            clock.clone(),
            background.clone(),
        );
        let resource = room(units, 1);
        let told = &resource;
        database
            .transact("learn", |tx| async move { store::learn(&tx, told, false).await.map(|_| ()) })
            .await
            .expect("room");
        let room = convert::room_offer(&resource).expect("room");
        Self { database, clock, till, background, checkout, room, kept }
    }

    fn stay(&self, check_in: &str, check_out: &str, units: u32) -> Stay {
        Stay {
            check_in: check_in.parse().expect("date"),
            check_out: check_out.parse().expect("date"),
            units,
            guests: 1,
        }
    }

    /// Two nights of one unit.
    fn usual(&self) -> Stay {
        self.stay("2027-05-01", "2027-05-03", 1)
    }

    async fn wish(&self, stay: Stay, caller: &Caller) -> Reservation {
        let id = self.room.id;
        let room = self
            .database
            .transact("ensure", |tx| async move {
                let room = store::find_room(&tx, id).await?.expect("the room is known");
                store::ensure(&tx, &room, &stay).await?;
                Ok(room)
            })
            .await
            .expect("nights");
        let price = of_nights(&stay, room.nightly_rate).expect("price");
        let guest = caller.user().expect("a user");
        Reservation::begin(Uuid::now_v7(), guest, &room, stay, price, None, "case", self.clock.now())
    }

    async fn book(&self, stay: Stay, token: Option<&str>) -> Result<Answer, Error> {
        self.book_as(&guest(), stay, token, None).await
    }

    async fn book_as(
        &self,
        caller: &Caller,
        stay: Stay,
        token: Option<&str>,
        request: Option<Request>,
    ) -> Result<Answer, Error> {
        let wish = self.wish(stay, caller).await;
        self.checkout.create(wish, token.map(str::to_owned), request, caller).await
    }

    /// Books and expects a reservation for an answer.
    async fn booked(&self, token: Option<&str>) -> Resource {
        resource(self.book(self.usual(), token).await.expect("an answer"))
    }

    async fn pay(&self, name: &str, token: &str) -> Result<Answer, Error> {
        let caller = guest();
        let scope = Scope::Payer(caller.user().expect("a user").to_owned());
        self.checkout.pay(name, scope, token.to_owned(), None, &caller).await
    }

    async fn cancel(&self, name: &str) -> Result<Answer, Error> {
        self.cancel_as(name, Asks::User("users/alice"), None).await
    }

    async fn cancel_as(&self, name: &str, asks: Asks<'_>, cause: Option<Cause>) -> Result<Answer, Error> {
        let cancels = Cancels { asks, cause, reason: "plans changed" };
        self.checkout.cancel(name, Scope::All, cancels, None, &guest().actor()).await
    }

    async fn state(&self, name: &str) -> State {
        self.read(name).await.record.state()
    }

    async fn read(&self, name: &str) -> Reservation {
        self.checkout.get(name, &Scope::All).await.expect("a reservation")
    }

    /// The one reservation that there is.
    async fn only(&self) -> Reservation {
        let mut all = page::<Reservations>(self.database.read(), None, 10).await.expect("database");
        assert_eq!(all.len(), 1, "one reservation is there");
        all.remove(0)
    }

    async fn newest(&self) -> Reservation {
        let all = page::<Reservations>(self.database.read(), None, 10).await.expect("database");
        all.into_iter().next_back().expect("a reservation")
    }

    async fn count(&self) -> usize {
        page::<Reservations>(self.database.read(), None, 5_000).await.expect("database").len()
    }

    /// Units taken on the nights that have any row.
    async fn taken(&self) -> Vec<i32> {
        let mut nights = store::all_nights(self.database.read()).await.expect("database");
        nights.sort_by(|a, b| a.night.cmp(&b.night));
        nights.into_iter().map(|night| night.taken).collect()
    }

    /// What was told, by the last word of its kind.
    async fn told(&self) -> Vec<String> {
        let rows = outbox::Entity::find().order_by_asc(outbox::Column::Id).all(self.database.read()).await;
        rows.expect("database")
            .into_iter()
            .map(|row| row.kind.trim_start_matches("jumak.reservation.v1.Reservation").to_owned())
            .collect()
    }

    /// Hears from payment how an attempt ended.
    async fn hears(&self, case: &str, attempt: u32, outcome: Outcome) {
        let payment = Some(Payment {
            name: payment_name(case, attempt),
            case: case.to_owned(),
            state: match outcome {
                Outcome::Approved => payment::State::Approved,
                Outcome::Declined => payment::State::Declined,
                Outcome::Voided => payment::State::Voided,
                Outcome::NotSent | Outcome::Unknown => payment::State::Pending,
            }
            .into(),
            decline_reason: if outcome == Outcome::Declined { "expired".to_owned() } else { String::new() },
            ..Payment::default()
        });
        let (actor, name) = (Actor::context("payment", "case"), payment_name(case, attempt));
        let event = match outcome {
            Outcome::Approved => Event::new("payment", "payment", name, 2, now(), &actor, &PaymentApproved { payment }),
            Outcome::Declined => Event::new("payment", "payment", name, 2, now(), &actor, &PaymentDeclined { payment }),
            _ => Event::new("payment", "payment", name, 2, now(), &actor, &PaymentVoided { payment }),
        };
        let (checkout, event) = (&self.checkout, &event);
        let payment: &Payment = &event.carried().expect("a payment");
        let heard = self.database.transact("hear", |tx| async move { checkout.hear(&tx, payment, event).await });
        assert_eq!(heard.await.expect("heard"), Handled::Done);
    }

    fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }
}

fn guest() -> Caller {
    guest_named("alice")
}

fn guest_named(name: &str) -> Caller {
    Caller {
        principal: Principal::User { name: format!("users/{name}"), roles: vec![Role::Guest] },
        correlation_id: "case".to_owned(),
        deadline: tokio::time::Instant::now() + Duration::from_secs(10),
    }
}

fn resource(answer: Answer) -> Resource {
    match answer {
        Answer::Ok(bytes) => Resource::decode(bytes.as_slice()).expect("a reservation"),
        Answer::Refused(refusal) => panic!("refused: {refusal}"),
    }
}

/// The stable reason of a refusal, however it came.
fn reason(outcome: Result<Answer, Error>) -> &'static str {
    match outcome {
        Ok(Answer::Refused(refusal)) | Err(Error::Refused(refusal)) => refusal.reason.as_str(),
        other => panic!("not refused: {other:?}"),
    }
}

//! T1 as one work: what it does when its conditions do not hold.

use contracts::{reservation::v1::GetReservationRequest, room::v1::Room};
use futures::future::join_all;
use mesh::{
    Refusal,
    checkout::{Checkout, Settings, State},
    requests::Request,
};

use super::{front_desk::FrontDesk, *};
use crate::{app::App, store::Reservations};

fn at_rate(units: i64, version: i64) -> Room {
    let rate = contracts::google::r#type::Money { currency_code: "KRW".to_owned(), units, nanos: 0 };
    Room { nightly_rate: Some(rate), ..room(100, version) }
}

fn won(units: i64) -> mesh::money::Money {
    mesh::money::Money::new(units, "KRW").expect("money")
}

/// A replica of the context that has sold a stay in the room, and so remembers it.
async fn replica(house: &House) -> App {
    let app = house.app(&FrontDesk::closed(Ok(room(100, 1))));
    total(&app, None, None).await.expect("a stay");
    app
}

/// What a paid stay costs in the end.
async fn total(app: &App, expected: Option<i64>, request: Option<Request>) -> Result<i64, Refusal> {
    let paid = app
        .create(wish_for(ROOM, usual()), None, expected.map(won), Some("approve".to_owned()), request, &guest())
        .await;
    match paid {
        Ok(answer) => Ok(resource(answer).price.expect("a price").total.expect("a total").units),
        Err(Error::Refused(refusal)) => Err(refusal),
        Err(error) => panic!("{error}"),
    }
}

impl House {
    /// Another replica hears of the room: nobody tells this one.
    async fn another_replica_hears(&self, told: &Room) {
        let learned = self.database.transact("learn", |tx| async move {
            store::learn(&tx, told, false).await?;
            let room = store::find_room(&tx, self.seller.room.id).await?.expect("the room");
            store::reoffer(&tx, &room, "2027-01-01".parse().expect("date")).await
        });
        learned.await.expect("learned");
    }
}

#[tokio::test]
async fn a_room_that_changed_at_another_replica_is_sold_as_it_is_now() {
    let house = House::with_units(100).await;
    let app = replica(&house).await;
    house.another_replica_hears(&at_rate(100_000, 2)).await;
    assert_eq!(total(&app, None, None).await, Ok(200_000));
    // The new price is what the guest was shown, wherever that was.
    house.another_replica_hears(&at_rate(110_000, 3)).await;
    assert_eq!(total(&app, Some(220_000), None).await, Ok(220_000));
    house.another_replica_hears(&at_rate(120_000, 4)).await;
    let refused = total(&app, Some(220_000), None).await.expect_err("the price has changed");
    assert_eq!((refused.reason.as_str(), refused.metadata["total"].as_str()), ("PRICE_CHANGED", "240000 KRW"));
    let gone = Room { state: room::State::Deleted.into(), ..room(100, 5) };
    house.another_replica_hears(&gone).await;
    assert_eq!(total(&app, None, None).await.expect_err("it is gone").reason.as_str(), "ROOM_DELETED");
    assert_eq!(house.taken().await, [3, 3], "nothing is held for whoever was refused");
}

#[tokio::test]
async fn a_request_is_answered_as_before_though_its_room_has_changed_since() {
    let house = House::with_units(100).await;
    let app = replica(&house).await;
    let request = || Request::new(&guest(), "CreateReservation", "once", &GetReservationRequest::default());
    assert_eq!(total(&app, Some(180_000), request()).await, Ok(180_000));
    let gone = Room { state: room::State::Deleted.into(), ..room(100, 3) };
    for told in [at_rate(100_000, 2), gone] {
        house.another_replica_hears(&told).await;
        assert_eq!(total(&app, Some(180_000), request()).await, Ok(180_000), "whether it is known to have changed");
        assert_eq!(total(&app, Some(180_000), request()).await, Ok(180_000), "or not");
    }
    assert_eq!((house.count().await, house.till.charges()), (2, 2));
}

#[tokio::test]
async fn holds_that_a_guest_takes_at_once_are_no_more_than_there_may_be() {
    const MOST: u32 = 3;
    let house = House::with_units(100).await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(house.replica_with(Settings { max_open_holds: MOST, ..Settings::default() }).await);
    }
    for held_before in [0, 1] {
        let caller = caller(&format!("guest{held_before}"));
        let holds = |replicas: Vec<Checkout<Reservations>>| {
            let (house, caller) = (&house, &caller);
            join_all(replicas.into_iter().map(move |replica| async move {
                let wish = house.wish(usual(), caller).await;
                create(&replica, wish, None, None, caller).await
            }))
        };
        for before in holds(replicas.iter().take(held_before).cloned().collect()).await {
            before.expect("a hold");
        }
        let taken = holds(replicas.iter().cycle().take(24).cloned().collect()).await;
        let (held, refused): (Vec<_>, Vec<_>) = taken.into_iter().partition(Result::is_ok);
        assert_eq!(held.len() + held_before, 3);
        for refused in refused {
            assert_eq!(reason(refused), "TOO_MANY_HOLDS");
        }
    }
    assert_eq!(house.taken().await, [6, 6]);
}

/// The connection may be lost after the commit and before its confirmation: then the handler looks for the hold.
#[tokio::test]
async fn a_hold_whose_commit_was_not_confirmed_is_found_and_continued() {
    let house = House::with_units(1).await;
    let request = |id: &str| Request::new(&guest(), "CreateReservation", id, &GetReservationRequest::default());
    for (token, sent, state) in [
        (Some("approve"), None, "CONFIRMED"),
        (Some("approve"), request("paid"), "CONFIRMED"),
        (None, None, "PENDING"),
        (None, request("held"), "PENDING"),
    ] {
        let wish = house.wish(usual(), &guest()).await;
        let create = async || {
            let answer = create(&house.checkout, wish.clone(), token, sent.clone(), &guest()).await;
            resource(answer.expect("an answer"))
        };
        let (first, second) = (create().await, create().await);
        assert_eq!((first.state().as_str_name(), house.taken().await), (state, vec![1, 1]));
        assert_eq!(first, second);
        house.cancel(&first.name).await.expect("an answer");
    }
    assert_eq!((house.count().await, house.till.charges()), (4, 2));
}

/// The same before payment was called: only one call is counted, so if it is not sent, the case ends at once.
#[tokio::test]
async fn a_handler_that_finds_its_hold_committed_calls_payment_once() {
    let house = House::with_units(1).await;
    let caller = &guest();
    let wish = house.wish(usual(), caller).await;
    let create = |token: &str| house.checkout.create(wish.clone(), Some(token.to_owned()), None, caller);
    let mut first = Box::pin(create("gate"));
    while house.till.asked() == 0 {
        assert!(futures::poll!(&mut first).is_pending(), "it waits at the gate");
        tokio::task::yield_now().await;
    }
    let second = create("not_sent").await.map(|answer| answer.expect("the room is as it was"));
    assert_eq!(reason(second), "PAYMENT_UNAVAILABLE");
    let case = house.only().await;
    assert_eq!((case.record().state(), case.record().standing.calls), (State::Rejected, 1));
    house.till.open_gate();
    first.await.expect("an answer");
}

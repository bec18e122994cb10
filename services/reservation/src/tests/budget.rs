//! What a booking costs. A change may lower these numbers; one that raises them says why.

use contracts::reservation::v1::GetReservationRequest;
use mesh::{
    db::{Counts, Engine},
    requests::Request,
};

use super::{front_desk::FrontDesk, *};
use crate::app::App;

const BOOKINGS: u64 = 10;

/// Books once, so that the guest, the room and the nights are known, and then some more: what each of those cost.
async fn each_costs(house: &House, token: Option<&str>) -> Counts {
    let app = house.app(&FrontDesk::closed(Ok(room(100, 1))));
    book(&app, token, 0).await;
    let before = house.database.counts();
    for number in 1..=BOOKINGS {
        book(&app, token, number).await;
    }
    let spent = house.database.counts().since(before);
    assert_eq!((spent.statements % BOOKINGS, spent.commits % BOOKINGS), (0, 0), "{spent:?}");
    Counts { statements: spent.statements / BOOKINGS, commits: spent.commits / BOOKINGS }
}

async fn book(app: &App, token: Option<&str>, number: u64) {
    let wish = wish_for(ROOM, usual());
    let id = format!("id-{number}");
    let request = Request::new(&guest(), "CreateReservation", &id, &GetReservationRequest::default());
    resource(app.create(wish, None, None, token.map(str::to_owned), request, &guest()).await.expect("an answer"));
}

#[tokio::test]
async fn a_booking_that_is_paid_costs_two_commits_and_a_statement_for_each_where_that_can_be() {
    let house = House::with_units(100).await;
    let statements = match house.database.engine() {
        Engine::Postgres | Engine::Sqlite => 2,
        // The request, the nights, the case, its event; the case, its event, the answer.
        Engine::MySql => 7,
    };
    assert_eq!(each_costs(&house, Some("approve")).await, Counts { statements, commits: 2 });
}

#[tokio::test]
async fn a_hold_costs_one_commit_and_a_statement_for_it_where_that_can_be() {
    let house = House::with_units(100).await;
    let statements = match house.database.engine() {
        Engine::Postgres | Engine::Sqlite => 1,
        // The request, the guest's turn, the nights, the case, its event.
        Engine::MySql => 5,
    };
    assert_eq!(each_costs(&house, None).await, Counts { statements, commits: 1 });
}

/// A crowd for a room that is sold out asks for the room and its nights, and nobody writes.
#[tokio::test]
async fn whoever_comes_too_late_costs_two_queries() {
    let house = House::with_units(1).await;
    let app = house.app(&FrontDesk::closed(Ok(room(1, 1))));
    book(&app, Some("approve"), 0).await;
    let comes_too_late = || async {
        let wish = wish_for(ROOM, stay("2027-05-02", "2027-05-03", 1));
        reason(app.create(wish, None, None, Some("approve".to_owned()), None, &guest()).await)
    };
    let before = house.database.counts();
    for _ in 0..BOOKINGS {
        assert_eq!(comes_too_late().await, "ROOM_UNAVAILABLE");
    }
    let spent = house.database.counts().since(before);
    assert_eq!(spent, Counts { statements: 2 * BOOKINGS, commits: 0 });
}

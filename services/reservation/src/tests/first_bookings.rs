//! The first bookings of a room that this context has not heard of: its context is asked once, however many come.

use std::sync::atomic::{AtomicUsize, Ordering};

use contracts::room::v1::Room;
use futures::future::join_all;
use mesh::{Caller, Error, Reason, Refusal};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use super::{House, caller, front_desk::FrontDesk, guest, resource, room, usual, wish_for};
use crate::{app::App, reasons, rooms::Rooms};

/// How many come at once: more than there may be calls to the room context in flight.
const GUESTS: usize = 100;

impl House {
    /// The use cases, with `desk` to ask about rooms.
    pub fn app(&self, desk: &FrontDesk) -> App {
        let rooms = Rooms::new(self.database.clone(), desk.upstream(), self.clock.clone());
        App::new(self.checkout.clone(), rooms, self.clock.clone())
    }
}

/// A room that has not been heard of, with a unit for each guest.
fn new_room() -> Room {
    Room { name: mesh::fields::name("rooms", Uuid::from_u128(8)), ..room(GUESTS as i32, 1) }
}

/// Two nights of it.
fn no_such_room() -> Refusal {
    Refusal::new(reasons::ROOM_NOT_FOUND, "there is no such room")
}

async fn asks(app: &App, caller: &Caller) -> Result<i32, Reason> {
    match app.quote(wish_for(Uuid::from_u128(8), usual()), caller).await {
        Ok(quote) => Ok(quote.units_left),
        Err(Error::Refused(refusal)) => Err(refusal.reason),
        Err(other) => panic!("no refusal: {other}"),
    }
}

/// Opens the desk when all guests have come and one has asked.
async fn let_through_when(desk: &FrontDesk, come: &AtomicUsize) {
    while come.load(Ordering::SeqCst) < GUESTS || desk.asked() == 0 {
        tokio::task::yield_now().await;
    }
    desk.let_through();
}

#[tokio::test]
async fn a_hundred_first_bookings_at_once_ask_about_their_room_once_and_none_is_refused() {
    let house = House::with_units(1).await;
    let desk = FrontDesk::closed(Ok(new_room()));
    let app = house.app(&desk);
    let (app, come) = (&app, &AtomicUsize::new(0));
    let bookings = (0..GUESTS).map(|number| async move {
        come.fetch_add(1, Ordering::SeqCst);
        app.create(
            wish_for(Uuid::from_u128(8), usual()),
            None,
            None,
            Some("approve".to_owned()),
            None,
            &caller(&format!("guest{number}")),
        )
        .await
    });
    let (answers, ()) = tokio::join!(join_all(bookings), let_through_when(&desk, come));
    for answer in answers {
        assert_eq!(resource(answer.expect("a stay")).state().as_str_name(), "CONFIRMED");
    }
    assert_eq!(desk.asked(), 1);
    assert_eq!((house.taken().await, house.till.charges()), (vec![100, 100], 100));
}

#[tokio::test]
async fn a_call_that_fails_fails_whoever_made_it_and_those_who_joined_it_ask_once_more() {
    let house = House::with_units(1).await;
    let desk = FrontDesk::closed(Ok(new_room()));
    desk.fail_once();
    let app = house.app(&desk);
    let (app, come) = (&app, &AtomicUsize::new(0));
    let guests = (0..GUESTS).map(|_| async move {
        come.fetch_add(1, Ordering::SeqCst);
        asks(app, &guest()).await
    });
    let (answers, ()) = tokio::join!(join_all(guests), let_through_when(&desk, come));
    let (failed, told): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_err);
    assert_eq!(failed, [Err(Reason::UPSTREAM_UNAVAILABLE)]);
    assert_eq!(told, vec![Ok(100); GUESTS - 1]);
    assert_eq!(desk.asked(), 2);
}

#[tokio::test]
async fn a_room_that_was_not_found_is_asked_about_again() {
    let house = House::with_units(1).await;
    let desk = FrontDesk::open(Err(no_such_room()));
    let app = house.app(&desk);
    assert_eq!(asks(&app, &guest()).await, Err(reasons::ROOM_NOT_FOUND));
    desk.tell(Ok(new_room()));
    for _ in 0..2 {
        assert_eq!(asks(&app, &guest()).await, Ok(100));
    }
    assert_eq!(desk.asked(), 2, "once in vain, and once for all");
}

#[tokio::test]
async fn who_can_wait_no_longer_for_a_new_room_is_told_so_in_time() {
    let house = House::with_units(1).await;
    let desk = FrontDesk::closed(Ok(new_room()));
    let app = house.app(&desk);
    let patience = Duration::from_millis(100);
    let hurried = Caller { deadline: Instant::now() + patience, ..guest() };
    let begun = Instant::now();
    assert_eq!(asks(&app, &hurried).await, Err(Reason::UPSTREAM_UNAVAILABLE));
    assert!(begun.elapsed() < patience * 10, "{:?}", begun.elapsed());
    desk.let_through();
    assert_eq!(asks(&app, &guest()).await, Ok(100));
}

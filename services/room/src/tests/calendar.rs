//! What stays and blocks make of a room's nights.

use std::collections::BTreeMap;

use contracts::{
    reservation::v1::reservation::State,
    room::v1::{BlockNightsRequest, NightsBlocked, Room, RoomNight, room::OnReserved, room_night},
};
use jiff::{ToSpan, civil::Date};
use mesh::{Event, context::Handled, context::Policies as _};
use proptest::prelude::*;

use super::{Booking, HOST, Inn, a_room, faults};
use crate::{audit, domain::Occupancy, policies};

/// How many nights the property tests look at.
const DAYS: usize = 8;

fn day(at: usize) -> String {
    let first: Date = "2027-05-01".parse().expect("a date");
    first.saturating_add(i64::try_from(at).expect("few").days()).to_string()
}

fn night(date: &str, state: room_night::State, [total, held, charged, blocked, left]: [i32; 5]) -> RoomNight {
    RoomNight {
        date: date.to_owned(),
        state: state.into(),
        units_total: Some(total),
        units_held: Some(held),
        units_charged: Some(charged),
        units_blocked: Some(blocked),
        units_left: Some(left),
    }
}

fn block(room: &str, start: &str, end: &str, units: Option<i32>) -> BlockNightsRequest {
    BlockNightsRequest {
        name: room.to_owned(),
        start_date: start.to_owned(),
        end_date: end.to_owned(),
        units,
        ..BlockNightsRequest::default()
    }
}

#[tokio::test]
async fn a_night_is_charged_when_its_stay_is_confirmed_and_vacant_when_it_is_cancelled() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await.name;
    let stay = Booking::new(&room, "2027-05-02", "2027-05-03", 1);
    for (state, version, expected) in [
        (State::Pending, 1, night("2027-05-02", room_night::State::Vacant, [1, 1, 0, 0, 0])),
        (State::Confirmed, 2, night("2027-05-02", room_night::State::Charged, [1, 0, 1, 0, 0])),
        (State::CancelRequested, 3, night("2027-05-02", room_night::State::Vacant, [1, 0, 0, 0, 1])),
        (State::Cancelled, 4, night("2027-05-02", room_night::State::Vacant, [1, 0, 0, 0, 1])),
    ] {
        inn.hear(&[stay.event(state, version)]).await;
        let nights = inn.calendar(HOST, &room, "2027-05-01", "2027-05-04").await.expect("a calendar");
        assert_eq!(nights[1], expected, "{state:?}");
        for (at, date) in [(0, "2027-05-01"), (2, "2027-05-03")] {
            assert_eq!(nights[at], night(date, room_night::State::Vacant, [1, 0, 0, 0, 1]), "check-out is exclusive");
        }
    }
}

#[tokio::test]
async fn some_units_sold_and_some_kept_back_are_told_apart() {
    let inn = Inn::open().await;
    let room = inn.create(Room { units: Some(3), ..a_room("Dormitory") }).await.name;
    let sold = Booking::new(&room, "2027-05-01", "2027-05-02", 2);
    inn.hear(&[sold.event(State::Confirmed, 2)]).await;
    let nights = inn.block(block(&room, "2027-05-01", "2027-05-04", None)).await.expect("blocked");
    assert_eq!(
        nights,
        [
            night("2027-05-01", room_night::State::PartlyCharged, [3, 0, 2, 3, 0]),
            night("2027-05-02", room_night::State::Blocked, [3, 0, 0, 3, 0]),
            night("2027-05-03", room_night::State::Blocked, [3, 0, 0, 3, 0]),
        ]
    );
    let free = BlockNightsRequest { unblock: true, ..block(&room, "2027-05-02", "2027-05-03", Some(2)) };
    assert_eq!(
        inn.block(free).await.expect("freed"),
        [night("2027-05-02", room_night::State::Vacant, [3, 0, 0, 1, 2]),]
    );

    // Fewer units than are sold: no stay is taken away, and no more is kept back than there is.
    let fewer = Room { name: room.clone(), units: Some(1), ..Room::default() };
    inn.update(HOST, fewer, &[]).await.expect("updated");
    assert_eq!(
        inn.calendar(HOST, &room, "2027-05-01", "2027-05-03").await.expect("a calendar"),
        [
            night("2027-05-01", room_night::State::Charged, [2, 0, 2, 1, 0]),
            night("2027-05-02", room_night::State::Blocked, [1, 0, 0, 1, 0]),
        ]
    );
}

#[tokio::test]
async fn a_block_that_changes_nothing_is_not_told() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await.name;
    inn.block(block(&room, "2027-05-01", "2027-05-03", None)).await.expect("blocked");
    inn.block(block(&room, "2027-05-01", "2027-05-02", Some(10_000))).await.expect("blocked before");
    let told = inn.told().await;
    assert_eq!((told.len(), inn.get(&room).await.version), (2, 2));
    assert_eq!(told[1].route, "jumak.room.v1.room.nights_blocked");
}

#[tokio::test]
async fn the_nights_of_a_call_are_bounded() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await.name;
    assert_eq!(faults(inn.block(block(&room, "2027-04-29", "2027-05-02", None)).await), ["start_date"]);
    assert_eq!(faults(inn.block(block(&room, "2032-05-05", "2032-05-06", None)).await), ["start_date"]);
    assert_eq!(faults(inn.block(block(&room, "2027-05-02", "2027-05-02", Some(0))).await), ["end_date", "units"]);
    assert_eq!(faults(inn.block(block("", "2027-05-01", "2028-05-02", Some(1))).await), ["name", "end_date"]);
    inn.block(block(&room, "2027-05-01", "2028-05-01", None)).await.expect("366 nights");
    let nights = inn.calendar(HOST, &room, "2020-02-01", "2020-03-01").await.expect("the past can be looked at");
    assert_eq!((nights.len(), nights[28].date.as_str()), (29, "2020-02-29"));
    assert_eq!(faults(inn.calendar(HOST, &room, "2027-05-01", "2028-05-02").await), ["end_date"]);
}

#[tokio::test]
async fn last_night_is_left_and_can_be_kept_back_until_check_out_time() {
    let inn = Inn::open().await;
    let room = inn.create(Room { units: Some(2), ..a_room("Blue room") }).await.name;
    let left = async |start: &str, end: &str| {
        let nights = inn.calendar(HOST, &room, start, end).await.expect("a calendar");
        nights.into_iter().map(|night| night.units_left.expect("present")).collect::<Vec<_>>()
    };
    // 09:00 of the first of May: guests have until eleven to leave.
    assert_eq!(left("2027-04-29", "2027-05-02").await, [0, 2, 2]);
    let nights = inn.block(block(&room, "2027-04-30", "2027-05-01", Some(1))).await.expect("blocked");
    assert_eq!(nights, [night("2027-04-30", room_night::State::Vacant, [2, 0, 0, 1, 1])]);
    // The last stay of 90 nights begins in 1830 days.
    assert_eq!(left("2032-07-31", "2032-08-03").await, [2, 2, 0]);

    inn.clock.advance(jiff::SignedDuration::from_hours(2));
    assert_eq!(left("2027-04-29", "2027-05-02").await, [0, 0, 2], "nobody can book what is over");
    assert_eq!(faults(inn.block(block(&room, "2027-04-30", "2027-05-01", None)).await), ["start_date"]);
    inn.delete(HOST, &room, OnReserved::Keep).await.expect("deleted");
    assert_eq!(left("2027-04-29", "2027-05-02").await, [0, 0, 0], "nor what is not let any more");
}

#[tokio::test]
async fn what_is_no_stay_is_not_taken_for_one() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await.name;
    let good = Booking::new(&room, "2027-05-01", "2027-05-02", 1);
    let backwards = Booking { check_out: "2027-04-30".to_owned(), ..good.clone() };
    let stranger = Event { route: "jumak.reservation.v1.dream.held".to_owned(), ..good.event(State::Pending, 1) };
    let outcome = |event: Event| {
        inn.database.transact("hear", move |tx| {
            let event = event.clone();
            async move { policies::hearing().handle(&tx, &event).await }
        })
    };
    assert!(outcome(backwards.event(State::Pending, 1)).await.is_err());
    assert!(matches!(outcome(stranger).await, Ok(Handled::Unknown)));
    assert_eq!(audit::stays(&inn.database).await.expect("audited"), []);
}

/// A stay: its first night, how many nights, how many units, and the states through which it goes.
type History = (usize, usize, i32, Vec<State>);

fn histories() -> impl Strategy<Value = Vec<History>> {
    use State::{CancelRequested, Cancelled, Confirmed, Expired, Pending, Rejected};
    let ways = prop::sample::select(vec![
        vec![Pending, Confirmed, CancelRequested, Cancelled],
        vec![Pending, Confirmed],
        vec![Pending, Rejected],
        vec![Pending, Expired],
        vec![Pending, Cancelled],
        vec![Pending],
    ]);
    prop::collection::vec((0..DAYS - 1, 1..4_usize, 1..4_i32, ways), 1..6)
}

/// The same events in any order, some of them twice, in batches of any size.
fn deliveries() -> impl Strategy<Value = (Vec<History>, Vec<(usize, usize)>, usize)> {
    histories().prop_flat_map(|stays| {
        let events: Vec<_> =
            stays.iter().enumerate().flat_map(|(stay, (.., way))| (0..way.len()).map(move |at| (stay, at))).collect();
        let again = prop::sample::subsequence(events.clone(), 0..=events.len());
        (Just(stays), again, 1..6_usize).prop_flat_map(move |(stays, again, batch)| {
            (Just(stays), Just([events.clone(), again].concat()).prop_shuffle(), Just(batch))
        })
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_delivery_of_any_stays_shows_the_newest_of_each((stays, delivered, batch) in deliveries()) {
        let mut expected = vec![(0, 0); DAYS];
        for (first, nights, units, way) in &stays {
            for (held, charged) in expected.iter_mut().skip(*first).take(*nights) {
                match way.last() {
                    Some(State::Pending) => *held += units,
                    Some(State::Confirmed) => *charged += units,
                    _ => {}
                }
            }
        }
        let (shown, audited) = block_on(async {
            let inn = Inn::open().await;
            let room = inn.create(Room { units: Some(100), ..a_room("Dormitory") }).await.name;
            let bookings: Vec<_> = stays
                .iter()
                .map(|(first, nights, units, _)| Booking::new(&room, &day(*first), &day(first + nights), *units))
                .collect();
            let events: Vec<_> = delivered
                .iter()
                .map(|(stay, at)| bookings[*stay].event(stays[*stay].3[*at], i64::try_from(*at).expect("few") + 1))
                .collect();
            for events in events.chunks(batch) {
                inn.hear(events).await;
            }
            let shown = inn.calendar(HOST, &room, &day(0), &day(DAYS)).await.expect("a calendar");
            (shown, audit::stays(&inn.database).await.expect("audited"))
        });
        for (night, (held, charged)) in shown.iter().zip(expected) {
            prop_assert_eq!((night.units_held, night.units_charged), (Some(held), Some(charged)));
            prop_assert_eq!(night.units_left, Some(100 - held - charged));
        }
        prop_assert_eq!(audited.len(), stays.len());
        let charged = stays.iter().filter(|(.., way)| way.last() == Some(&State::Confirmed)).count();
        prop_assert_eq!(audited.iter().filter(|heard| heard.stay.occupancy == Occupancy::Charged).count(), charged);
    }

    #[test]
    fn blocks_add_up_within_the_units_and_can_be_told_in_any_order(
        units in 1..4_i32,
        wishes in prop::collection::vec(
            (0..DAYS - 1, 1..DAYS, prop::option::of(1..4_i32), any::<bool>()), 1..8,
        ),
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut expected = vec![0; DAYS];
        let (shown, told) = block_on(async {
            let inn = Inn::open().await;
            let room = inn.create(Room { units: Some(units), ..a_room("Dormitory") }).await.name;
            for (first, nights, amount, unblock) in &wishes {
                let end = (first + nights).min(DAYS);
                for blocked in &mut expected[*first..end] {
                    let amount = amount.unwrap_or(units);
                    *blocked = (*blocked + if *unblock { -amount } else { amount }).clamp(0, units);
                }
                let wish = block(&room, &day(*first), &day(end), *amount);
                inn.block(BlockNightsRequest { unblock: *unblock, ..wish }).await.expect("blocked");
            }
            let shown = inn.calendar(HOST, &room, &day(0), &day(DAYS)).await.expect("a calendar");
            (shown, inn.told().await)
        });
        let blocked: Vec<_> = shown.iter().map(|night| night.units_blocked.expect("present")).collect();
        prop_assert_eq!(&blocked, &expected);

        // A listener keeps, for each night, what the event of the highest version says of it.
        let events: Vec<NightsBlocked> = told.iter().filter_map(Event::decode).map(|event| event.expect("decodes")).collect();
        let mut heard: BTreeMap<String, (i64, i32)> = BTreeMap::new();
        for event in order.iter().filter_map(|at| events.get(*at)) {
            let version = event.room.as_ref().expect("a room").version;
            for night in &event.nights {
                let known = heard.entry(night.date.clone()).or_default();
                *known = (*known).max((version, night.units_blocked.expect("present")));
            }
        }
        for (at, blocked) in expected.into_iter().enumerate() {
            prop_assert_eq!(heard.get(&day(at)).map_or(0, |(_, units)| *units), blocked);
        }
    }
}

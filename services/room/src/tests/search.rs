//! What a guest finds, in which order, and on how many pages.

use contracts::{
    google::r#type::{LatLng, Money},
    reservation::v1::reservation::State,
    room::v1::{
        BlockNightsRequest, Room, SearchRoomsRequest, SearchRoomsResponse, room::OnReserved,
        room_service_server::RoomService, search_rooms_request::Order, search_rooms_response::Offer,
    },
};
use mesh::{Reason, money};
use proptest::prelude::*;
use tonic::Status;
use uuid::Uuid;

use super::{Booking, GUEST, HOST, Inn, a_room, call, faults, reason, won};
use crate::{
    domain::{self, Details, Nights, Occupancy, Stay},
    store,
};

/// More pages than any search here needs.
const MAX_PAGES: usize = 50;

impl Inn {
    async fn try_search(&self, query: SearchRoomsRequest) -> Result<SearchRoomsResponse, Status> {
        self.grpc.search_rooms(call(GUEST, query)).await.map(tonic::Response::into_inner)
    }

    /// All offers, page by page.
    async fn search(&self, mut query: SearchRoomsRequest) -> Vec<Offer> {
        let mut offers = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.try_search(query.clone()).await.expect("a page");
            let most = if query.page_size > 0 { query.page_size as u32 } else { mesh::page::DEFAULT_PAGE_SIZE };
            assert!(page.offers.len() <= most as usize);
            offers.extend(page.offers);
            if page.next_page_token.is_empty() {
                return offers;
            }
            query.page_token = page.next_page_token;
        }
        panic!("no end after {MAX_PAGES} pages");
    }

    async fn found(&self, query: SearchRoomsRequest) -> Vec<String> {
        self.search(query).await.iter().map(|offer| room(offer).display_name.clone()).collect()
    }
}

fn room(offer: &Offer) -> &Room {
    offer.room.as_ref().expect("a room")
}

fn anything() -> SearchRoomsRequest {
    SearchRoomsRequest::default()
}

fn nights(check_in: &str, check_out: &str) -> SearchRoomsRequest {
    SearchRoomsRequest { check_in_date: check_in.to_owned(), check_out_date: check_out.to_owned(), ..anything() }
}

fn at(latitude: f64, longitude: f64) -> Option<LatLng> {
    Some(LatLng { latitude, longitude })
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn every_condition_must_hold() {
    let inn = Inn::open().await;
    let small = Room {
        size_square_meters: Some(20),
        amenities: strings(&["wifi"]),
        nightly_rate: Some(won(50_000)),
        place: "Jeju City".to_owned(),
        ..a_room("small")
    };
    let large = Room {
        units: Some(4),
        capacity: Some(3),
        size_square_meters: Some(60),
        amenities: strings(&["sea_view", "wifi", "pool"]),
        nightly_rate: Some(won(90_000)),
        place: "SEOGWIPO, Jeju".to_owned(),
        ..a_room("large")
    };
    inn.create(small).await;
    inn.create(large).await;
    inn.create(Room { nightly_rate: Some(won(70_000)), ..a_room("bare") }).await;
    let deleted = inn.create(a_room("deleted")).await.name;
    inn.delete(HOST, &deleted, OnReserved::Keep).await.expect("deleted");

    for (query, expected) in [
        (anything(), vec!["small", "bare", "large"]),
        (SearchRoomsRequest { guests: Some(2), ..anything() }, vec!["small", "bare", "large"]),
        (SearchRoomsRequest { guests: Some(3), ..anything() }, vec!["large"]),
        (SearchRoomsRequest { guests: Some(12), units: Some(4), ..anything() }, vec!["large"]),
        (SearchRoomsRequest { guests: Some(13), units: Some(4), ..anything() }, vec![]),
        (SearchRoomsRequest { units: Some(5), ..anything() }, vec![]),
        (SearchRoomsRequest { min_size: 20, ..anything() }, vec!["small", "large"]),
        (SearchRoomsRequest { min_size: 21, ..anything() }, vec!["large"]),
        (SearchRoomsRequest { min_rate: Some(won(50_001)), ..anything() }, vec!["bare", "large"]),
        (SearchRoomsRequest { max_rate: Some(won(70_000)), ..anything() }, vec!["small", "bare"]),
        (SearchRoomsRequest { min_rate: Some(won(70_000)), max_rate: Some(won(70_000)), ..anything() }, vec!["bare"]),
        (SearchRoomsRequest { place: "jeju".to_owned(), ..anything() }, vec!["small", "large"]),
        (SearchRoomsRequest { place: "Seogwipo".to_owned(), ..anything() }, vec!["large"]),
        (SearchRoomsRequest { amenities: strings(&["wifi"]), ..anything() }, vec!["small", "large"]),
        (SearchRoomsRequest { amenities: strings(&["wifi", "pool"]), ..anything() }, vec!["large"]),
        (SearchRoomsRequest { amenities: strings(&["wifi", "sauna"]), ..anything() }, vec![]),
    ] {
        assert_eq!(inn.found(query.clone()).await, expected, "{query:?}");
    }
}

#[tokio::test]
async fn what_a_guest_types_is_taken_by_the_letter() {
    let inn = Inn::open().await;
    for place in ["100% Jeju", "100 Jeju", "a_b", "axb", "a!b", r"a\b", "ÖRTCHEN"] {
        inn.create(Room { place: place.to_owned(), ..a_room(place) }).await;
    }
    for (typed, expected) in [
        ("100%", vec!["100% Jeju"]),
        ("%", vec!["100% Jeju"]),
        ("a_b", vec!["a_b"]),
        ("_", vec!["a_b"]),
        ("a!b", vec!["a!b"]),
        (r"a\b", vec![r"a\b"]),
        ("örtchen", vec!["ÖRTCHEN"]),
        ("'; DROP TABLE room; --", vec![]),
    ] {
        assert_eq!(inn.found(SearchRoomsRequest { place: typed.to_owned(), ..anything() }).await, expected, "{typed}");
    }
    inn.create(Room { amenities: strings(&["seaxview", "wifi6"]), ..a_room("almost") }).await;
    assert!(inn.found(SearchRoomsRequest { amenities: strings(&["sea_view"]), ..anything() }).await.is_empty());
    assert!(inn.found(SearchRoomsRequest { amenities: strings(&["wifi"]), ..anything() }).await.is_empty());
}

#[tokio::test]
async fn with_dates_an_offer_shows_its_total_and_what_is_left() {
    let inn = Inn::open().await;
    let name = inn.create(Room { units: Some(4), ..a_room("Dormitory") }).await.name;
    inn.hear(&[
        Booking::new(&name, "2027-05-02", "2027-05-03", 1).event(State::Confirmed, 2),
        Booking::new(&name, "2027-05-03", "2027-05-06", 1).event(State::Pending, 1),
        Booking::new(&name, "2027-05-01", "2027-05-09", 4).event(State::Expired, 2),
    ])
    .await;
    let block = BlockNightsRequest {
        name,
        start_date: "2027-05-03".to_owned(),
        end_date: "2027-05-04".to_owned(),
        units: Some(1),
        ..BlockNightsRequest::default()
    };
    inn.block(block).await.expect("blocked");

    let query = SearchRoomsRequest { units: Some(2), ..nights("2027-05-01", "2027-05-04") };
    let page = inn.try_search(query.clone()).await.expect("a page");
    assert_eq!(page.as_of_time, Some(mesh::clock::to_proto(inn.clock.now())));
    let [offer] = &page.offers[..] else { panic!("one offer") };
    assert_eq!((offer.units_left, offer.total.clone()), (Some(2), Some(won(540_000))));
    assert_eq!(inn.found(SearchRoomsRequest { units: Some(3), ..query }).await, [""; 0]);

    let dateless = inn.search(anything()).await;
    assert_eq!((dateless[0].units_left, dateless[0].total.clone(), dateless[0].distance_meters), (None, None, None));
}

#[tokio::test]
async fn a_room_that_is_sold_out_on_one_night_is_not_offered() {
    let inn = Inn::open().await;
    for display_name in ["free", "sold", "held", "blocked"] {
        let name = inn.create(a_room(display_name)).await.name;
        let stay = Booking::new(&name, "2027-05-02", "2027-05-03", 1);
        match display_name {
            "sold" => inn.hear(&[stay.event(State::Confirmed, 2)]).await,
            "held" => inn.hear(&[stay.event(State::Pending, 1)]).await,
            "blocked" => {
                let block = BlockNightsRequest {
                    name,
                    start_date: stay.check_in,
                    end_date: stay.check_out,
                    ..BlockNightsRequest::default()
                };
                inn.block(block).await.expect("blocked");
            }
            _ => {}
        }
    }
    assert_eq!(inn.found(nights("2027-05-01", "2027-05-04")).await, ["free"]);
    assert_eq!(inn.found(nights("2027-05-03", "2027-05-05")).await.len(), 4);
    assert_eq!(inn.found(nights("2027-05-01", "2027-05-02")).await.len(), 4);
}

#[tokio::test]
async fn near_is_near_also_across_the_date_line() {
    let inn = Inn::open().await;
    for (display_name, latitude, longitude) in
        [("Suva", -18.1416, 178.4419), ("Taveuni", -16.85, 179.97), ("Rabi", -16.5, -179.98), ("Seoul", 37.57, 126.98)]
    {
        inn.create(Room { location: at(latitude, longitude), ..a_room(display_name) }).await;
    }
    inn.create(a_room("somewhere")).await;
    let near = SearchRoomsRequest { near: at(-16.8, -179.999), order: Order::Distance.into(), ..anything() };
    let offers = inn.search(near.clone()).await;
    let names: Vec<_> = offers.iter().map(|offer| room(offer).display_name.as_str()).collect();
    assert_eq!(names, ["Taveuni", "Rabi"]);
    let meters: Vec<_> = offers.iter().map(|offer| offer.distance_meters.expect("a distance")).collect();
    assert!((6_000..7_000).contains(&meters[0]) && (33_000..34_000).contains(&meters[1]), "{meters:?}");
    assert_eq!(inn.found(SearchRoomsRequest { radius_meters: meters[0] + 1, ..near.clone() }).await, ["Taveuni"]);
    assert_eq!(inn.found(SearchRoomsRequest { radius_meters: meters[0] - 1, ..near }).await, [""; 0]);
}

#[tokio::test]
async fn all_faults_of_a_search_are_told_at_once() {
    let inn = Inn::open().await;
    let query = SearchRoomsRequest {
        check_in_date: "2027-05-01".to_owned(),
        guests: Some(201),
        units: Some(0),
        place: "x".repeat(121),
        radius_meters: 200_001,
        min_rate: Some(Money { currency_code: "WON".to_owned(), units: 1, nanos: 0 }),
        amenities: strings(&["Sea view"]),
        min_size: -1,
        order: Order::Distance.into(),
        ..anything()
    };
    assert_eq!(
        faults(inn.try_search(query).await),
        [
            "check_out_date",
            "guests",
            "units",
            "place",
            "radius_meters",
            "near",
            "min_rate",
            "amenities[0]",
            "min_size",
            "near",
        ]
    );
    assert_eq!(faults(inn.try_search(nights("2027-05-01", "2027-07-31")).await), ["check_out_date"]);
    assert_eq!(faults(inn.try_search(SearchRoomsRequest { order: 9, ..anything() }).await), ["order"]);
    let dollars = Some(Money { currency_code: "USD".to_owned(), units: 1, nanos: 0 });
    let query = SearchRoomsRequest { min_rate: Some(won(1)), max_rate: dollars, ..anything() };
    assert_eq!(reason(inn.try_search(query).await), Reason::CURRENCY_MISMATCH);
}

#[tokio::test]
async fn a_page_token_goes_on_with_its_own_search_only() {
    let inn = Inn::open().await;
    for display_name in ["a", "b", "c"] {
        inn.create(a_room(display_name)).await;
    }
    let query = SearchRoomsRequest { page_size: 1, ..anything() };
    let page = inn.try_search(query.clone()).await.expect("a page");
    let next = SearchRoomsRequest { page_token: page.next_page_token, ..query };
    inn.try_search(SearchRoomsRequest { page_size: 2, ..next.clone() }).await.expect("a larger page");
    let near = SearchRoomsRequest { near: at(33.5, 126.5), ..anything() };
    for other in [
        nights("2027-05-01", "2027-05-02"),
        SearchRoomsRequest { guests: Some(2), ..anything() },
        SearchRoomsRequest { units: Some(2), ..anything() },
        SearchRoomsRequest { place: "Jeju".to_owned(), ..anything() },
        near.clone(),
        SearchRoomsRequest { radius_meters: 1_000, ..near.clone() },
        SearchRoomsRequest { order: Order::Distance.into(), ..near },
        SearchRoomsRequest { min_rate: Some(won(1)), ..anything() },
        SearchRoomsRequest { max_rate: Some(won(100_000)), ..anything() },
        SearchRoomsRequest { amenities: strings(&["wifi"]), ..anything() },
        SearchRoomsRequest { min_size: 1, ..anything() },
        SearchRoomsRequest { order: Order::Rating.into(), ..anything() },
    ] {
        let other = SearchRoomsRequest { page_token: next.page_token.clone(), ..other };
        assert_eq!(reason(inn.try_search(other.clone()).await), Reason::PAGE_TOKEN_INVALID, "{other:?}");
    }
    let made_up = SearchRoomsRequest { page_token: "made-up".to_owned(), ..next };
    assert_eq!(reason(inn.try_search(made_up).await), Reason::PAGE_TOKEN_INVALID);
}

#[tokio::test]
async fn a_room_behind_a_thousand_that_are_sold_out_is_found_on_a_later_page() {
    let inn = Inn::open().await;
    let night =
        |day| Nights::new(jiff::civil::date(2027, 5, day), jiff::civil::date(2027, 5, day + 1)).expect("a night");
    let zone = mesh::clock::zone("Asia/Seoul").expect("a zone");
    let now = inn.clock.now();
    inn.database
        .transact("fill", |tx| {
            let zone = zone.clone();
            async move {
                for rate in 1..=1_010 {
                    let rate = money::Money::new(rate, "KRW").expect("money");
                    let details = Details::new("A room".to_owned(), rate, zone.clone());
                    let id = Uuid::now_v7();
                    store::rooms::insert(&tx, &domain::Room::register(id, HOST.to_owned(), details, now).room).await?;
                    if rate.minor() < 1_010 {
                        let stay = Stay { nights: night(2), units: 1, occupancy: Occupancy::Charged };
                        let heard = store::nights::Heard { reservation: Uuid::now_v7(), version: 2, room: id, stay };
                        store::nights::hear(&tx, &heard).await?;
                    }
                }
                Ok(())
            }
        })
        .await
        .expect("filled");
    let first = inn.try_search(nights("2027-05-02", "2027-05-03")).await.expect("a page");
    assert!(first.offers.is_empty() && !first.next_page_token.is_empty(), "a page looks at a bounded number of rooms");
    assert_eq!(inn.search(nights("2027-05-02", "2027-05-03")).await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_booked_is_not_offered() {
    let inn = Inn::open().await;
    inn.create(a_room("Seoul")).await;
    inn.create(Room {
        time_zone: "America/New_York".to_owned(),
        nightly_rate: Some(won(90_001)),
        ..a_room("New York")
    })
    .await;
    // 09:00 of the first of May in Seoul, 20:00 of the last of April in New York.
    for (check_in, check_out, expected) in [
        ("2019-05-01", "2019-05-02", vec![]),
        ("2027-04-28", "2027-05-02", vec![]),
        // In Seoul guests have until eleven to leave after that night.
        ("2027-04-29", "2027-05-02", vec![]),
        ("2027-04-30", "2027-05-02", vec!["Seoul", "New York"]),
        // 1830 days ahead in New York, and then in Seoul.
        ("2032-05-03", "2032-05-04", vec!["Seoul", "New York"]),
        ("2032-05-04", "2032-05-05", vec!["Seoul"]),
        ("2032-05-05", "2032-05-06", vec![]),
        ("2035-05-01", "2035-05-02", vec![]),
        ("9999-12-30", "9999-12-31", vec![]),
    ] {
        assert_eq!(inn.found(nights(check_in, check_out)).await, expected, "{check_in}");
    }
    // Two hours later guests have left Seoul's last night, and New York's is still to come.
    inn.clock.advance(jiff::SignedDuration::from_hours(2));
    assert_eq!(inn.found(nights("2027-04-30", "2027-05-02")).await, ["New York"]);
}

/// A room as a search sees it: rate, whether in dollars, rating, place, sold out.
type Kind = (i64, bool, Option<u8>, Option<(f64, f64)>, bool);

fn rooms() -> impl Strategy<Value = Vec<Kind>> {
    // Few different values: what is equal in what it is ordered by is what gets lost between pages.
    let place = prop::option::of(
        (0..3_i32, 0..3_i32).prop_map(|(north, east)| (37.0 + f64::from(north) / 10.0, 127.0 + f64::from(east) / 10.0)),
    );
    prop::collection::vec(
        (1..4_i64, any::<bool>(), prop::option::of(3..=5_u8), place, prop::bool::weighted(0.3)),
        0..14,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_room_is_found_once_in_the_wished_order(
        kinds in rooms(),
        order in prop::sample::select(vec![Order::Price, Order::Distance, Order::Rating]),
        page_size in 1..6_i32,
        dated in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (expected, offers) = runtime.block_on(async {
            let inn = Inn::open().await;
            let mut expected = Vec::new();
            for (rate, in_dollars, rating, place, sold_out) in kinds {
                let currency_code = if in_dollars { "USD" } else { "KRW" }.to_owned();
                let wish = Room {
                    nightly_rate: Some(Money { currency_code, units: rate, nanos: 0 }),
                    rating: rating.map(f64::from),
                    location: place.map(|(latitude, longitude)| LatLng { latitude, longitude }),
                    ..a_room("A room")
                };
                let name = inn.create(wish).await.name;
                if sold_out {
                    inn.hear(&[Booking::new(&name, "2027-05-02", "2027-05-04", 1).event(State::Confirmed, 2)]).await;
                }
                let misses = (sold_out && dated) || (order == Order::Distance && place.is_none());
                if !misses {
                    expected.push(name);
                }
            }
            let query = if dated { nights("2027-05-01", "2027-05-03") } else { anything() };
            let near = (order == Order::Distance).then_some(LatLng { latitude: 37.03, longitude: 127.11 });
            let query = SearchRoomsRequest { order: order.into(), near, page_size, ..query };
            (expected, inn.search(query).await)
        });
        let mut found: Vec<_> = offers.iter().map(|offer| room(offer).name.clone()).collect();
        found.sort();
        prop_assert_eq!(found, expected);
        for pair in offers.windows(2) {
            let [before, after] = pair else { continue };
            let rate = |offer| room(offer).nightly_rate.clone().map(|rate| (rate.currency_code, rate.units));
            let good = match order {
                Order::Distance => before.distance_meters <= after.distance_meters,
                Order::Rating => room(before).rating.unwrap_or(-1.0) >= room(after).rating.unwrap_or(-1.0),
                _ => rate(before) <= rate(after),
            };
            prop_assert!(good, "{:?} before {:?}", before, after);
        }
    }
}

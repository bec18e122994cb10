//! A system from its start to its stop, as its users see it.

mod newcomer;

use std::time::Duration;

use contracts::{
    google::r#type::Money,
    mypage::v1::{GetBookingRequest, GetMyPageRequest, my_page_service_client::MyPageServiceClient},
    reservation::v1::{
        CreateReservationRequest, ListReservationsRequest, Reservation, reservation,
        reservation_service_client::ReservationServiceClient,
    },
    room::v1::{CreateRoomRequest, Room, room_service_client::RoomServiceClient},
    types::v1::PaymentMethod,
};
use jiff::{ToSpan, Zoned};
use mesh::{Refusal, Role};
use tonic::{
    Code, Request, Response, Status,
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{Member, Options, System};

async fn channel(system: &System) -> Channel {
    Endpoint::from_shared(format!("http://{}", system.address())).unwrap().connect().await.unwrap()
}

fn bearer(system: &System, roles: &[Role]) -> AsciiMetadataValue {
    let token = system.mint("alice", roles, Duration::from_secs(60)).unwrap();
    format!("Bearer {token}").parse().unwrap()
}

fn with<T>(bearer: &AsciiMetadataValue, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", bearer.clone());
    request
}

async fn create_room(channel: &Channel, bearer: &AsciiMetadataValue) -> Room {
    let rate = Money { currency_code: "KRW".to_owned(), units: 80_000, nanos: 0 };
    let room = Room { display_name: "Sea view".to_owned(), nightly_rate: Some(rate), ..Room::default() };
    let request = CreateRoomRequest { room: Some(room), request_id: "room-1".to_owned() };
    RoomServiceClient::new(channel.clone()).create_room(with(bearer, request)).await.unwrap().into_inner()
}

async fn book(channel: &Channel, bearer: &AsciiMetadataValue, room: &Room) -> Reservation {
    pay_with("tok_approve", channel, bearer, room).await.unwrap()
}

async fn pay_with(
    token: &str,
    channel: &Channel,
    bearer: &AsciiMetadataValue,
    room: &Room,
) -> Result<Reservation, Status> {
    let check_in = Zoned::now().date().checked_add(30.days()).unwrap();
    let wish = Reservation {
        room: room.name.clone(),
        check_in_date: check_in.to_string(),
        check_out_date: check_in.checked_add(2.days()).unwrap().to_string(),
        ..Reservation::default()
    };
    let request = CreateReservationRequest {
        reservation: Some(wish),
        payment_method: Some(PaymentMethod { token: token.to_owned() }),
        request_id: "booking-1".to_owned(),
        ..CreateReservationRequest::default()
    };
    let mut client = ReservationServiceClient::new(channel.clone());
    client.create_reservation(with(bearer, request)).await.map(Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_registered_booked_and_paid_and_its_guest_sees_it() {
    let system = System::start(Options::ephemeral()).await.unwrap();
    let (channel, bearer) = (channel(&system).await, bearer(&system, &[Role::Guest, Role::Host]));

    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(health.get_ref().status(), ServingStatus::Serving);

    let room = create_room(&channel, &bearer).await;
    assert_eq!(room.host, system.user("alice"));
    let reservation = book(&channel, &bearer, &room).await;
    assert_eq!(reservation.state(), reservation::State::Confirmed);

    let name = reservation.name.replace("reservations/", "users/me/bookings/");
    let request = GetBookingRequest { name, min_version: reservation.version };
    let booking = MyPageServiceClient::new(channel.clone()).get_booking(with(&bearer, request)).await.unwrap();
    assert_eq!(booking.get_ref().case, reservation.name);

    let folder = system.folder().path().to_owned();
    system.stop().await.unwrap();
    assert!(!folder.exists(), "an ephemeral system leaves nothing behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_still_there_after_a_restart() {
    let parent = tempfile::tempdir().unwrap();
    let options = Options::in_folder(parent.path());

    let system = System::start(options.clone()).await.unwrap();
    let (connection, alice) = (channel(&system).await, bearer(&system, &[Role::Guest, Role::Host]));
    let room = create_room(&connection, &alice).await;
    let before = book(&connection, &alice, &room).await;
    assert!(System::start(options.clone()).await.unwrap_err().to_string().contains("is in use"));
    system.stop().await.unwrap();

    let system = System::start(options).await.unwrap();
    let connection = channel(&system).await;
    // The same request ids with the same token get the same answers, so the keys and the request records have survived.
    assert_eq!(create_room(&connection, &alice).await, room);
    assert_eq!(book(&connection, &alice, &room).await, before);
    system.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_work_without_mypage() {
    let options = Options::ephemeral().without(&[Member::MYPAGE]);
    let system = System::start(options).await.unwrap();
    assert!(system.database("mypage").is_none());
    let (channel, bearer) = (channel(&system).await, bearer(&system, &[Role::Guest, Role::Host]));
    let room = create_room(&channel, &bearer).await;
    assert_eq!(book(&channel, &bearer, &room).await.state(), reservation::State::Confirmed);
    let request = GetMyPageRequest { name: "users/me/myPage".to_owned() };
    let refusal = MyPageServiceClient::new(channel).get_my_page(with(&bearer, request)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unimplemented);
    system.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_reported_on_one_line() {
    let system = System::start(Options::ephemeral()).await.unwrap();
    let mut options = Options::ephemeral();
    options.config.listen = system.address();
    let refusal = System::start(options).await.unwrap_err().to_string();
    assert!(refusal.contains(&format!("port {} is in use", system.address().port())), "{refusal}");
    assert!(refusal.contains("--listen"), "{refusal}");
    assert_eq!(refusal.lines().count(), 1);
    system.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_fails_while_payment_is_cut_off_and_succeeds_later() {
    let system = System::start(Options::ephemeral()).await.unwrap();
    let (channel, bearer) = (channel(&system).await, bearer(&system, &[Role::Guest, Role::Host]));
    let room = create_room(&channel, &bearer).await;
    system.cut_off("payment");
    let status = pay_with("tok_approve", &channel, &bearer, &room).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).unwrap().reason, payment::reasons::PAYMENT_UNAVAILABLE);
    system.reconnect("payment");
    assert_eq!(book(&channel, &bearer, &room).await.state(), reservation::State::Confirmed);
    system.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_under_way_is_finished_before_the_system_stops() {
    let system = System::start(Options::ephemeral()).await.unwrap();
    let (channel, bearer) = (channel(&system).await, bearer(&system, &[Role::Guest, Role::Host]));
    let room = create_room(&channel, &bearer).await;
    let paying = {
        let (channel, bearer) = (channel.clone(), bearer.clone());
        tokio::spawn(async move { pay_with("tok_slow_1000", &channel, &bearer, &room).await })
    };
    let mut client = ReservationServiceClient::new(channel);
    loop {
        let list = client.list_reservations(with(&bearer, ListReservationsRequest::default())).await.unwrap();
        if !list.get_ref().reservations.is_empty() {
            break;
        }
    }
    system.stop().await.unwrap();
    assert_eq!(paying.await.unwrap().unwrap().state(), reservation::State::Confirmed);
}

//! Audits of running systems.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use contracts::{
    google::r#type::Money,
    reservation::v1::{
        CancelReservationRequest, CreateReservationRequest, Reservation, reservation::State,
        reservation_service_client::ReservationServiceClient,
    },
    room::v1::{CreateRoomRequest, Room, room_service_client::RoomServiceClient},
    types::v1::PaymentMethod,
};
use jiff::{SignedDuration, ToSpan, Zoned};
use mesh::{Role, config::Config};
use tokio::sync::Notify;
use tonic::{Request, metadata::AsciiMetadataValue, transport::Channel};

use crate::{
    audit::{self, Rule, check, read},
    backup,
    embedded::{DataFolder, Options, System},
};

/// How long a system may take to settle.
const REST: Duration = Duration::from_secs(30);

/// A user who registers a room and books it.
struct Innkeeper {
    channel: Channel,
    bearer: AsciiMetadataValue,
    room: String,
}

impl Innkeeper {
    async fn of(system: &System) -> Self {
        let channel = Channel::from_shared(format!("http://{}", system.address())).unwrap().connect().await.unwrap();
        let token = system.mint("innkeeper", &[Role::Guest, Role::Host], Duration::from_secs(600)).unwrap();
        let mut innkeeper = Self { channel, bearer: format!("Bearer {token}").parse().unwrap(), room: String::new() };
        let rate = Money { currency_code: "KRW".to_owned(), units: 80_000, nanos: 0 };
        let room = Room {
            display_name: "Sea view".to_owned(),
            units: Some(1_000),
            nightly_rate: Some(rate),
            ..Room::default()
        };
        let request = CreateRoomRequest { room: Some(room), ..CreateRoomRequest::default() };
        let room =
            RoomServiceClient::new(innkeeper.channel.clone()).create_room(innkeeper.with(request)).await.unwrap();
        innkeeper.room = room.into_inner().name;
        innkeeper
    }

    fn with<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }

    async fn book(&self, token: &str) -> Option<Reservation> {
        let check_in = Zoned::now().date().checked_add(30.days()).unwrap();
        let wish = Reservation {
            room: self.room.clone(),
            check_in_date: check_in.to_string(),
            check_out_date: check_in.tomorrow().unwrap().to_string(),
            ..Reservation::default()
        };
        let request = CreateReservationRequest {
            reservation: Some(wish),
            payment_method: Some(PaymentMethod { token: token.to_owned() }),
            ..CreateReservationRequest::default()
        };
        let answer = ReservationServiceClient::new(self.channel.clone()).create_reservation(self.with(request)).await;
        answer.ok().map(tonic::Response::into_inner)
    }

    async fn cancel(&self, stay: &Reservation) {
        let request = CancelReservationRequest { name: stay.name.clone(), ..CancelReservationRequest::default() };
        ReservationServiceClient::new(self.channel.clone()).cancel_reservation(self.with(request)).await.unwrap();
    }

    /// One stay is paid, one is cancelled, one is declined.
    async fn some_trade(&self) {
        assert_eq!(self.book("tok_approve").await.unwrap().state(), State::Confirmed);
        assert!(self.book("tok_decline_expired").await.is_none());
        let stay = self.book("tok_slow_20").await.unwrap();
        self.cancel(&stay).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_of_an_idle_system_has_no_findings_before_and_after_it_stops() {
    let parent = tempfile::tempdir().unwrap();
    let system = System::start(Options::in_folder(parent.path())).await.unwrap();
    let folder = system.folder().clone();
    Innkeeper::of(&system).await.some_trade().await;

    let verdict = audit::settle(&folder, &Config::default(), REST).await.unwrap();
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.checked(Rule::PaidOnce), 1);
    assert_eq!(verdict.checked(Rule::RefundedOnce), 1);
    assert_eq!(verdict.checked(Rule::NothingKept), 1);
    assert!(verdict.checked(Rule::MyPage) > 6, "each booking, each expected booking, a room and all events");
    assert_eq!(verdict.checked(Rule::Orphan), 1, "one payment keeps money");
    assert_eq!(verdict.checked(Rule::RoomsKnown), 2, "a room and its night");

    system.stop().await.unwrap();
    let reading = read(&folder, &Config::default(), SignedDuration::ZERO).await.unwrap();
    assert_eq!(check(&reading), []);
}

#[tokio::test]
async fn an_audit_does_not_create_a_missing_database() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (DataFolder::at(parent.path()), parent.path().join("elsewhere.db"));
    std::fs::write(folder.bus_file(), "").unwrap();
    let url = format!("sqlite://{}?mode=rwc", elsewhere.display());
    let variable = ("JUMAK_CONTEXTS__PROVIDER__DATABASE_URL".to_owned(), url);
    let config = Config::from_sources(None, [variable], &crate::house::Member::configured()).unwrap();
    let refusal = read(&folder, &config, SignedDuration::ZERO).await.unwrap_err().to_string();
    assert!(refusal.contains("failed to read the database of provider"), "{refusal}");
    assert!(!elsewhere.exists());
}

/// How many rounds of bookings happen before the copy is made.
const ROUNDS: usize = 4;

/// The copy is consistent although guests booked while it was made, and a system that starts on the copy settles.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_made_while_guests_book_is_consistent_and_can_be_started() {
    let parent = tempfile::tempdir().unwrap();
    let system = System::start(Options::in_folder(parent.path().join("data"))).await.unwrap();
    let innkeeper = Innkeeper::of(&system).await;
    let (closing_time, traded) = (AtomicBool::new(false), Notify::new());
    let (copy, restored) = (parent.path().join("backup"), DataFolder::at(parent.path().join("restored")));
    let trade = async {
        while !closing_time.load(Ordering::Relaxed) {
            innkeeper.some_trade().await;
            traded.notify_one();
        }
    };
    let copying = async {
        for _ in 0..ROUNDS {
            traded.notified().await;
        }
        let copied = backup::copy(system.folder(), &copy).await.unwrap();
        closing_time.store(true, Ordering::Relaxed);
        copied
    };
    let (copied, ..) = tokio::join!(copying, trade, async {
        while !closing_time.load(Ordering::Relaxed) {
            innkeeper.some_trade().await;
        }
    });
    assert!(copied.files >= 7, "five contexts, the bus and keys: {copied:?}");
    system.stop().await.unwrap();

    backup::restore_files(&copy, &restored).unwrap();
    let grace = SignedDuration::from_secs(30);
    let reading = read(&restored, &Config::default(), grace).await.unwrap();
    assert!(reading.cases.len() > 3, "{}", reading.cases.len());
    assert_eq!(check(&reading), []);

    let system = System::start(Options::in_folder(restored.path())).await.unwrap();
    let verdict = audit::settle(system.folder(), &Config::default(), REST).await.unwrap();
    assert_eq!(verdict.findings, []);
    system.stop().await.unwrap();
}

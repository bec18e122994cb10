//! The test harness: a whole system ([`Inn`]) in either shape, and people who call it over its sockets.

pub mod contexts;
pub mod house;
pub mod nights;
pub mod process;
pub mod rpcs;
pub mod scene;
pub mod setup;
pub mod switchboard;
pub mod wire;

use std::{ops::Range, time::Duration};

use contracts::{
    google::r#type::Money,
    mypage::v1::{Booking, GetBookingRequest, my_page_service_client::MyPageServiceClient},
    payment::v1::payment_service_client::PaymentServiceClient,
    provider::v1::{Charge, ChargeRefund, ListChargesRequest, provider_service_client::ProviderServiceClient},
    reservation::v1::{
        CancelReservationRequest, GetReservationRequest, Reservation, reservation::State,
        reservation_service_client::ReservationServiceClient,
    },
    room::v1::{CreateRoomRequest, Room, room_service_client::RoomServiceClient},
};
use jumak::{
    embedded::Keyring,
    house::{DataFolder, reasons},
};
use local_mesh::LocalMesh;
use mesh::{
    Database, Reason, Refusal, Role,
    auth::{keys::SigningKey, token::ServiceTokens, verify::user_name},
    config::Config,
};
use tokio::{sync::MutexGuard, time::Instant};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use self::{
    house::{House, StoppedHouse},
    setup::Setup,
    switchboard::Switchboard,
};

/// How long the system may take to settle.
pub const SETTLES: Duration = Duration::from_secs(30);
/// The lifetime of a token.
const TOKEN: Duration = Duration::from_secs(3_600);

/// A running system.
pub struct Inn {
    house: House,
    switchboard: Switchboard,
    folder: DataFolder,
    config: Config,
    keys: Keyring,
}

/// A stopped system with its data.
pub struct StoppedInn(StoppedHouse);

impl Inn {
    /// Starts a temporary system.
    pub async fn open() -> Self {
        Self::with(Setup::new()).await
    }

    /// Starts a temporary system with `setup`.
    pub async fn with(setup: Setup) -> Self {
        Self::of(House::open(&setup).await).await
    }

    /// Starts a mesh, whatever shape the environment names. For tests of the mesh's processes and servers.
    pub async fn in_mesh(options: local_mesh::Options) -> Self {
        Self::of(House::mesh(options).await).await
    }

    async fn of(house: House) -> Self {
        let (folder, config) = house.place().await;
        let keys = Keyring::open(&folder, &config.auth, []).expect("the keys");
        Self { switchboard: house.connection().await, house, folder, config, keys }
    }

    /// The mesh, for access to its processes and servers.
    pub async fn mesh(&self) -> MutexGuard<'_, LocalMesh> {
        self.house.running_mesh().await
    }

    /// Stops the system in order.
    pub async fn rests(self) -> StoppedInn {
        StoppedInn(self.house.rests().await)
    }

    /// The folder with its keys. In the embedded shape it also contains the data.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// The configuration for commands on this system.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The database of a context.
    pub async fn database(&self, context: &str) -> Database {
        self.house.database(context).await
    }

    /// New connections that no other test person uses.
    pub async fn connection(&self) -> Switchboard {
        self.house.connection().await
    }

    /// Makes the other contexts' calls to this one fail.
    pub async fn cut_off(&self, context: &str) {
        self.house.cut_off(context).await;
    }

    /// Ends [`cut_off`](Self::cut_off).
    pub async fn reconnect(&self, context: &str) {
        self.house.reconnect(context).await;
    }

    /// The resource name, `users/…`, of the user whose tokens have this subject.
    pub fn user(&self, subject: &str) -> String {
        user_name(&self.config.auth.issuer, subject)
    }

    /// A token of the system's issuer.
    pub fn token(&self, subject: &str, roles: &[Role]) -> String {
        self.keys.mint(subject, roles, TOKEN).expect("a token")
    }

    /// A user with these roles.
    pub fn person(&self, name: &str, roles: &[Role]) -> Person {
        Person { name: self.user(name), ..self.bearer_of(&self.token(name, roles)) }
    }

    pub fn guest(&self, name: &str) -> Person {
        self.person(name, &[Role::Guest])
    }

    pub fn host(&self, name: &str) -> Person {
        self.person(name, &[Role::Host])
    }

    /// A caller with any token.
    pub fn bearer_of(&self, token: &str) -> Person {
        Person { name: String::new(), switchboard: self.switchboard.clone(), bearer: Some(bearer(token)) }
    }

    /// A caller with any `authorization` header.
    pub fn with_header(&self, authorization: &str) -> Person {
        Person { bearer: Some(authorization.parse().expect("a header")), ..self.nobody() }
    }

    /// A caller without a token.
    pub fn nobody(&self) -> Person {
        Person { name: String::new(), switchboard: self.switchboard.clone(), bearer: None }
    }

    /// A context, with a token for calls to `callee`.
    pub fn context(&self, name: &str, callee: &str) -> Person {
        let key = SigningKey::load(&self.folder.key_file(name)).expect("the context's key");
        let token = ServiceTokens::new(name, key).for_callee(callee).expect("a token");
        Person { name: format!("contexts/{name}"), ..self.bearer_of(&token) }
    }

    /// Every charge and refund in the provider's books, which show what really happened to the money.
    pub async fn provider_books(&self) -> (Vec<Charge>, Vec<ChargeRefund>) {
        self.person("auditor", &[Role::Admin]).provider_books().await
    }

    /// Waits until the system has settled, and asserts that the audit has no findings.
    pub async fn audit(&self) {
        let verdict = jumak::audit::settle(&self.folder, &self.config, SETTLES).await.expect("an audit");
        assert!(verdict.passed(), "{:#?}", verdict.findings);
    }

    pub async fn close(self) {
        self.house.close().await;
    }
}

impl StoppedInn {
    /// Starts the system again.
    pub async fn opens(self) -> Inn {
        Inn::of(self.0.opens(&Setup::new()).await).await
    }

    /// Deletes my page's database.
    pub async fn forgets_my_page(&mut self) {
        self.0.forgets_my_page().await;
    }
}

/// A connection to a system.
pub async fn connect(uri: &str) -> Channel {
    Endpoint::from_shared(uri.to_owned()).expect("an address").connect().await.expect("a connection")
}

/// The metadata of a token.
pub fn bearer(token: &str) -> MetadataValue<Ascii> {
    format!("Bearer {token}").parse().expect("a header")
}

/// A caller with a token.
#[derive(Clone)]
pub struct Person {
    /// `users/…`.
    pub name: String,
    switchboard: Switchboard,
    bearer: Option<MetadataValue<Ascii>>,
}

/// Adds the token, if there is one, to each call.
#[derive(Clone)]
pub struct WithToken(Option<MetadataValue<Ascii>>);

impl Interceptor for WithToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}

/// The transport of a generated client.
pub type Wire = InterceptedService<Switchboard, WithToken>;

impl Person {
    pub fn over(connection: impl Into<Switchboard>, name: &str, token: &str) -> Self {
        Self { name: name.to_owned(), switchboard: connection.into(), bearer: Some(bearer(token)) }
    }

    /// The token in the header.
    pub fn token(&self) -> String {
        let bearer = self.bearer.as_ref().and_then(|bearer| bearer.to_str().ok()).unwrap_or_default();
        bearer.trim_start_matches("Bearer ").to_owned()
    }

    pub fn wire(&self) -> Wire {
        InterceptedService::new(self.switchboard.clone(), WithToken(self.bearer.clone()))
    }

    pub fn rooms(&self) -> RoomServiceClient<Wire> {
        RoomServiceClient::new(self.wire())
    }

    pub fn reservations(&self) -> ReservationServiceClient<Wire> {
        ReservationServiceClient::new(self.wire())
    }

    pub fn payments(&self) -> PaymentServiceClient<Wire> {
        PaymentServiceClient::new(self.wire())
    }

    pub fn my_page(&self) -> MyPageServiceClient<Wire> {
        MyPageServiceClient::new(self.wire())
    }

    pub fn provider(&self) -> ProviderServiceClient<Wire> {
        ProviderServiceClient::new(self.wire())
    }

    /// Every charge and refund that the provider lists for an admin.
    pub async fn provider_books(&self) -> (Vec<Charge>, Vec<ChargeRefund>) {
        let (mut charges, mut refunds, mut page_token) = (Vec::new(), Vec::new(), String::new());
        loop {
            let request = ListChargesRequest { page_size: 100, page_token };
            let page = self.provider().list_charges(request).await.expect("the provider's books").into_inner();
            charges.extend(page.charges);
            refunds.extend(page.refunds);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return (charges, refunds);
            }
        }
    }

    /// Registers a room with `units` at ₩90,000 a night.
    pub async fn registers_a_room(&self, units: i32) -> Room {
        let request = CreateRoomRequest { room: Some(a_room(units)), ..CreateRoomRequest::default() };
        self.rooms().create_room(request).await.expect("a room").into_inner()
    }

    /// Books two nights.
    pub async fn books(&self, room: &Room, token: Option<&str>) -> Result<Reservation, Status> {
        self.books_nights(room, 0..2, token).await
    }

    pub async fn books_nights(
        &self,
        room: &Room,
        nights: Range<i32>,
        token: Option<&str>,
    ) -> Result<Reservation, Status> {
        let request = nights::stay(room, nights, 1, token);
        Ok(self.reservations().create_reservation(request).await?.into_inner())
    }

    pub async fn reservation(&self, name: &str) -> Result<Reservation, Status> {
        let request = GetReservationRequest { name: name.to_owned() };
        Ok(self.reservations().get_reservation(request).await?.into_inner())
    }

    pub async fn cancels(&self, name: &str) -> Result<Reservation, Status> {
        let request = CancelReservationRequest { name: name.to_owned(), ..CancelReservationRequest::default() };
        Ok(self.reservations().cancel_reservation(request).await?.into_inner())
    }

    /// Waits until the reservation is in `state`, and returns it.
    pub async fn reservation_in(&self, name: &str, state: State) -> Reservation {
        eventually(format!("{name} is {}", state.as_str_name()), || async {
            let reservation = self.reservation(name).await.ok()?;
            (reservation.state() == state).then_some(reservation)
        })
        .await
    }

    /// The booking on this person's page in at least that version.
    pub async fn booking(&self, reservation: &Reservation) -> Result<Booking, Status> {
        let id = reservation.name.strip_prefix("reservations/").unwrap_or_default();
        let name = format!("users/me/bookings/{id}");
        let request = GetBookingRequest { name, min_version: reservation.version };
        Ok(self.my_page().get_booking(request).await?.into_inner())
    }
}

/// A room with `units` at ₩90,000 a night, for CreateRoom.
pub fn a_room(units: i32) -> Room {
    Room {
        display_name: "Garden room".to_owned(),
        nightly_rate: Some(won(90_000)),
        units: Some(units),
        ..Room::default()
    }
}

/// An amount in won.
pub fn won(units: i64) -> Money {
    Money { currency_code: "KRW".to_owned(), units, nanos: 0 }
}

/// The stable reason in a status.
pub fn reason(status: &Status) -> &'static str {
    defined(status).1.as_str()
}

/// The refusal in a status; panics if there is none, because that is a defect.
pub fn refusal(status: &Status) -> Refusal {
    defined(status).0
}

/// The refusal in a status and its reason as it is defined: a reason that nobody defines, or another code, is a defect too.
fn defined(status: &Status) -> (Refusal, &'static Reason) {
    let refusal = Refusal::from_status(status).unwrap_or_else(|| panic!("a status without a reason: {status:?}"));
    let reason = reasons().find(|reason| **reason == refusal.reason);
    let reason = reason.unwrap_or_else(|| panic!("a reason that nobody defines: {status:?}"));
    assert_eq!(reason.code(), status.code(), "{status:?}");
    (refusal, reason)
}

/// Calls `ask` until it returns a value, for at most [`SETTLES`].
pub async fn eventually<T, F, Fut>(what: impl AsRef<str>, ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    eventually_within(SETTLES, what, ask).await
}

/// Calls `ask` until it returns a value, for at most `limit`.
pub async fn eventually_within<T, F, Fut>(limit: Duration, what: impl AsRef<str>, mut ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "this did not become true in time: {}", what.as_ref());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

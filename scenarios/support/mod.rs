//! An inn to test: a whole system in either shape, and people who call it over its sockets.

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
    house::{House, Resting},
    setup::Setup,
    switchboard::Switchboard,
};

/// How long anything that settles by itself may take.
pub const SETTLES: Duration = Duration::from_secs(30);
/// How long a token lives.
const TOKEN: Duration = Duration::from_secs(3_600);

/// A running system.
pub struct Inn {
    house: House,
    switchboard: Switchboard,
    folder: DataFolder,
    config: Config,
    keys: Keyring,
}

/// A system that has been stopped, with all that it knows.
pub struct InnAtRest(Resting);

impl Inn {
    /// A new one that leaves nothing behind.
    pub async fn open() -> Self {
        Self::with(Setup::new()).await
    }

    /// One that is set up otherwise.
    pub async fn with(setup: Setup) -> Self {
        Self::of(House::open(&setup).await).await
    }

    /// One on a mesh of its own, whatever shape the environment names: for what is about the mesh's processes and servers.
    pub async fn in_mesh(options: local_mesh::Options) -> Self {
        Self::of(House::mesh(options).await).await
    }

    async fn of(house: House) -> Self {
        let (folder, config) = house.place().await;
        let keys = Keyring::open(&folder, &config.auth, []).expect("the keys");
        Self { switchboard: house.connection().await, house, folder, config, keys }
    }

    /// The mesh that it runs on, to do something to its processes and servers.
    pub async fn mesh(&self) -> MutexGuard<'_, LocalMesh> {
        self.house.running_mesh().await
    }

    /// Stops it in order.
    pub async fn rests(self) -> InnAtRest {
        InnAtRest(self.house.rests().await)
    }

    /// The folder with its keys, and in the embedded shape with its data.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// The configuration with which a command finds everything of it.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The database of a context.
    pub async fn database(&self, context: &str) -> Database {
        self.house.database(context).await
    }

    /// Connections that nobody else uses.
    pub async fn connection(&self) -> Switchboard {
        self.house.connection().await
    }

    /// From now on the other contexts find nobody where this one was.
    pub async fn cut_off(&self, context: &str) {
        self.house.cut_off(context).await;
    }

    /// Ends [`cut_off`](Self::cut_off).
    pub async fn reconnect(&self, context: &str) {
        self.house.reconnect(context).await;
    }

    /// The name, `users/…`, of the person for whom tokens with this subject are made.
    pub fn user(&self, subject: &str) -> String {
        user_name(&self.config.auth.issuer, subject)
    }

    /// A token of its own issuer.
    pub fn token(&self, subject: &str, roles: &[Role]) -> String {
        self.keys.mint(subject, roles, TOKEN).expect("a token")
    }

    /// A person with some roles.
    pub fn person(&self, name: &str, roles: &[Role]) -> Person {
        Person { name: self.user(name), ..self.bearer_of(&self.token(name, roles)) }
    }

    pub fn guest(&self, name: &str) -> Person {
        self.person(name, &[Role::Guest])
    }

    pub fn host(&self, name: &str) -> Person {
        self.person(name, &[Role::Host])
    }

    /// Whatever the token is.
    pub fn bearer_of(&self, token: &str) -> Person {
        Person { name: String::new(), switchboard: self.switchboard.clone(), bearer: Some(bearer(token)) }
    }

    /// Whatever stands in the header.
    pub fn with_header(&self, authorization: &str) -> Person {
        Person { bearer: Some(authorization.parse().expect("a header")), ..self.nobody() }
    }

    /// Somebody without a token.
    pub fn nobody(&self) -> Person {
        Person { name: String::new(), switchboard: self.switchboard.clone(), bearer: None }
    }

    /// A context, with a token for calls to `callee`.
    pub fn context(&self, name: &str, callee: &str) -> Person {
        let key = SigningKey::load(&self.folder.key_file(name)).expect("the context's key");
        let token = ServiceTokens::new(name, key).for_callee(callee).expect("a token");
        Person { name: format!("contexts/{name}"), ..self.bearer_of(&token) }
    }

    /// Every charge and refund as the provider knows them: what really happened to money.
    pub async fn provider_books(&self) -> (Vec<Charge>, Vec<ChargeRefund>) {
        self.person("auditor", &[Role::Admin]).provider_books().await
    }

    /// The audit of everything, once it has settled: no finding.
    pub async fn audit(&self) {
        let verdict = jumak::audit::settle(&self.folder, &self.config, SETTLES).await.expect("an audit");
        assert!(verdict.passed(), "{:#?}", verdict.findings);
    }

    pub async fn close(self) {
        self.house.close().await;
    }
}

impl InnAtRest {
    /// Opens it again.
    pub async fn opens(self) -> Inn {
        Inn::of(self.0.opens(&Setup::new()).await).await
    }

    /// Throws my page's database away.
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

/// Somebody with a token.
#[derive(Clone)]
pub struct Person {
    /// `users/…`.
    pub name: String,
    switchboard: Switchboard,
    bearer: Option<MetadataValue<Ascii>>,
}

/// Puts the token, if there is one, on each call.
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

/// A generated client's transport.
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

    /// Every charge and refund as the provider tells them to an admin.
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

    /// Registers a room of so many units at ₩90,000 a night.
    pub async fn registers_a_room(&self, units: i32) -> Room {
        let request = CreateRoomRequest { room: Some(a_room(units)), ..CreateRoomRequest::default() };
        self.rooms().create_room(request).await.expect("a room").into_inner()
    }

    /// Asks for two nights.
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

    /// The reservation, once it is in that state.
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

/// A room of so many units at ₩90,000 a night, to be registered.
pub fn a_room(units: i32) -> Room {
    Room {
        display_name: "Garden room".to_owned(),
        nightly_rate: Some(won(90_000)),
        units: Some(units),
        ..Room::default()
    }
}

/// So many won.
pub fn won(units: i64) -> Money {
    Money { currency_code: "KRW".to_owned(), units, nanos: 0 }
}

/// The stable reason in a status.
pub fn reason(status: &Status) -> &'static str {
    defined(status).1.as_str()
}

/// The refusal in a status; a status without one is a defect of its own.
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

/// Asks until there is an answer.
pub async fn eventually<T, F, Fut>(what: impl AsRef<str>, ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    eventually_within(SETTLES, what, ask).await
}

/// Asks until there is an answer, for `limit` at most.
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
        assert!(Instant::now() < deadline, "it never came true that {}", what.as_ref());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

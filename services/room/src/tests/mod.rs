//! The context as its callers see it: the service on a database of its own, events handed in as the consumer would.

mod calendar;
mod ownership;
mod plans;
mod requests;
mod rooms;
mod search;
mod settings;
mod spelling;

use contracts::{
    google::r#type::Money,
    reservation::v1::{
        Reservation, ReservationCancelRequested, ReservationCancelled, ReservationConfirmed, ReservationExpired,
        ReservationHeld, ReservationRejected, reservation::State,
    },
    room::v1::{
        BlockNightsRequest, CreateRoomRequest, DeleteRoomRequest, GetRoomCalendarRequest, GetRoomRequest, Room,
        RoomNight, UpdateRoomRequest, room::OnReserved, room_service_server::RoomService,
    },
};
use jiff::Timestamp;
use mesh::{
    Actor, Caller, Clock, Database, Event, Principal, Reason, Refusal, Role, context::Handled, context::Policies as _,
    page::PageTokens, store::entity::outbox,
};
use sea_orm::{EntityTrait, QueryOrder};
use servers::engine::FreshDatabase;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::{DESCRIPTOR, app::App, grpc::Grpc, policies};

const HOST: &str = "users/host";
const RIVAL: &str = "users/rival";
const GUEST: &str = "users/guest";
const AGENT: &str = "users/agent";
const SERVICE_CENTRE: &str = "contexts/servicecenter";

/// 2027-05-01, 09:00 in Seoul.
const START: &str = "2027-05-01T00:00:00Z";

/// The context on a database of its own, with a clock that stands still.
struct Inn {
    grpc: Grpc,
    database: Database,
    clock: Clock,
    _kept: FreshDatabase,
}

impl Inn {
    async fn open() -> Self {
        let kept = FreshDatabase::new().await.expect("a database");
        let database = Database::connect(kept.url(), 4).await.expect("a connection");
        DESCRIPTOR.schema.migrate(&database).await.expect("migrated");
        let clock = Clock::manual(START.parse().expect("an instant"));
        let grpc = Grpc {
            app: App::new(database.clone(), clock.clone()),
            tokens: PageTokens::of(&database).await.expect("page tokens"),
            time_zone: mesh::clock::zone("Asia/Seoul").expect("a zone"),
        };
        Self { grpc, database, clock, _kept: kept }
    }

    async fn try_create(&self, host: &str, room: Room) -> Result<Room, Status> {
        let message = CreateRoomRequest { room: Some(room), request_id: String::new() };
        self.grpc.create_room(call(host, message)).await.map(Response::into_inner)
    }

    async fn create(&self, room: Room) -> Room {
        self.try_create(HOST, room).await.expect("created")
    }

    async fn get(&self, name: &str) -> Room {
        let message = GetRoomRequest { name: name.to_owned() };
        self.grpc.get_room(call(GUEST, message)).await.expect("found").into_inner()
    }

    /// Changes the fields of `room` that are set, or those named in `paths`.
    async fn update(&self, user: &str, room: Room, paths: &[&str]) -> Result<Room, Status> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let update_mask = (!paths.is_empty()).then_some(prost_types::FieldMask { paths });
        let message = UpdateRoomRequest { room: Some(room), update_mask, request_id: String::new() };
        self.grpc.update_room(call(user, message)).await.map(Response::into_inner)
    }

    async fn delete(&self, user: &str, name: &str, on_reserved: OnReserved) -> Result<Room, Status> {
        let message = DeleteRoomRequest {
            name: name.to_owned(),
            on_reserved: on_reserved.into(),
            ..DeleteRoomRequest::default()
        };
        self.grpc.delete_room(call(user, message)).await.map(Response::into_inner)
    }

    async fn block(&self, message: BlockNightsRequest) -> Result<Vec<RoomNight>, Status> {
        Ok(self.grpc.block_nights(call(HOST, message)).await?.into_inner().nights)
    }

    async fn calendar(&self, user: &str, name: &str, start: &str, end: &str) -> Result<Vec<RoomNight>, Status> {
        let message =
            GetRoomCalendarRequest { name: name.to_owned(), start_date: start.to_owned(), end_date: end.to_owned() };
        Ok(self.grpc.get_room_calendar(call(user, message)).await?.into_inner().nights)
    }

    /// Handles events as the consumer does: in one transaction.
    async fn hear(&self, events: &[Event]) {
        self.database
            .transact("hear", |tx| async move {
                for event in events {
                    assert_eq!(policies::hearing().handle(&tx, event).await?, Handled::Done);
                }
                Ok(())
            })
            .await
            .expect("heard");
    }

    /// What was told to the others, in the order in which it happened.
    async fn told(&self) -> Vec<Event> {
        let rows = outbox::Entity::find().order_by_asc(outbox::Column::Id).all(self.database.read()).await;
        rows.expect("the outbox").into_iter().map(Event::from).collect()
    }
}

/// A call of `user`, with the roles that the name suggests.
fn call<T>(user: &str, message: T) -> Request<T> {
    let principal = match user.strip_prefix("contexts/") {
        Some(name) => Principal::Context { name: name.to_owned() },
        None => Principal::User { name: user.to_owned(), roles: roles_of(user) },
    };
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller {
        principal,
        correlation_id: "a-case".to_owned(),
        deadline: tokio::time::Instant::now() + std::time::Duration::from_secs(10),
    });
    request
}

fn roles_of(user: &str) -> Vec<Role> {
    match user {
        AGENT => vec![Role::Agent],
        GUEST => vec![Role::Guest],
        _ => vec![Role::Guest, Role::Host],
    }
}

/// The least a host can say of a room.
fn a_room(display_name: &str) -> Room {
    Room { display_name: display_name.to_owned(), nightly_rate: Some(won(90_000)), ..Room::default() }
}

fn won(units: i64) -> Money {
    Money { currency_code: "KRW".to_owned(), units, nanos: 0 }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Refusal {
    let status = outcome.expect_err("a refusal");
    Refusal::from_status(&status).unwrap_or_else(|| panic!("{status:?} is no refusal"))
}

/// The reason for which a call was refused.
fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Reason {
    refusal(outcome).reason
}

/// The fields at fault.
fn faults<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Vec<String> {
    let refusal = refusal(outcome);
    assert_eq!(refusal.reason.code(), Code::InvalidArgument, "{refusal:?}");
    refusal.violations.into_iter().map(|(path, _)| path).collect()
}

/// A stay of one guest.
#[derive(Clone, Debug)]
struct Booking {
    name: String,
    room: String,
    check_in: String,
    check_out: String,
    units: i32,
}

impl Booking {
    fn new(room: &str, check_in: &str, check_out: &str, units: i32) -> Self {
        Self {
            name: mesh::fields::name("reservations", Uuid::now_v7()),
            room: room.to_owned(),
            check_in: check_in.to_owned(),
            check_out: check_out.to_owned(),
            units,
        }
    }

    /// The event that tells that the stay has reached this state in this version.
    fn event(&self, state: State, version: i64) -> Event {
        let reservation = Some(Reservation {
            name: self.name.clone(),
            room: self.room.clone(),
            check_in_date: self.check_in.clone(),
            check_out_date: self.check_out.clone(),
            units: Some(self.units),
            state: state.into(),
            version,
            ..Reservation::default()
        });
        match state {
            State::Unspecified => panic!("no such event"),
            State::Pending => self.tell(version, &ReservationHeld { reservation }),
            State::Confirmed => self.tell(version, &ReservationConfirmed { reservation }),
            State::CancelRequested => self.tell(version, &ReservationCancelRequested { reservation }),
            State::Cancelled => self.tell(version, &ReservationCancelled { reservation }),
            State::Rejected => self.tell(version, &ReservationRejected { reservation }),
            State::Expired => self.tell(version, &ReservationExpired { reservation }),
        }
    }

    fn tell<M: prost::Message + prost::Name>(&self, version: i64, message: &M) -> Event {
        let actor = Actor::context("reservation", "a-case");
        let sequence = u64::try_from(version).expect("a version");
        Event::new("reservation", "reservation", &self.name, sequence, Timestamp::UNIX_EPOCH, &actor, message)
    }
}

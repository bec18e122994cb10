//! A room context that knows one room, tells of it when it is let, and counts how often it is asked.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use contracts::room::v1::{
    BlockNightsRequest, BlockNightsResponse, CreateRoomRequest, DeleteRoomRequest, GetRoomCalendarRequest,
    GetRoomCalendarResponse, GetRoomRequest, ListRoomsRequest, ListRoomsResponse, Room, SearchRoomsRequest,
    SearchRoomsResponse, UpdateRoomRequest,
    room_service_server::{RoomService, RoomServiceServer},
};
use mesh::{
    Error, Reason, Refusal,
    client::{ContextService, InProcess, Limits, TokenSource, Upstream, Upstreams},
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct FrontDesk(Arc<Desk>);

struct Desk {
    tells: Mutex<Result<Room, Refusal>>,
    /// Whether it fails first.
    fails: AtomicBool,
    asked: AtomicU32,
    open: Semaphore,
}

impl FrontDesk {
    /// One that lets nobody through yet.
    pub fn closed(tells: Result<Room, Refusal>) -> Self {
        Self(Arc::new(Desk {
            tells: Mutex::new(tells),
            fails: AtomicBool::new(false),
            asked: AtomicU32::new(0),
            open: Semaphore::new(0),
        }))
    }

    /// One that answers at once.
    pub fn open(tells: Result<Room, Refusal>) -> Self {
        let desk = Self::closed(tells);
        desk.let_through();
        desk
    }

    /// Answers whoever waits, and whoever comes.
    pub fn let_through(&self) {
        self.0.open.add_permits(1_000);
    }

    /// Tells another thing from now on.
    pub fn tell(&self, tells: Result<Room, Refusal>) {
        *self.0.tells.lock().expect("lock") = tells;
    }

    /// Fails one call before it tells anything.
    pub fn fail_once(&self) {
        self.0.fails.store(true, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub fn asked(&self) -> u32 {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// As reservation reaches it, with the limits that it has by default.
    pub fn upstream(&self) -> Upstream {
        let registry = InProcess::new();
        registry.register("room", ContextService::new(RoomServiceServer::new(self.clone())));
        let upstreams = Upstreams::in_process("reservation", registry, Arc::new(NoTokens), Limits::default());
        upstreams.get("room").expect("an upstream")
    }
}

/// A desk that does not ask who is there.
pub struct NoTokens;

impl TokenSource for NoTokens {
    fn token(&self, _callee: &str) -> Result<String, Error> {
        Ok(String::new())
    }
}

type Reply<T> = Result<Response<T>, Status>;

fn not_here<T>() -> Reply<T> {
    Err(Status::unimplemented("reservation asks for no such thing"))
}

#[tonic::async_trait]
impl RoomService for FrontDesk {
    async fn get_room(&self, _: Request<GetRoomRequest>) -> Reply<Room> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let _through = self.0.open.acquire().await.expect("never closed");
        if self.0.fails.swap(false, Ordering::SeqCst) {
            return Err(Refusal::new(Reason::INTERNAL, "told to").into());
        }
        let tells = self.0.tells.lock().expect("lock").clone();
        Ok(Response::new(tells?))
    }

    async fn create_room(&self, _: Request<CreateRoomRequest>) -> Reply<Room> {
        not_here()
    }

    async fn list_rooms(&self, _: Request<ListRoomsRequest>) -> Reply<ListRoomsResponse> {
        not_here()
    }

    async fn update_room(&self, _: Request<UpdateRoomRequest>) -> Reply<Room> {
        not_here()
    }

    async fn delete_room(&self, _: Request<DeleteRoomRequest>) -> Reply<Room> {
        not_here()
    }

    async fn block_nights(&self, _: Request<BlockNightsRequest>) -> Reply<BlockNightsResponse> {
        not_here()
    }

    async fn search_rooms(&self, _: Request<SearchRoomsRequest>) -> Reply<SearchRoomsResponse> {
        not_here()
    }

    async fn get_room_calendar(&self, _: Request<GetRoomCalendarRequest>) -> Reply<GetRoomCalendarResponse> {
        not_here()
    }
}

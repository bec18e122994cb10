//! The RPCs: check the caller, read the page, and convert it.

use std::{cmp::max, time::Duration};

use contracts::mypage::v1::{
    Booking, GetBookingRequest, GetMyPageRequest, GetTimelineRequest, GetTimelineResponse, ListBookingsRequest,
    ListBookingsResponse, MyPage, WatchMyPageRequest, WatchMyPageResponse,
    my_page::{Counts, HostedRoom},
    my_page_service_server::MyPageService,
};
use mesh::{
    Caller, Clock, Database, Error, Reach, Refusal,
    background::Background,
    fields::Fields,
    page::{self, PageTokens},
    store::int,
    watch::Following,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    names, reasons,
    store::read::{self, Wanted},
    timeline, view,
    watch::{self, Positions},
};

/// How long a reader waits for a version to arrive.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// What is left of the caller's time for the answer to travel.
const TRAVEL: Duration = Duration::from_millis(100);
/// The most upcoming bookings, and rooms, on a page.
const MAX_ON_PAGE: u64 = 10;

/// The service.
pub struct MyPages {
    database: Database,
    background: Background,
    clock: Clock,
    pages: PageTokens,
    positions: Positions,
}

impl MyPages {
    /// The service over that database.
    pub async fn new(database: Database, background: Background, clock: Clock) -> Result<Self, Error> {
        let pages = PageTokens::of(&database).await?;
        Ok(Self { database, background, clock, positions: Positions::new(pages.clone()), pages })
    }

    async fn page(&self, user: &str) -> Result<MyPage, Error> {
        let now = self.clock.now();
        // First, so that a watch from this position includes changes that happen while the rest is read.
        let position = read::position(&self.database, user).await?;
        let tally = read::tally(&self.database, user, now).await?;
        let rooms = read::room_tally(&self.database, user).await?;
        let as_of = max(tally.source_time, max(tally.payment_source_time, rooms.source_time));
        let upcoming = read::upcoming(&self.database, user, now, MAX_ON_PAGE).await?;
        Ok(MyPage {
            name: format!("{user}/myPage"),
            counts: Some(Counts {
                guest_open: Some(int(tally.guest_open)?),
                guest_done: Some(int(tally.guest_done)?),
                guest_cancelled: Some(int(tally.guest_cancelled)?),
                host_open: Some(int(tally.host_open)?),
                host_done: Some(int(tally.host_done)?),
                host_cancelled: Some(int(tally.host_cancelled)?),
                rooms: Some(int(rooms.rooms)?),
            }),
            upcoming: upcoming.into_iter().map(|row| view::booking(row, now)).collect::<Result<_, _>>()?,
            rooms: self.rooms(user).await?,
            as_of_time: as_of.map(view::instant),
            position: self.positions.make(user, position),
        })
    }

    async fn rooms(&self, user: &str) -> Result<Vec<HostedRoom>, Error> {
        let rooms = read::rooms(&self.database, user, MAX_ON_PAGE).await?;
        let ids: Vec<Uuid> = rooms.iter().map(|room| room.room_id).collect();
        let open = read::open_bookings(&self.database, &ids, self.clock.now()).await?;
        rooms
            .into_iter()
            .map(|room| {
                let open_bookings = open.get(&room.room_id).copied().unwrap_or_default();
                view::room(room, open_bookings)
            })
            .collect()
    }

    async fn list(
        &self,
        user: &str,
        wanted: &Wanted,
        request: &ListBookingsRequest,
    ) -> Result<ListBookingsResponse, Error> {
        let role = wanted.role.map_or("", |role| role.as_str_name());
        let kinds = page::joined(wanted.kinds.iter().map(|kind| kind.as_str_name()));
        let phases = page::joined(wanted.phases.iter().map(|phase| phase.as_str_name()));
        let list = ["ListBookings", user, role, &kinds, &phases];
        let page = self.pages.open(&list, &request.page_token, request.page_size)?;
        let now = self.clock.now();
        let mut rows = read::bookings(&self.database, user, wanted, now, &page).await?;
        let next_page_token = self.pages.close(&page, &mut rows, |(booking, _)| (booking.create_time, booking.case_id));
        let bookings = rows.into_iter().map(|row| view::booking(row, now)).collect::<Result<_, _>>()?;
        Ok(ListBookingsResponse { bookings, next_page_token })
    }

    async fn timeline(&self, user: &str, case_id: Uuid) -> Result<GetTimelineResponse, Error> {
        let found = read::booking(&self.database, user, case_id).await?;
        let (_, case) = found.ok_or_else(|| no_booking(user, case_id))?;
        let entries = read::timeline(&self.database, case_id).await?;
        let causes: Vec<Uuid> = entries.iter().filter_map(|entry| entry.causation_id).collect();
        let causes = read::kinds(&self.database, &causes).await?;
        Ok(GetTimelineResponse { entries: timeline::tell(entries, &causes), correlation_id: case.correlation_id })
    }
}

#[tonic::async_trait]
impl MyPageService for MyPages {
    type WatchMyPageStream = Following<WatchMyPageResponse>;

    async fn get_my_page(&self, request: Request<GetMyPageRequest>) -> Result<Response<MyPage>, Status> {
        let caller = Caller::of(&request)?;
        let user = own_page(&caller, &names::of_page(&request.get_ref().name)?)?;
        Ok(Response::new(self.page(&user).await?))
    }

    async fn watch_my_page(
        &self,
        request: Request<WatchMyPageRequest>,
    ) -> Result<Response<Self::WatchMyPageStream>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let user = own_page(&caller, &names::of_page(&request.name)?)?;
        let (clock, positions) = (self.clock.clone(), self.positions.clone());
        let stream =
            watch::bookings(&self.database, &self.background, clock, positions, user, &request.position).await?;
        Ok(Response::new(stream))
    }

    async fn list_bookings(
        &self,
        request: Request<ListBookingsRequest>,
    ) -> Result<Response<ListBookingsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let wanted = names::wanted(&request)?;
        let user = own_page(&caller, &request.parent)?;
        Ok(Response::new(self.list(&user, &wanted, &request).await?))
    }

    async fn get_booking(&self, request: Request<GetBookingRequest>) -> Result<Response<Booking>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut fields = Fields::new();
        fields.range("min_version", request.min_version, 0, i64::MAX);
        let (user, case_id) = names::of_booking(fields, &request.name)?;
        let user = own_booking(&caller, &user, case_id)?;
        let patience = MAX_WAIT.min(caller.remaining().saturating_sub(TRAVEL));
        let row = watch::booking_at(&self.database, &user, case_id, request.min_version, patience).await?;
        let row = row.ok_or_else(|| no_booking(&user, case_id))?;
        Ok(Response::new(view::booking(row, self.clock.now())?))
    }

    async fn get_timeline(
        &self,
        request: Request<GetTimelineRequest>,
    ) -> Result<Response<GetTimelineResponse>, Status> {
        let caller = Caller::of(&request)?;
        let (user, case_id) = names::of_booking(Fields::new(), &request.get_ref().name)?;
        let user = own_booking(&caller, &user, case_id)?;
        Ok(Response::new(self.timeline(&user, case_id).await?))
    }
}

/// The user by their own name, if the caller may see that user's page.
fn own_page(caller: &Caller, user: &str) -> Result<String, Error> {
    let user = caller.resolve_user(user);
    if Reach::of(caller).covers(&user) {
        return Ok(user);
    }
    Err(Refusal::new(reasons::PAGE_NOT_FOUND, format!("there is no page {user}/myPage"))
        .hint("yours is users/me/myPage")
        .into())
}

/// The user by their own name, if the caller may see that user's bookings.
fn own_booking(caller: &Caller, user: &str, case_id: Uuid) -> Result<String, Error> {
    let user = caller.resolve_user(user);
    if Reach::of(caller).covers(&user) { Ok(user) } else { Err(no_booking(&user, case_id)) }
}

fn no_booking(user: &str, case_id: Uuid) -> Error {
    Refusal::new(reasons::BOOKING_NOT_FOUND, format!("there is no booking {user}/bookings/{case_id}"))
        .hint("one made a moment ago is found with min_version")
        .into()
}

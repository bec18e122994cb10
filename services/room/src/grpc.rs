//! Inbound: request → command → response. All faults of a request are reported at once.

mod details;
mod query;
mod spelling;

use contracts::room::v1::{
    BlockNightsRequest, BlockNightsResponse, CreateRoomRequest, DeleteRoomRequest, GetRoomCalendarRequest,
    GetRoomCalendarResponse, GetRoomRequest, ListRoomsRequest, ListRoomsResponse, Room, SearchRoomsRequest,
    SearchRoomsResponse, UpdateRoomRequest, room, room_service_server::RoomService, search_rooms_response,
};
use jiff::tz::TimeZone;
use mesh::{
    Caller, Error, Reach,
    clock::to_proto,
    fields::{Fields, read_name},
    page::PageTokens,
    requests,
    store::int,
};
use tonic::{Request, Response, Status};

use crate::{
    app::App,
    convert,
    domain::{Block, MAX_UNITS, Nights, OnReserved},
    search::Offer,
};

/// The most nights of one calendar, and of one block.
const MAX_NIGHTS: i32 = 366;

/// The service.
pub struct Grpc {
    /// The use cases.
    pub app: App,
    /// What makes page tokens.
    pub tokens: PageTokens,
    /// The zone of a room whose host names none.
    pub time_zone: TimeZone,
}

#[tonic::async_trait]
impl RoomService for Grpc {
    async fn create_room(&self, request: Request<CreateRoomRequest>) -> Result<Response<Room>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        fields.request_id(&message.request_id);
        let details = details::of_new_room(&mut fields, message.room.as_ref(), &self.time_zone);
        let details = fields.take(details)?;
        let request = requests::Request::new(
            &caller,
            "CreateRoom",
            &message.request_id,
            &spelling::create(&details, &self.time_zone),
        );
        self.app.create(&caller, request, details).await?.into_response()
    }

    async fn get_room(&self, request: Request<GetRoomRequest>) -> Result<Response<Room>, Status> {
        let room = self.app.get(read_name("name", &request.get_ref().name, "rooms")?).await?;
        Ok(Response::new(convert::room(&room)))
    }

    async fn list_rooms(&self, request: Request<ListRoomsRequest>) -> Result<Response<ListRoomsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        fields.optional_user("host", &message.host);
        fields.finish()?;
        let host = caller.resolve_user(&message.host);
        let list = ["ListRooms", &host, if message.show_deleted { "all" } else { "active" }];
        let page = self.tokens.open(&list, &message.page_token, message.page_size)?;
        let reach = if host.is_empty() { Reach::All } else { Reach::Own(host.clone()) };
        let mut rooms = self.app.list(&reach, message.show_deleted, &page).await?;
        let next_page_token = self.tokens.close(&page, &mut rooms, |room| room.id);
        Ok(Response::new(ListRoomsResponse { rooms: rooms.iter().map(convert::room).collect(), next_page_token }))
    }

    async fn update_room(&self, request: Request<UpdateRoomRequest>) -> Result<Response<Room>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let mask = message.update_mask.as_ref().map_or(&[][..], |mask| &mask.paths);
        let mut fields = Fields::new();
        fields.request_id(&message.request_id);
        let update = details::of_update(&mut fields, message.room.as_ref(), mask);
        let (id, update) = fields.take(update)?;
        let request =
            requests::Request::new(&caller, "UpdateRoom", &message.request_id, &spelling::update(id, &update));
        self.app.update(&caller, request, id, &update).await?.into_response()
    }

    async fn delete_room(&self, request: Request<DeleteRoomRequest>) -> Result<Response<Room>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        fields.request_id(&message.request_id);
        let id = fields.name("name", &message.name, "rooms");
        let on_reserved = match room::OnReserved::try_from(message.on_reserved) {
            Ok(room::OnReserved::Unspecified | room::OnReserved::Keep) => Some(OnReserved::Keep),
            Ok(room::OnReserved::Refuse) => Some(OnReserved::Refuse),
            Ok(room::OnReserved::Cancel) => Some(OnReserved::Cancel),
            Err(_) => {
                fields.fault("on_reserved", "must be KEEP, REFUSE or CANCEL");
                None
            }
        };
        let (id, on_reserved) = fields.take(id.zip(on_reserved))?;
        let request = requests::Request::new(
            &caller,
            "DeleteRoom",
            &message.request_id,
            &spelling::delete(id, &message.etag, on_reserved),
        );
        self.app.delete(&caller, request, id, &message.etag, on_reserved).await?.into_response()
    }

    async fn block_nights(
        &self,
        request: Request<BlockNightsRequest>,
    ) -> Result<Response<BlockNightsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        fields.request_id(&message.request_id);
        let id = fields.name("name", &message.name, "rooms");
        let nights = nights(&mut fields, &message.start_date, &message.end_date);
        let units = message.units.and_then(|units| fields.number("units", units, 1..=MAX_UNITS.into()));
        let (id, nights) = fields.take(id.zip(nights))?;
        let block = Block { nights, units, unblock: message.unblock };
        let request = requests::Request::new(&caller, "BlockNights", &message.request_id, &spelling::block(id, block));
        self.app.block(&caller, request, id, block).await?.into_response()
    }

    async fn search_rooms(
        &self,
        request: Request<SearchRoomsRequest>,
    ) -> Result<Response<SearchRoomsResponse>, Status> {
        let message = request.into_inner();
        let mut query = query::of(&message)?;
        let list = query.list();
        let page =
            self.tokens.open::<String>(&list.each_ref().map(String::as_str), &message.page_token, message.page_size)?;
        if let Some(cursor) = &page.after {
            query.order = query.order.resume(cursor).ok_or_else(not_our_cursor)?;
        }
        let now = self.app.now();
        let (offers, next) = self.app.search(&query, page.size, now).await?;
        let next = next.and_then(|order| order.cursor());
        let next_page_token = next.map_or_else(String::new, |cursor| self.tokens.after(&page, &cursor));
        let offers = offers.into_iter().map(offer).collect::<Result<_, _>>()?;
        Ok(Response::new(SearchRoomsResponse { offers, as_of_time: Some(to_proto(now)), next_page_token }))
    }

    async fn get_room_calendar(
        &self,
        request: Request<GetRoomCalendarRequest>,
    ) -> Result<Response<GetRoomCalendarResponse>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let id = fields.name("name", &message.name, "rooms");
        let nights = nights(&mut fields, &message.start_date, &message.end_date);
        let (id, nights) = fields.take(id.zip(nights))?;
        let nights = self.app.calendar(&caller, id, nights).await?;
        let nights = nights.iter().map(convert::night).collect::<Result<_, _>>()?;
        Ok(Response::new(GetRoomCalendarResponse { nights }))
    }
}

fn offer(offer: Offer) -> Result<search_rooms_response::Offer, Error> {
    Ok(search_rooms_response::Offer {
        room: Some(convert::room(&offer.room)),
        total: offer.total.map(Into::into),
        units_left: offer.units_left.map(int).transpose()?,
        distance_meters: offer.distance_meters.map(int).transpose()?,
    })
}

fn not_our_cursor() -> Error {
    Error::Internal("a page token with a valid signature holds no cursor".to_owned())
}

fn nights(fields: &mut Fields, start_date: &str, end_date: &str) -> Option<Nights> {
    let (first, end) = fields.nights(("start_date", "end_date"), (start_date, end_date), MAX_NIGHTS)?;
    Nights::new(first, end)
}

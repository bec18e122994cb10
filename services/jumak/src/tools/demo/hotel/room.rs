//! The room: registered, found, free, removed.

use contracts::{
    google::r#type::Money,
    mypage::v1::GetMyPageRequest,
    payment::v1::{GetPaymentRequest, payment},
    reservation::v1::{QuoteReservationRequest, QuoteReservationResponse, Reservation, reservation},
    room::v1::{CreateRoomRequest, DeleteRoomRequest, Room, SearchRoomsRequest, room},
};

use super::{Hotel, NIGHTLY_RATE, NIGHTS, TOTAL};
use crate::demo::expect::{Check, equal, eventually, refused};

/// An amount in won.
pub fn won(units: i64) -> Money {
    Money { currency_code: "KRW".to_owned(), units, nanos: 0 }
}

impl Hotel<'_> {
    /// Registers the room, and waits until the host's page shows it.
    pub async fn registers_a_room(&self) -> anyhow::Result<Room> {
        let room = Room {
            number: "301".to_owned(),
            display_name: "Sea view".to_owned(),
            capacity: Some(2),
            size_square_meters: Some(24),
            amenities: vec!["breakfast".to_owned(), "sea_view".to_owned()],
            nightly_rate: Some(won(NIGHTLY_RATE)),
            place: self.stage.unique("Gangneung"),
            ..Room::default()
        };
        let request = CreateRoomRequest { room: Some(room), request_id: self.stage.unique("room") };
        let room = self.host.rooms().create_room(request).await?.into_inner();
        eventually("the room on its host's page", async || {
            let request = GetMyPageRequest { name: "users/me/myPage".to_owned() };
            let page = self.host.my_page().get_my_page(request).await?.into_inner();
            let shown: Vec<_> = page.rooms.into_iter().map(|shown| shown.room).collect();
            Ok(Check::when(shown.contains(&room.name), (), format_args!("the rooms {shown:?}")))
        })
        .await?;
        Ok(room)
    }

    /// Finds the room by every search criterion.
    pub async fn is_found(&self, room: &Room) -> anyhow::Result<()> {
        eventually("the room among the offers", async || {
            let request = SearchRoomsRequest {
                check_in_date: self.check_in.to_string(),
                check_out_date: self.check_out.to_string(),
                guests: Some(2),
                place: room.place.clone(),
                max_rate: Some(won(NIGHTLY_RATE)),
                amenities: room.amenities.clone(),
                min_size: 20,
                ..SearchRoomsRequest::default()
            };
            let offers = self.guest.rooms().search_rooms(request).await?.into_inner().offers;
            let found = offers.iter().any(|offer| {
                offer.room.as_ref().is_some_and(|offered| offered.name == room.name)
                    && offer.total == Some(won(TOTAL))
                    && offer.units_left == Some(1)
            });
            Ok(Check::when(found, (), format_args!("{offers:?}")))
        })
        .await
    }

    /// Asks reservation for a quote.
    pub async fn is_free(&self, room: &Room) -> anyhow::Result<()> {
        let quote = self.quote(room).await?;
        equal("units left", Some(1), quote.units_left)?;
        let price = quote.price.unwrap_or_default();
        equal("the price's lines", NIGHTS.unsigned_abs() as usize, price.lines.len())?;
        equal("the price", Some(won(TOTAL)), price.total)
    }

    pub(super) async fn quote(&self, room: &Room) -> anyhow::Result<QuoteReservationResponse> {
        let request = QuoteReservationRequest { reservation: Some(self.wish(room)) };
        Ok(self.guest.reservations().quote_reservation(request).await?.into_inner())
    }

    /// Removes the room while a stay in it is booked.
    pub async fn is_removed(&self, room: &Room, stay: &Reservation) -> anyhow::Result<()> {
        let request = DeleteRoomRequest {
            name: room.name.clone(),
            on_reserved: room::OnReserved::Cancel.into(),
            ..DeleteRoomRequest::default()
        };
        let removed = self.host.rooms().delete_room(request).await?.into_inner();
        equal("the room", room::State::Deleted, removed.state())?;
        let cancelled = self.comes_to(stay, reservation::State::Cancelled).await?;
        equal("what comes back", Some(won(TOTAL)), cancelled.refund_amount)?;
        let request = GetPaymentRequest { name: stay.payment.clone() };
        let paid = self.guest.payments().get_payment(request).await?.into_inner();
        equal("the payment", payment::State::Refunded, paid.state())?;
        let request = QuoteReservationRequest { reservation: Some(self.wish(room)) };
        let answer = self.guest.reservations().quote_reservation(request).await;
        refused("quoting a removed room", ::room::reasons::ROOM_DELETED, answer).map(drop)
    }
}

//! The stay: booked and paid together, and shown only to its guest and host.

use contracts::{
    mypage::v1::{Booking, GetBookingRequest, ListBookingsRequest, booking},
    reservation::v1::{
        CancelReservationRequest, CreateReservationRequest, GetReservationRequest, ListReservationsRequest,
        PayReservationRequest, Reservation, list_reservations_request::View, reservation,
    },
    room::v1::{GetRoomCalendarRequest, Room, room_night},
    types::v1::PaymentMethod,
};
use mesh::{Reason, checkout};

use super::{Hotel, NIGHTS, TOTAL, room::won};
use crate::{
    demo::expect::{Check, equal, eventually, refused},
    house::Member,
};

/// Sold.
pub const CHARGED: room_night::State = room_night::State::Charged;
/// Free.
pub const VACANT: room_night::State = room_night::State::Vacant;

fn card(token: &str) -> Option<PaymentMethod> {
    Some(PaymentMethod { token: token.to_owned() })
}

/// The name of a reservation's booking, as the caller sees it.
fn booking_of(stay: &Reservation) -> String {
    stay.name.replacen("reservations/", "users/me/bookings/", 1)
}

impl Hotel<'_> {
    pub(super) fn wish(&self, room: &Room) -> Reservation {
        Reservation {
            room: room.name.clone(),
            check_in_date: self.check_in.to_string(),
            check_out_date: self.check_out.to_string(),
            guests: Some(2),
            ..Reservation::default()
        }
    }

    fn request(&self, room: &Room, token: Option<&str>, request_id: &str) -> CreateReservationRequest {
        CreateReservationRequest {
            reservation: Some(self.wish(room)),
            payment_method: token.and_then(card),
            expected_total: Some(won(TOTAL)),
            request_id: self.stage.unique(request_id),
        }
    }

    /// Tries to pay with a card that is declined.
    pub async fn is_declined(&self, room: &Room) -> anyhow::Result<()> {
        let request = self.request(room, Some("tok_decline_insufficient_funds"), "declined");
        let answer = self.guest.reservations().create_reservation(request).await;
        refused("booking with that card", checkout::reasons::PAYMENT_DECLINED, answer)?;
        let request = ListReservationsRequest {
            view: View::Guest.into(),
            room: room.name.clone(),
            states: vec![reservation::State::Pending.into(), reservation::State::Confirmed.into()],
            ..ListReservationsRequest::default()
        };
        let stays = self.guest.reservations().list_reservations(request).await?.into_inner().reservations;
        equal("the guest's stays", Vec::<Reservation>::new(), stays)?;
        equal("units left", Some(1), self.quote(room).await?.units_left)
    }

    /// Books and pays.
    pub async fn is_booked(&self, room: &Room) -> anyhow::Result<Reservation> {
        let request = self.request(room, Some("tok_approve"), "booking");
        let stay = self.guest.reservations().create_reservation(request).await?.into_inner();
        equal("the reservation", reservation::State::Confirmed, stay.state())?;
        equal("units left", Some(0), self.quote(room).await?.units_left)?;
        Ok(stay)
    }

    /// Another user tries to book the same nights.
    pub async fn is_sold_once(&self, room: &Room) -> anyhow::Result<()> {
        let request = self.request(room, Some("tok_approve"), "second");
        let answer = self.stranger.reservations().create_reservation(request).await;
        refused("booking it again", ::reservation::reasons::ROOM_UNAVAILABLE, answer).map(drop)
    }

    /// Sends the same request again, and then another one under its request id.
    pub async fn is_replayed(&self, stay: &Reservation) -> anyhow::Result<()> {
        let room = Room { name: stay.room.clone(), ..Room::default() };
        let again = self.request(&room, Some("tok_approve"), "booking");
        let other = CreateReservationRequest { payment_method: card("tok_decline_expired"), ..again.clone() };
        let replayed = self.guest.reservations().create_reservation(again).await?.into_inner();
        equal("the answer", &stay.name, &replayed.name)?;
        let answer = self.guest.reservations().create_reservation(other).await;
        refused("another request under that id", Reason::REQUEST_ID_REUSED, answer).map(drop)
    }

    /// Waits until the room's calendar shows every night of the stay in `state`.
    pub async fn nights_become(&self, room: &Room, state: room_night::State) -> anyhow::Result<()> {
        eventually(&format!("{NIGHTS} nights {}", state.as_str_name()), async || {
            let request = GetRoomCalendarRequest {
                name: room.name.clone(),
                start_date: self.check_in.to_string(),
                end_date: self.check_out.to_string(),
            };
            let nights = self.host.rooms().get_room_calendar(request).await?.into_inner().nights;
            let states: Vec<_> = nights.iter().map(|night| night.state().as_str_name()).collect();
            Ok(Check::when(nights.iter().all(|night| night.state() == state), (), format_args!("{states:?}")))
        })
        .await
    }

    /// Checks everything that a reservation and its booking show.
    pub async fn shows_everything(&self, stay: &Reservation) -> anyhow::Result<()> {
        let snapshot = stay.room_snapshot.clone().unwrap_or_default();
        equal("the room's number", "301", snapshot.number.as_str())?;
        equal("its size", Some(24), snapshot.size_square_meters)?;
        equal("its amenities", ["breakfast", "sea_view"].as_slice(), snapshot.amenities.as_slice())?;
        equal("whether its registration date is shown", true, snapshot.register_time.is_some())?;
        equal("the guests", Some(2), stay.guests)?;
        equal("the total", Some(won(TOTAL)), stay.price.clone().unwrap_or_default().total)?;
        equal("the payment method", "visa 4242", stay.payment_label.as_str())?;
        equal("whether the payment time is shown", true, stay.pay_time.is_some())?;

        let booking = self.booking(stay).await?;
        let view = match booking.details.clone() {
            Some(booking::Details::Stay(view)) => view,
            None => booking::Stay::default(),
        };
        equal("the view's room number", &snapshot.number, &view.room_number)?;
        equal("the view's size", snapshot.size_square_meters, view.size_square_meters)?;
        equal("the view's amenities", snapshot.amenities, view.amenities)?;
        equal("the view's registration date", snapshot.register_time, view.register_time)?;
        equal("the view's guests", stay.guests, view.guests)?;
        equal("the view's first day", &stay.check_in_date, &booking.start_date)?;
        equal("the view's last day", &stay.check_out_date, &booking.end_date)?;
        equal("the view's total", Some(won(TOTAL)), booking.total)?;
        equal("the view's payment method", &stay.payment_label, &booking.payment_label)?;
        equal("the view's payment time", stay.pay_time, booking.pay_time)?;
        equal("the view's state", "CONFIRMED", booking.state.as_str())
    }

    /// The booking as its guest sees it, at least as new as `stay`.
    async fn booking(&self, stay: &Reservation) -> anyhow::Result<Booking> {
        let request = GetBookingRequest { name: booking_of(stay), min_version: stay.version };
        Ok(self.guest.my_page().get_booking(request).await?.into_inner())
    }

    /// Reads the booking while no context can reach another one.
    pub async fn is_looked_up(&self, stay: &Reservation) -> anyhow::Result<()> {
        let others: Vec<_> =
            Member::ALL.into_iter().filter(|member| *member != Member::MYPAGE).map(Member::name).collect();
        self.stage
            .without(&others, async {
                let booking = self.booking(stay).await?;
                equal("the state", "CONFIRMED", booking.state.as_str())
            })
            .await
    }

    /// Checks the host's bookings.
    pub async fn is_passed_on(&self, stay: &Reservation) -> anyhow::Result<()> {
        eventually("the booking among the host's", async || {
            let request = ListBookingsRequest {
                parent: "users/me".to_owned(),
                role: booking::Role::Host.into(),
                ..ListBookingsRequest::default()
            };
            let bookings = self.host.my_page().list_bookings(request).await?.into_inner().bookings;
            let cases: Vec<_> = bookings.into_iter().map(|booking| booking.case).collect();
            Ok(Check::when(cases.contains(&stay.name), (), format_args!("the bookings {cases:?}")))
        })
        .await
    }

    /// Another user tries to read and to cancel it.
    pub async fn is_private(&self, stay: &Reservation) -> anyhow::Result<()> {
        let request = GetReservationRequest { name: stay.name.clone() };
        let answer = self.stranger.reservations().get_reservation(request).await;
        refused("a stranger's look", ::reservation::reasons::RESERVATION_NOT_FOUND, answer)?;
        let request = CancelReservationRequest { name: stay.name.clone(), ..CancelReservationRequest::default() };
        let answer = self.stranger.reservations().cancel_reservation(request).await;
        refused("a stranger's cancellation", ::reservation::reasons::RESERVATION_NOT_FOUND, answer)?;
        let request = GetBookingRequest { name: booking_of(stay), min_version: 0 };
        let answer = self.stranger.my_page().get_booking(request).await;
        refused("a look at a stranger's page", mypage::reasons::BOOKING_NOT_FOUND, answer).map(drop)
    }

    /// Holds the nights without paying, tries one card, and pays with another.
    pub async fn is_held(&self, room: &Room) -> anyhow::Result<Reservation> {
        let request = self.request(room, None, "hold");
        let held = self.guest.reservations().create_reservation(request).await?.into_inner();
        equal("the reservation", reservation::State::Pending, held.state())?;
        equal("whether its expiry is shown", true, held.hold_expire_time.is_some())?;
        equal("units left", Some(0), self.quote(room).await?.units_left)?;
        let pay = |token: &str| PayReservationRequest {
            name: held.name.clone(),
            payment_method: card(token),
            request_id: self.stage.unique(token),
        };
        let answer = self.guest.reservations().pay_reservation(pay("tok_decline_expired")).await;
        refused("paying with an expired card", checkout::reasons::PAYMENT_DECLINED, answer)?;
        let paid = self.guest.reservations().pay_reservation(pay("tok_approve")).await?.into_inner();
        equal("the reservation", reservation::State::Confirmed, paid.state())?;
        Ok(paid)
    }
}

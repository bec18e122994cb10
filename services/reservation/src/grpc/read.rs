//! Reads requests: every fault of their fields is reported at once.

use contracts::reservation::v1::{
    CancelReservationRequest, CreateReservationRequest, ListReservationsRequest, PayReservationRequest,
    QuoteReservationRequest, Reservation, list_reservations_request, reservation::State,
};
use contracts::types::v1::cancellation;
use jiff::civil::Date;
use mesh::{
    Caller, Error, Reach, Reason, Refusal,
    booking_window::{MAX_NIGHTS, MAX_UNITS},
    checkout::Cause,
    fields::Fields,
    money::Money,
};

use crate::{
    app::Wish,
    convert,
    domain::{COLLECTION, GuestDetails, Stay},
    store::{Filter, View},
};

const MAX_REASON_CHARS: usize = 200;
/// The units and the guests of a stay that names none.
pub const DEFAULT_UNITS: i32 = 1;
pub const DEFAULT_GUESTS: i32 = 1;

/// A request to CreateReservation.
pub struct Create {
    /// The stay.
    pub wish: Wish,
    /// Of the guest.
    pub details: Option<GuestDetails>,
    /// What it may cost.
    pub expected_total: Option<Money>,
    /// What to pay with.
    pub token: Option<String>,
}

pub fn quote(message: &QuoteReservationRequest) -> Result<Wish, Error> {
    let mut fields = Fields::new();
    let wish = wish(&mut fields, message.reservation.as_ref());
    fields.take(wish)
}

pub fn create(message: &CreateReservationRequest) -> Result<Create, Error> {
    let mut fields = Fields::new();
    let wish = wish(&mut fields, message.reservation.as_ref());
    let details = message.reservation.as_ref().and_then(|reservation| reservation.guest_details.as_ref());
    if let Some(details) = details {
        fields.line("reservation.guest_details.full_name", &details.full_name, 80);
        fields.line("reservation.guest_details.phone", &details.phone, 32);
        fields.text("reservation.guest_details.note", &details.note, 500);
    }
    let token = message.payment_method.as_ref().and_then(|method| fields.payment_token(Some(method)));
    let token = token.map(str::to_owned);
    let expected_total =
        message.expected_total.as_ref().and_then(|total| fields.money("expected_total", Some(total), false));
    fields.request_id(&message.request_id);
    let wish = fields.take(wish)?;
    // Empty details count as absent.
    let details = details.map(convert::read_guest_details).filter(|details| *details != GuestDetails::default());
    Ok(Create { wish, details, expected_total, token })
}

pub fn pay(message: &PayReservationRequest) -> Result<String, Error> {
    let mut fields = Fields::new();
    fields.name("name", &message.name, COLLECTION);
    let token = fields.payment_token(message.payment_method.as_ref());
    fields.request_id(&message.request_id);
    fields.take(token.map(str::to_owned))
}

pub fn cancel(message: &CancelReservationRequest) -> Result<Option<Cause>, Error> {
    let mut fields = Fields::new();
    fields.name("name", &message.name, COLLECTION);
    fields.text("reason", &message.reason, MAX_REASON_CHARS);
    fields.request_id(&message.request_id);
    let cause = cancellation::Cause::try_from(message.cause);
    fields.check(cause.is_ok(), "cause", "is not a known cause");
    fields.finish()?;
    Ok(cause.ok().and_then(Cause::read))
}

pub fn list(message: &ListReservationsRequest, caller: &Caller) -> Result<Filter, Error> {
    use list_reservations_request::View as Wished;
    let mut fields = Fields::new();
    let user = caller.user()?;
    let view = match Wished::try_from(message.view) {
        Ok(Wished::Host) => View::Host,
        Ok(Wished::All) if Reach::of(caller) == Reach::All => View::All,
        Ok(Wished::All) => {
            let refusal =
                Refusal::new(Reason::ROLE_REQUIRED, "only agents and admins may list everybody's reservations");
            return Err(refusal.with("role", "agent,admin").hint("list yours with GUEST or HOST").into());
        }
        Ok(Wished::Guest | Wished::Unspecified) => View::Guest,
        Err(_) => {
            fields.fault("view", "must be GUEST, HOST or ALL");
            View::Guest
        }
    };
    let room = fields.optional_name("room", &message.room, "rooms");
    let states = fields.enums::<State>("states", &message.states).into_iter().filter_map(convert::read_state).collect();
    let from_date: Option<Date> =
        if message.from_date.is_empty() { None } else { fields.date("from_date", &message.from_date) };
    fields.finish()?;
    Ok(Filter { view, user: user.to_owned(), room, states, from_date })
}

fn wish(fields: &mut Fields, reservation: Option<&Reservation>) -> Option<Wish> {
    let reservation = fields.required("reservation", reservation, ": a room and two dates")?;
    let room = fields.name("reservation.room", &reservation.room, "rooms");
    let nights = fields.nights(
        ("reservation.check_in_date", "reservation.check_out_date"),
        (&reservation.check_in_date, &reservation.check_out_date),
        MAX_NIGHTS,
    );
    let units = fields.number("reservation.units", reservation.units.unwrap_or(DEFAULT_UNITS), 1..=MAX_UNITS.into());
    let guests = reservation.guests.unwrap_or(DEFAULT_GUESTS);
    fields.check(guests >= 1, "reservation.guests", format!("is {guests}; it must be at least 1"));
    let (check_in, check_out) = nights?;
    let stay = Stay { check_in, check_out, units: units?, guests: u32::try_from(guests).ok()? };
    Some(Wish { room: room?, stay })
}

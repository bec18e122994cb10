//! The values of a booking, by what they are: each engine writes them in its own way.

use std::str::FromStr;

/// A value that differs from booking to booking, or is too large to be written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// An id of this booking, of sixteen bytes.
    Id(Id),
    /// The room's id.
    Room,
    /// A resource name, `reservations/…` or `payments/…`, with that id.
    Name(&'static str, Id),
    /// An id as text.
    Text(Id),
    /// The guest's name.
    Guest,
    /// The host's name: each room has its own. My page numbers a host's bookings one after the other, and here there is no consumer
    /// that would bring them one after the other.
    Host,
    /// The first night.
    CheckIn,
    /// The day after the last night.
    CheckOut,
    /// The time, in microseconds.
    Now,
    /// So many bytes of any kind.
    Bytes(usize),
}

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// The reservation.
    Case = 1,
    /// Its payment.
    Payment,
    /// The event ReservationHeld.
    Held,
    /// The event PaymentApproved.
    Approved,
    /// The event ReservationConfirmed.
    Confirmed,
    /// The transaction in the ledger.
    Transaction,
    /// Its debit.
    Debit,
    /// Its credit.
    Credit,
    /// The business case that all events name.
    Correlation,
}

impl FromStr for Hole {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Some(bytes) = text.strip_prefix("bytes:") {
            return Ok(Self::Bytes(bytes.parse()?));
        }
        Ok(match text {
            "case" => Self::Id(Id::Case),
            "payment" => Self::Id(Id::Payment),
            "held" => Self::Id(Id::Held),
            "approved" => Self::Id(Id::Approved),
            "confirmed" => Self::Id(Id::Confirmed),
            "transaction" => Self::Id(Id::Transaction),
            "debit" => Self::Id(Id::Debit),
            "credit" => Self::Id(Id::Credit),
            "case_name" => Self::Name("reservations", Id::Case),
            "payment_name" => Self::Name("payments", Id::Payment),
            "payment_text" => Self::Text(Id::Payment),
            "correlation" => Self::Text(Id::Correlation),
            "room" => Self::Room,
            "guest" => Self::Guest,
            "host" => Self::Host,
            "check_in" => Self::CheckIn,
            "check_out" => Self::CheckOut,
            "now" => Self::Now,
            _ => anyhow::bail!("there is no hole {text}"),
        })
    }
}

/// Rooms that bookings are spread over.
pub const ROOMS: u64 = 100;
/// Guests who book in turn: nobody books a thousand rooms.
pub const GUESTS: u64 = 1_024;
/// Stays that follow one another in a room's calendar before it begins again.
pub const STAYS: u64 = 14;
/// Nights of a stay.
pub const NIGHTS: u64 = 2;
/// A time like those of today, in microseconds.
pub const EPOCH_MICROS: u64 = 1_790_000_000_000_000;
/// The first night.
pub const FIRST_NIGHT: jiff::civil::Date = jiff::civil::date(2030, 1, 1);

/// The sixteen bytes of an id of booking `number`. Like a UUIDv7's they grow with the number, so that an index grows at its end.
pub fn id(id: Id, number: u64) -> u128 {
    (u128::from(number) << 64) | id as u128
}

/// The sixteen bytes of a room's id.
pub fn room(number: u64) -> u128 {
    u128::from(number % ROOMS)
}

/// The night that is so many days after the first one.
pub fn night(days: u64) -> anyhow::Result<String> {
    use jiff::ToSpan;
    Ok(FIRST_NIGHT.checked_add(i64::try_from(days)?.days())?.to_string())
}

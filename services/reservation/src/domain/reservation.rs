//! The aggregate: a stay, whose it is, its frozen terms, and its lifecycle's record.

use jiff::{Timestamp, civil::Time, tz::TimeZone};
use mesh::{
    checkout::{By, Case, Closing, Mode, Record, Terms},
    clock::{self, instant_of},
    money::Money,
    types::{CancellationPolicy, Price},
};
use uuid::Uuid;

use super::{room::RoomOffer, stay::Stay};

/// The guest's details for the host. They stay in this context; no event carries them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestDetails {
    /// At most 80 characters.
    pub full_name: String,
    /// At most 32 characters.
    pub phone: String,
    /// At most 500 characters.
    pub note: String,
}

/// The room as it was when the reservation was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomSnapshot {
    /// Its number.
    pub number: String,
    /// Its name.
    pub display_name: String,
    /// Its size.
    pub size_square_meters: Option<i32>,
    /// What it has.
    pub amenities: Vec<String>,
    /// When it was registered.
    pub register_time: Option<Timestamp>,
    /// Its time zone's name.
    pub time_zone: String,
    /// When stays begin, as `15:00`.
    pub check_in_time: String,
    /// When stays end, as `11:00`.
    pub check_out_time: String,
}

/// A reservation.
#[derive(Clone, Debug, PartialEq)]
pub struct Reservation {
    /// The lifecycle's columns.
    pub record: Record,
    /// Its id.
    pub id: Uuid,
    /// The room.
    pub room: Uuid,
    /// The version of the room that it is made from; of no concern once it is made.
    pub room_version: Option<i64>,
    /// Nights, units, guests.
    pub stay: Stay,
    /// Of the guest.
    pub guest_details: Option<GuestDetails>,
    /// The room as it was.
    pub room_snapshot: RoomSnapshot,
    /// The price as it was.
    pub price: Price,
    /// The terms as they were.
    pub cancellation_policy: CancellationPolicy,
    /// When the stay begins.
    pub check_in: Timestamp,
}

/// The collection's name.
pub const COLLECTION: &str = "reservations";

impl Reservation {
    /// A stay in a room at a price, on the room's terms of this moment.
    #[allow(clippy::too_many_arguments, reason = "each is a fact of the reservation, and none has a default")]
    pub fn begin(
        id: Uuid,
        guest: &str,
        room: &RoomOffer,
        stay: Stay,
        price: Price,
        guest_details: Option<GuestDetails>,
        correlation_id: &str,
        now: Timestamp,
    ) -> Self {
        let terms = Terms {
            collection: COLLECTION,
            id,
            mode: Mode::Hold,
            correlation_id: correlation_id.to_owned(),
            payer: guest.to_owned(),
            payee: room.host.clone(),
            total: price.total,
            // The host has earned the money when the stay is over.
            earn_time: instant_of(stay.check_out, room.check_out_time, &room.time_zone),
        };
        Self {
            record: Record::begin(terms, now),
            id,
            room: room.id,
            room_version: Some(room.version),
            stay,
            guest_details,
            room_snapshot: room.snapshot.clone(),
            price,
            cancellation_policy: room.cancellation_policy.clone(),
            check_in: instant_of(stay.check_in, room.check_in_time, &room.time_zone),
        }
    }

    /// When the stay begins, from its frozen terms.
    pub fn check_in_instant(stay: &Stay, snapshot: &RoomSnapshot) -> Timestamp {
        let zone = clock::zone(&snapshot.time_zone).unwrap_or(TimeZone::UTC);
        let time: Time = snapshot.check_in_time.parse().unwrap_or(Time::midnight());
        instant_of(stay.check_in, time, &zone)
    }
}

impl Case for Reservation {
    fn record(&self) -> &Record {
        &self.record
    }

    fn record_mut(&mut self) -> &mut Record {
        &mut self.record
    }

    fn refund_at(&self, now: Timestamp) -> Money {
        self.cancellation_policy.refund(self.price.total, self.check_in, now)
    }

    /// For a day after the first night is over, at check-out time; of a stay of one night nothing is left to be freed by then.
    fn may_be_no_show(&self, now: Timestamp) -> bool {
        let zone = clock::zone(&self.room_snapshot.time_zone).unwrap_or(TimeZone::UTC);
        let time: Time = self.room_snapshot.check_out_time.parse().unwrap_or(Time::midnight());
        let day = |days: i64| self.stay.check_in.saturating_add(jiff::Span::new().days(days));
        let (from, until) = (instant_of(day(1), time, &zone), instant_of(day(2), time, &zone));
        from <= now && now < until && now < self.record.earn_time
    }

    /// A guest may cancel until check-in. A host may end a stay that has begun, until it is over: the guest did not come, or cannot
    /// stay. An agent may always, because complaints come late; and nothing is left of a room that was removed.
    fn closing(&self, by: By, now: Timestamp) -> Closing {
        let until = match by {
            By::Guest => self.check_in,
            By::Host => self.record.earn_time,
            By::Agent | By::System => return Closing::Open,
        };
        if now < until { Closing::Open } else { Closing::Closed(until) }
    }
}

//! Searches rooms: the query, its order, and its pages.
//!
//! 1. Rooms are read from the table in the requested order, one batch of a page's size at a time.
//! 2. With dates, two more queries for each batch read the stays and the blocked nights of its rooms, and sold-out rooms are skipped.
//! 3. The batches of one page are bounded. If the bound is reached, the page is short, and the next page continues there.

use jiff::Timestamp;
use mesh::{
    BookingWindow, Error,
    money::Money,
    page::{self, Cursor},
};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{Blocked, Night, Nights, Room, calendar, chord_squared, meters},
    store,
};

/// The smallest batch when some rooms may be sold out.
const MIN_LOT: u64 = 50;
/// The most batches of one page.
const MAX_LOTS: u32 = 20;

/// A guest's search. Every given condition must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The nights, on each of which enough units must be left.
    pub nights: Option<Nights>,
    /// How many guests the units must sleep in all: 1 to 200.
    pub guests: u16,
    /// How many units of one room: 1 to 10.
    pub units: u16,
    /// What the room's place contains, as [`folded`](mesh::unicode::folded) tells; empty: anything.
    pub place: String,
    /// Where.
    pub near: Option<Near>,
    /// The lowest nightly rate, in its currency.
    pub min_rate: Option<Money>,
    /// The highest nightly rate, in its currency.
    pub max_rate: Option<Money>,
    /// What the room must offer.
    pub amenities: Vec<String>,
    /// The least square metres.
    pub min_size: Option<u16>,
    /// The order, and where to continue.
    pub order: Order,
}

impl Query {
    /// All parameters of the search but the place where it continues: a page token of another search must not open this one.
    pub fn list(&self) -> [String; 11] {
        let order = match self.order {
            Order::Price { .. } => "PRICE",
            Order::Distance { .. } => "DISTANCE",
            Order::Rating { .. } => "RATING",
        };
        let near = self.near.iter().flat_map(|near| near.on_unit_sphere.into_iter().chain([near.radius_meters.into()]));
        [
            "SearchRooms".to_owned(),
            page::joined(self.nights.iter().flat_map(|nights| [nights.first(), nights.end()])),
            self.guests.to_string(),
            self.units.to_string(),
            self.place.clone(),
            page::joined(near),
            self.min_rate.map_or_else(String::new, |rate| rate.write()),
            self.max_rate.map_or_else(String::new, |rate| rate.write()),
            page::joined(&self.amenities),
            page::joined(self.min_size),
            order.to_owned(),
        ]
    }
}

/// Around a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// The place.
    pub on_unit_sphere: [f64; 3],
    /// How far from it: 1 to 200000.
    pub radius_meters: u32,
}

/// An order, and the sort key of the room after which to continue, so that the room may change or disappear in between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// The cheapest first, currency by currency.
    Price {
        /// The rate of the last room, and its id.
        after: Option<(Money, Uuid)>,
    },
    /// The nearest first.
    Distance {
        /// The centre, on the unit sphere.
        from: [f64; 3],
        /// The squared chord to the last room, and its id.
        after: Option<(f64, Uuid)>,
    },
    /// The best rated first, those without a rating last.
    Rating {
        /// The rating of the last room, -1 for none, and its id.
        after: Option<(f64, Uuid)>,
    },
}

impl Order {
    /// The same order, from `room` on.
    #[must_use]
    pub fn after(self, room: &Room) -> Self {
        let details = &room.details;
        match self {
            Self::Price { .. } => Self::Price { after: Some((details.nightly_rate, room.id)) },
            Self::Distance { from, .. } => {
                let chord_squared = chord_to(room, from).unwrap_or(f64::MAX);
                Self::Distance { from, after: Some((chord_squared, room.id)) }
            }
            Self::Rating { .. } => Self::Rating { after: Some((details.rating.unwrap_or(-1.0), room.id)) },
        }
    }

    /// Where to continue, as text; none from the beginning.
    pub fn cursor(self) -> Option<String> {
        match self {
            Self::Price { after } => after.map(|key| key.write()),
            Self::Distance { after, .. } | Self::Rating { after } => after.map(|key| key.write()),
        }
    }

    /// The same order, continued from a [`cursor`](Self::cursor); none if the text is not a cursor of this order.
    pub fn resume(self, cursor: &str) -> Option<Self> {
        Some(match self {
            Self::Price { .. } => Self::Price { after: Some(Cursor::read(cursor)?) },
            Self::Distance { from, .. } => Self::Distance { from, after: Some(Cursor::read(cursor)?) },
            Self::Rating { .. } => Self::Rating { after: Some(Cursor::read(cursor)?) },
        })
    }
}

/// A room that matches.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The room.
    pub room: Room,
    /// What the nights cost in all; none without nights.
    pub total: Option<Money>,
    /// The units left on the night that has the fewest; none without nights.
    pub units_left: Option<u32>,
    /// How far the room is; none without a place.
    pub distance_meters: Option<u32>,
}

impl App {
    /// Up to `page_size` offers as of `now`, and the order from the last of them on if there may be more.
    pub async fn search(
        &self,
        query: &Query,
        page_size: usize,
        now: Timestamp,
    ) -> Result<(Vec<Offer>, Option<Order>), Error> {
        let can_be_booked = |nights: Nights| BookingWindow::anywhere(now).check(nights.first()).is_ok();
        if !query.nights.is_none_or(can_be_booked) {
            // Without reading any room.
            return Ok((Vec::new(), None));
        }
        let mut query = query.clone();
        let mut offers = Vec::with_capacity(page_size);
        // One more than a page holds, to know whether another page follows.
        let page = page_size as u64 + 1;
        let lot = if query.nights.is_some() { page.max(MIN_LOT) } else { page };
        for _ in 0..MAX_LOTS {
            let rooms = store::search::candidates(self.database.read(), &query, lot).await?;
            let last_lot = (rooms.len() as u64) < lot;
            for offer in self.offers(&query, rooms, now).await? {
                let suits = offer.units_left.is_none_or(|left| left >= u32::from(query.units));
                if suits && offers.len() == page_size {
                    return Ok((offers, Some(query.order)));
                }
                query.order = query.order.after(&offer.room);
                if suits {
                    offers.push(offer);
                }
            }
            if last_lot {
                return Ok((offers, None));
            }
        }
        Ok((offers, Some(query.order)))
    }

    /// The price, the availability and the distance of these rooms.
    async fn offers(&self, query: &Query, rooms: Vec<Room>, now: Timestamp) -> Result<Vec<Offer>, Error> {
        let (stays, blocked) = match query.nights {
            Some(nights) if !rooms.is_empty() => {
                let ids: Vec<_> = rooms.iter().map(|room| room.id).collect();
                (
                    store::nights::stays(self.database.read(), &ids, nights).await?,
                    store::nights::blocked(self.database.read(), &ids, nights).await?,
                )
            }
            _ => Default::default(),
        };
        let no_stays = Vec::new();
        let none_blocked = Blocked::new();
        let offer = |room: Room| {
            let left = |nights: Nights| {
                if room.booking_window(now).check(nights.first()).is_err() {
                    return Some(0);
                }
                let stays = stays.get(&room.id).unwrap_or(&no_stays);
                let blocked = blocked.get(&room.id).unwrap_or(&none_blocked);
                calendar(&room, nights, stays, blocked, now).iter().map(Night::left).min()
            };
            let total = |nights: Nights| room.details.nightly_rate.times(nights.count() * u32::from(query.units)).ok();
            let distance = |near: Near| chord_to(&room, near.on_unit_sphere).map(meters);
            Offer {
                total: query.nights.and_then(total),
                units_left: query.nights.and_then(left),
                distance_meters: query.near.and_then(distance),
                room,
            }
        };
        Ok(rooms.into_iter().map(offer).collect())
    }
}

fn chord_to(room: &Room, from: [f64; 3]) -> Option<f64> {
    room.details.location.map(|point| chord_squared(point.on_unit_sphere(), from))
}

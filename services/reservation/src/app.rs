//! The use cases of guests and hosts.

use std::sync::Arc;

use jiff::Timestamp;
use mesh::{
    Caller, Clock, Error, Principal, Reach, Reason, Refusal,
    checkout::{Asks, Cancels, Cause, Checkout, Scope},
    clock::instant_of,
    fields::Fields,
    money::Money,
    page::Page,
    requests::{Answer, Request},
    types::{CancellationPolicy, Price},
};
use uuid::Uuid;

use crate::{
    domain::{self, GuestDetails, Reservation, RoomOffer, Stay},
    reasons,
    rooms::Rooms,
    store::{Filter, Reservations},
};

/// How often a booking is made anew because its room changes meanwhile.
const MAX_RUNS: u32 = 5;

/// The use cases of this context.
#[derive(Clone)]
pub struct App {
    checkout: Checkout<Reservations>,
    rooms: Rooms,
    clock: Clock,
}

/// A requested stay.
pub struct Wish {
    /// The room.
    pub room: Uuid,
    /// Nights, units, guests.
    pub stay: Stay,
}

/// A quote for a stay.
pub struct Quote {
    /// The price.
    pub price: Price,
    /// The terms of cancelling.
    pub policy: CancellationPolicy,
    /// Until when a cancellation would refund something.
    pub refundable_until: Option<Timestamp>,
    /// The units left on the fullest night.
    pub units_left: i32,
    /// The time of the quote.
    pub as_of: Timestamp,
}

impl App {
    /// The use cases over a checkout and the known rooms.
    pub fn new(checkout: Checkout<Reservations>, rooms: Rooms, clock: Clock) -> Self {
        Self { checkout, rooms, clock }
    }

    /// Quotes a stay, without holding anything.
    pub async fn quote(&self, wish: Wish, caller: &Caller) -> Result<Quote, Error> {
        let now = self.clock.now();
        let room = self.rooms.on_offer(wish.room, caller).await?;
        let stay = wish.stay;
        let price = offer(&room, &stay, now)?;
        let check_in = instant_of(stay.check_in, room.check_in_time, &room.time_zone);
        Ok(Quote {
            price,
            refundable_until: room.cancellation_policy.refundable_until(check_in, now),
            units_left: self.rooms.fewest_left(&room, &stay).await?,
            policy: room.cancellation_policy.clone(),
            as_of: now,
        })
    }

    /// Makes a reservation: holds it or, with a payment method's token, pays for it.
    pub async fn create(
        &self,
        wish: Wish,
        details: Option<GuestDetails>,
        expected_total: Option<Money>,
        token: Option<String>,
        request: Option<Request>,
        caller: &Caller,
    ) -> Result<Answer, Error> {
        let (stay, known) = (wish.stay, &self.rooms.remembered);
        let may_be_short = known.may_be_short(wish.room, &stay);
        let mut remembered = if may_be_short { None } else { known.get(wish.room) };
        for _ in 0..MAX_RUNS {
            let is_read = remembered.is_none();
            let made = self.make(&wish, remembered.take(), details.as_ref(), expected_total, caller).await;
            let reservation = match made {
                Ok(reservation) => reservation,
                // By what the room was when it was last read.
                Err(Error::Refused(_)) if !is_read => continue,
                Err(refusal) => {
                    return self.checkout.replay_or(refusal, request.as_ref(), token.as_deref(), caller).await;
                }
            };
            // Only the hold decides. But if many guests want the last unit, those who come too late need not queue for a write.
            if may_be_short {
                if let Err(sold_out) = self.rooms.check_left(wish.room, &stay).await {
                    // The units may have been taken by this same request, sent twice: both were committed at once.
                    return self.checkout.replay_or(sold_out, request.as_ref(), token.as_deref(), caller).await;
                }
                known.set_sold(wish.room, &stay, |_, _| 0);
            }
            known.set_sold(wish.room, &stay, |sold, _| sold.saturating_add(stay.units));
            let created = self.checkout.create(reservation, token.clone(), request.clone(), caller).await;
            match &created {
                Ok(Some(Answer::Ok(_))) => {}
                Err(Error::Refused(refusal)) if refusal.reason == reasons::ROOM_UNAVAILABLE => {
                    known.set_sold(wish.room, &stay, |_, units| units);
                }
                _ => known.set_sold(wish.room, &stay, |sold, _| sold.saturating_sub(stay.units)),
            }
            match created.transpose() {
                Some(answer) => return answer,
                None => tracing::debug!(room = %wish.room, "the room has changed; reading it again"),
            }
        }
        Err(Error::Lost)
    }

    /// The reservation that is wished for, of a room as it was remembered, or else as it is read now.
    async fn make(
        &self,
        wish: &Wish,
        remembered: Option<Arc<RoomOffer>>,
        details: Option<&GuestDetails>,
        expected_total: Option<Money>,
        caller: &Caller,
    ) -> Result<Reservation, Error> {
        let room = match remembered {
            Some(room) => room,
            None => self.rooms.on_offer(wish.room, caller).await?,
        };
        let now = self.clock.now();
        let price = offer(&room, &wish.stay, now)?;
        if let Some(expected) = expected_total {
            check_expected(expected, price.total)?;
        }
        let (id, guest, details) = (Uuid::now_v7(), caller.user()?, details.cloned());
        Ok(Reservation::begin(id, guest, &room, wish.stay, price, details, &caller.correlation_id, now))
    }

    /// Pays for a held reservation of the caller's.
    pub async fn pay(
        &self,
        name: &str,
        token: String,
        request: Option<Request>,
        caller: &Caller,
    ) -> Result<Answer, Error> {
        let scope = Scope::Payer(caller.user()?.to_owned());
        self.checkout.pay(name, scope, token, request, caller).await
    }

    /// Cancels a reservation that the caller is a party of, or any for an agent.
    pub async fn cancel(
        &self,
        name: &str,
        cause: Option<Cause>,
        reason: &str,
        request: Option<Request>,
        caller: &Caller,
    ) -> Result<Answer, Error> {
        let principal = caller.principal.name();
        let (asks, scope) = match &caller.principal {
            Principal::User { .. } => (Asks::User(&principal), scope(caller)),
            // The access table permits no other context.
            Principal::Context { .. } => (Asks::ServiceCentre, Scope::All),
        };
        let cancels = Cancels { asks, cause, reason, waits: caller.remaining() };
        self.checkout.cancel(name, scope, cancels, request, &caller.actor()).await
    }

    /// A reservation that the caller may see.
    pub async fn get(&self, name: &str, scope: &Scope) -> Result<Reservation, Error> {
        self.checkout.get(name, scope).await
    }

    /// A page of reservations.
    pub async fn list(&self, filter: &Filter, page: &Page<Uuid>) -> Result<Vec<Reservation>, Error> {
        self.checkout.cases().list(filter, page).await
    }
}

/// The price of the stay in the room, or every fault of the wish at once.
fn offer(room: &RoomOffer, stay: &Stay, now: Timestamp) -> Result<Price, Error> {
    let mut fields = Fields::new();
    if let Err(fault) = room.booking_window(now).check(stay.check_in) {
        fields.fault("reservation.check_in_date", fault.to_string());
    }
    if let Err(fault) = stay.check_guests(room.capacity) {
        fields.fault("reservation.guests", fault.to_string());
    }
    let price = domain::of_nights(stay, room.nightly_rate);
    if let Err(fault) = &price {
        fields.fault("reservation.units", format!("the total {fault}"));
    }
    fields.finish()?;
    price.map_err(|fault| Error::Internal(fault.to_string()))
}

/// Whose reservations a caller may see.
pub fn scope(caller: &Caller) -> Scope {
    match Reach::of(caller) {
        Reach::All => Scope::All,
        Reach::Own(user) => Scope::Party(user),
    }
}

fn check_expected(expected: Money, total: Money) -> Result<(), Error> {
    if expected.code() != total.code() {
        return Err(Refusal::new(
            Reason::CURRENCY_MISMATCH,
            format!("expected_total is in {}, and the room is sold in {}", expected.code(), total.code()),
        )
        .into());
    }
    if expected != total {
        return Err(Refusal::new(reasons::PRICE_CHANGED, format!("the price is {total} and no longer {expected}"))
            .hint("show the guest the new price, and send it as expected_total")
            .with("total", total)
            .into());
    }
    Ok(())
}

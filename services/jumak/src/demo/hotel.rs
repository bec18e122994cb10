//! The hotel's story.

mod booking;
mod cancelling;
mod room;

use jiff::{ToSpan, Zoned, civil::Date};
use mesh::Role;

use super::{
    people::Person,
    stage::Stage,
    teller::{Ended, Teller},
};

/// Days from today to the first night: in the future in every time zone.
const DAYS_AHEAD: i64 = 30;
/// What a night costs, in won.
const NIGHTLY_RATE: i64 = 80_000;
/// How many nights a stay has.
const NIGHTS: i64 = 2;
/// What a stay costs, in won.
const TOTAL: i64 = NIGHTS * NIGHTLY_RATE;

/// Who and what the story is about.
struct Hotel<'a> {
    stage: &'a Stage,
    /// The room team.
    host: Person,
    /// Who books.
    guest: Person,
    /// Somebody else.
    stranger: Person,
    check_in: Date,
    check_out: Date,
}

impl<'a> Hotel<'a> {
    fn on(stage: &'a Stage) -> anyhow::Result<Self> {
        let check_in = Zoned::now().date().checked_add(DAYS_AHEAD.days())?;
        Ok(Self {
            stage,
            host: stage.person("host", &[Role::Host])?,
            guest: stage.person("guest", &[Role::Guest])?,
            stranger: stage.person("stranger", &[Role::Guest])?,
            check_in,
            check_out: check_in.checked_add(NIGHTS.days())?,
        })
    }
}

/// Tells the story, up to the first line that does not hold.
pub async fn tell(stage: &Stage, teller: &mut Teller) -> Result<(), Ended> {
    let hotel = &teller.line("", "a host, a guest and a stranger have their tokens", async { Hotel::on(stage) }).await?;

    let room = teller
        .line("A1", "the room team registers a room, and others learn of it by event", hotel.registers_a_room())
        .await?;
    teller.line("M2", "a guest finds it by dates, guests, size, amenities and price", hotel.is_found(&room)).await?;
    teller.line("A16", "reservation answers whether the dates are free, and at which price", hotel.is_free(&room)).await?;
    teller
        .line("A2", "no payment, no reservation: a declined card leaves the room free", hotel.is_declined(&room))
        .await?;
    let stay = teller
        .line("A2", "a reservation is complete only once its payment is", hotel.is_booked(&room))
        .await?;
    teller.line("Z1", "what is sold is sold once", hotel.is_sold_once(&room)).await?;
    teller.line("Z3", "the same request again gets the first answer, another one none", hotel.is_replayed(&stay)).await?;
    teller.line("A3", "its nights become CHARGED, by event", hotel.nights_become(&room, booking::CHARGED)).await?;
    teller.line("A11", "it shows room, people, dates, amount, payment and state", hotel.shows_everything(&stay)).await?;
    teller.line("A4", "it is looked up while nothing else can be reached", hotel.is_looked_up(&stay)).await?;
    teller.line("M5", "the booking is passed on to the host", hotel.is_passed_on(&stay)).await?;
    teller.line("M6", "nobody else sees it, or may cancel it", hotel.is_private(&stay)).await?;

    let cancelled =
        teller.line("A5", "the guest cancels: CANCEL_REQUESTED, with what comes back", hotel.is_cancelled(&stay)).await?;
    teller.line("A6", "the payment is cancelled by event, and only then is the reservation", hotel.is_refunded(&cancelled)).await?;
    teller.line("A3", "its nights are VACANT again, by event", hotel.nights_become(&room, booking::VACANT)).await?;
    teller.line("Z7", "its timeline says what happened, and why, under one correlation id", hotel.is_told(&cancelled)).await?;

    let held = teller.line("Z2", "a hold shows when it expires, and survives a declined card", hotel.is_held(&room)).await?;
    teller.line("M1", "the host removes the room, and its guest is refunded", hotel.is_removed(&room, &held)).await?;
    if let Some(audit) = stage.audit().await {
        teller.line("Z10", "the audit proves the books", async { audit }).await?;
    }
    Ok(())
}

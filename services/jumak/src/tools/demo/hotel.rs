//! The hotel's story.

mod booking;
mod cancelling;
mod room;

use std::io::Write;

use jiff::{ToSpan, Zoned, civil::Date};
use mesh::Role;

use self::booking::{CHARGED, VACANT};
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
#[derive(Debug)]
pub struct Hotel<'a> {
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
    /// The story's people, met on `stage`.
    pub fn on(stage: &'a Stage) -> anyhow::Result<Self> {
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

    /// Tells the story, up to the first line that does not hold.
    pub async fn tell<W: Write>(&self, teller: &mut Teller<W>) -> Result<(), Ended> {
        let claim = "the room team registers a room, and others learn of it by event";
        let room = &teller.line("A1", claim, self.registers_a_room()).await?;
        let claim = "a guest finds it by dates, guests, size, amenities and price";
        teller.line("M2", claim, self.is_found(room)).await?;
        let claim = "reservation answers whether the dates are free, and at which price";
        teller.line("A16", claim, self.is_free(room)).await?;

        let claim = "no payment, no reservation: a declined card leaves the room free";
        teller.line("A2", claim, self.is_declined(room)).await?;
        let claim = "a reservation is complete only once its payment is";
        let stay = &teller.line("A2", claim, self.is_booked(room)).await?;
        let claim = "the last room is sold once";
        teller.line("Z1", claim, self.is_sold_once(room)).await?;
        let claim = "the same request again gets the first answer, another one under its id none";
        teller.line("Z3", claim, self.is_replayed(stay)).await?;

        let claim = "the room becomes CHARGED for its nights, by event";
        teller.line("A3", claim, self.nights_become(room, CHARGED)).await?;
        let claim = "reservation and view show room, people, dates, amount, payment and state";
        teller.line("A11", claim, self.shows_everything(stay)).await?;
        let claim = if self.stage.is_its_own() {
            "the reservation is looked up with every other context cut off"
        } else {
            "the reservation is looked up in a read model of its own"
        };
        teller.line("A4", claim, self.is_looked_up(stay)).await?;
        let claim = "the booking is passed on to the host";
        teller.line("M5", claim, self.is_passed_on(stay)).await?;
        let claim = "nobody else sees it or cancels it";
        teller.line("M6", claim, self.is_private(stay)).await?;

        let claim = "the guest cancels: CANCEL_REQUESTED, and what comes back is said";
        let cancelled = &teller.line("A5", claim, self.is_cancelled(stay)).await?;
        let claim = "the payment is cancelled by event; only then is the reservation CANCELLED";
        teller.line("A6", claim, self.is_refunded(cancelled)).await?;
        let claim = "the room is VACANT again, by event";
        teller.line("A3", claim, self.nights_become(room, VACANT)).await?;
        let claim = "its timeline says what happened, and which event caused it, under one correlation id";
        teller.line("Z7", claim, self.is_told(cancelled)).await?;

        let claim = "a hold shows when it expires, and outlives a declined card";
        let held = &teller.line("Z2", claim, self.is_held(room)).await?;
        let claim = "the host removes the room, and its guest is refunded";
        teller.line("M1", claim, self.is_removed(room, held)).await?;
        if let Some(audit) = self.stage.audit().await {
            let claim = "the audit proves the books of all contexts and of the provider";
            teller.line("Z10", claim, async { audit }).await?;
        }
        Ok(())
    }
}

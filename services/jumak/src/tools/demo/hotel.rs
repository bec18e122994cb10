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
    reporter::{Ended, Reporter},
    stage::Stage,
};

/// Days from today to the first night: in the future in every time zone.
const DAYS_AHEAD: i64 = 30;
/// The price of a night, in won.
const NIGHTLY_RATE: i64 = 80_000;
/// The nights of a stay.
const NIGHTS: i64 = 2;
/// The price of a stay, in won.
const TOTAL: i64 = NIGHTS * NIGHTLY_RATE;

/// The story's system and people.
#[derive(Debug)]
pub struct Hotel<'a> {
    stage: &'a Stage,
    /// The room team.
    host: Person,
    /// The user who books.
    guest: Person,
    /// Another user.
    stranger: Person,
    check_in: Date,
    check_out: Date,
}

impl<'a> Hotel<'a> {
    /// The story on `stage`, with new people.
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

    /// Plays the story, up to the first line that does not hold.
    pub async fn play<W: Write>(&self, reporter: &mut Reporter<W>) -> Result<(), Ended> {
        let claim = "the room team registers a room, and other contexts learn of it by event";
        let room = &reporter.line("A1", claim, self.registers_a_room()).await?;
        let claim = "a guest finds it by dates, guests, size, amenities and price";
        reporter.line("M2", claim, self.is_found(room)).await?;
        let claim = "reservation answers whether the dates are free, and at which price";
        reporter.line("A16", claim, self.is_free(room)).await?;

        let claim = "no payment, no reservation: a declined card leaves the room free";
        reporter.line("A2", claim, self.is_declined(room)).await?;
        let claim = "a reservation is complete only once its payment is";
        let stay = &reporter.line("A2", claim, self.is_booked(room)).await?;
        let claim = "the last room is sold once";
        reporter.line("Z1", claim, self.is_sold_once(room)).await?;
        let claim = "the same request again gets the first answer, and another request under its id is refused";
        reporter.line("Z3", claim, self.is_replayed(stay)).await?;

        let claim = "the room becomes CHARGED for its nights, by event";
        reporter.line("A3", claim, self.nights_become(room, CHARGED)).await?;
        let claim = "reservation and view show room, people, dates, amount, payment and state";
        reporter.line("A11", claim, self.shows_everything(stay)).await?;
        let claim = if self.stage.is_its_own() {
            "the reservation is looked up with every other context cut off"
        } else {
            "the reservation is looked up in a read model of its own"
        };
        reporter.line("A4", claim, self.is_looked_up(stay)).await?;
        let claim = "the booking is passed on to the host";
        reporter.line("M5", claim, self.is_passed_on(stay)).await?;
        let claim = "no other user can see it or cancel it";
        reporter.line("M6", claim, self.is_private(stay)).await?;

        let claim = "the guest cancels: CANCEL_REQUESTED, with the refund amount";
        let cancelled = &reporter.line("A5", claim, self.is_cancelled(stay)).await?;
        let claim = "the payment is cancelled by event; only then is the reservation CANCELLED";
        reporter.line("A6", claim, self.is_refunded(cancelled)).await?;
        let claim = "the room is VACANT again, by event";
        reporter.line("A3", claim, self.nights_become(room, VACANT)).await?;
        let claim = "its timeline shows what happened, and which event caused it, under one correlation id";
        reporter.line("Z7", claim, self.is_told(cancelled)).await?;

        let claim = "a hold shows when it expires, and a declined card does not end it";
        let held = &reporter.line("Z2", claim, self.is_held(room)).await?;
        let claim = "the host removes the room, and its guest is refunded";
        reporter.line("M1", claim, self.is_removed(room, held)).await?;
        if let Some(audit) = self.stage.audit().await {
            let claim = "the audit proves the books of all contexts and of the provider";
            reporter.line("Z10", claim, async { audit }).await?;
        }
        Ok(())
    }
}

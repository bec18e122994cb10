//! What the auditor reads here: every booking as this read model believes it, to be compared with the sources. Nothing is written.

use mesh::{Database, Error, fields};

use crate::{
    store::read::{self, Row},
    view,
};

/// How many bookings are read at a time.
const PAGE: u64 = 1_000;

/// A booking as one party is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingRow {
    /// The case: `reservations/…`.
    pub case: String,
    /// The party: `users/…`.
    pub user: String,
    /// The owner's word.
    pub state: String,
    /// The owner's version.
    pub version: i64,
    /// Payment's word; empty if payment has told of none.
    pub payment_state: String,
    /// What is given back, in minor units.
    pub refunded_minor: i64,
}

/// Every booking, by case and party.
pub async fn bookings(database: &Database) -> Result<Vec<BookingRow>, Error> {
    let mut believed = Vec::new();
    let mut last = None;
    loop {
        let page = read::all_bookings(database, last.as_ref(), PAGE).await?;
        let Some((booking, _)) = page.last() else { return Ok(believed) };
        last = Some((booking.case_id, booking.user_name.clone()));
        for row in page {
            believed.push(believe(row)?);
        }
    }
}

fn believe((booking, case): Row) -> Result<BookingRow, Error> {
    Ok(BookingRow {
        case: fields::name(view::collection(&case)?, case.case_id),
        user: booking.user_name,
        state: case.state,
        version: case.version,
        payment_state: case.payment_state,
        refunded_minor: case.refunded_minor,
    })
}

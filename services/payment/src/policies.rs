//! Whenever a case requests its money back, the refund is committed as an intent under the payment's one refund id; the recovery loop
//! performs it. Such events, in any order and any number, lead to one refund.

use std::{sync::Arc, time::Duration};

use contracts::{
    google::r#type::Money as ProtoMoney,
    reservation::v1::{Reservation, ReservationCancelRequested, ReservationRefundRequested},
};
use mesh::{
    Actor, Error, Event, Tx, checkout::refund_id, context::Handled, fields::parse_name, hearing::Hearing, money::Money,
};
use uuid::Uuid;

use crate::{
    CONTEXT,
    app::{App, Wish, not_found},
    store,
};

/// The refund that an event requests.
struct Asked {
    /// The case whose payment it is: another case's payment is not touched.
    case: String,
    /// The payment: `payments/…`.
    payment: String,
    /// How much; `None` is all of it.
    amount: Option<ProtoMoney>,
}

/// The events that payment consumes: every event that requests a refund.
pub fn hearing(app: Arc<App>) -> Hearing<Arc<App>> {
    Hearing::new(app)
        .on("reservation", |app, tx, told: ReservationCancelRequested, event| {
            let asks = |case: Reservation| Asked { case: case.name, payment: case.payment, amount: case.refund_amount };
            Box::pin(refund(app, tx, event, told.reservation.map(asks)))
        })
        .on("reservation", |app, tx, told: ReservationRefundRequested, event| {
            let asks = |case: Reservation| Asked { case: case.name, payment: told.payment, amount: None };
            Box::pin(refund(app, tx, event, told.reservation.map(asks)))
        })
}

/// Commits the intent. An event about a payment that is not the case's, or was not paid, becomes a dead letter instead of being
/// skipped, because a guest waits for that money.
async fn refund(app: &App, tx: &Tx, event: &Event, asked: Option<Asked>) -> Result<Handled, Error> {
    let asked = asked.ok_or_else(|| event.malformed("it carries no case"))?;
    let amount = asked.amount.as_ref().map(Money::try_from).transpose();
    let amount = amount.map_err(|error| event.malformed(format!("its amount {error}")))?;
    if amount.is_some_and(Money::is_zero) {
        return Ok(Handled::Done);
    }
    let id = parse_name(&asked.payment, "payments").ok_or_else(|| event.malformed("it names no payment"))?;
    let payment = store::lock(tx, id).await?.filter(|payment| payment.case == asked.case);
    let payment = payment.ok_or_else(|| not_found(&asked.payment))?;
    let refund = Uuid::try_parse(&refund_id(&asked.payment))
        .map_err(|error| Error::Internal(format!("a refund's id is not valid: {error}")))?;
    let wish = Wish { payment: id, refund, amount };
    app.ask_refund(tx, payment, &wish, Actor::hearing(CONTEXT, event), Duration::ZERO).await?;
    Ok(Handled::Done)
}

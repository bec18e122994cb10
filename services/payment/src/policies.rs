//! Whenever a case wants its money back, its refund is committed as an intent under the payment's one refund id; the recovery loop
//! performs it. In any order, any number of times, that is one refund.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use contracts::{
    google::r#type::Money as ProtoMoney,
    reservation::v1::{ReservationCancelRequested, ReservationRefundRequested},
};
use mesh::{
    Actor, Error, Event, Reason, Refusal, Tx,
    checkout::refund_id,
    context::{Handled, Policies},
    fields::parse_name,
    money::Money,
};
use prost::{Message, Name};
use uuid::Uuid;

use crate::{
    CONTEXT,
    app::{App, Wish, not_found},
    store,
};

/// What an event asks for.
struct Asked {
    /// The case whose payment it is: another case's payment is not touched.
    case: String,
    /// The payment: `payments/…`.
    payment: String,
    /// How much; `None` is all of it.
    amount: Option<ProtoMoney>,
}

/// Reads what an event asks for; none if it asks for nothing.
type Read = fn(&Event) -> Result<Option<Asked>, Error>;

/// Every event that asks for a refund: where it is published, and how it is read.
const ASKING: &[(&str, Read)] = &[
    ("jumak.reservation.v1.reservation.cancel_requested", |event| {
        let case = decode::<ReservationCancelRequested>(event)?.reservation;
        Ok(case.map(|case| Asked { case: case.name, payment: case.payment, amount: case.refund_amount }))
    }),
    ("jumak.reservation.v1.reservation.refund_requested", |event| {
        let message = decode::<ReservationRefundRequested>(event)?;
        Ok(message.reservation.map(|case| Asked { case: case.name, payment: message.payment, amount: None }))
    }),
];

/// The routes of the events that payment hears.
pub fn filters() -> Vec<String> {
    ASKING.iter().map(|(route, _)| (*route).to_owned()).collect()
}

/// Payment's policies.
pub struct RefundPolicies(Arc<App>);

impl RefundPolicies {
    /// The policies over `app`.
    pub fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

#[async_trait]
impl Policies for RefundPolicies {
    async fn handle(&self, tx: &Tx, event: &Event) -> Result<Handled, Error> {
        let Some((_, read)) = ASKING.iter().find(|(route, _)| *route == event.route) else {
            return Ok(Handled::Unknown);
        };
        if let Some(asked) = read(event)? {
            self.refund(tx, event, asked).await?;
        }
        Ok(Handled::Done)
    }
}

impl RefundPolicies {
    /// Commits the intent. An event about a payment that is not the case's, or was not paid, is put aside with that reason rather
    /// than passed over: somebody waits for that money.
    async fn refund(&self, tx: &Tx, event: &Event, asked: Asked) -> Result<(), Error> {
        let amount = asked.amount.as_ref().map(Money::try_from).transpose();
        let amount = amount.map_err(|error| unreadable(event, &error.to_string()))?;
        if amount.is_some_and(Money::is_zero) {
            return Ok(());
        }
        let id = parse_name(&asked.payment, "payments").ok_or_else(|| unreadable(event, "it names no payment"))?;
        let payment = store::lock(tx, id).await?.filter(|payment| payment.case == asked.case);
        let payment = payment.ok_or_else(|| not_found(&asked.payment))?;
        let refund = Uuid::try_parse(&refund_id(&asked.payment))
            .map_err(|error| Error::Internal(format!("a refund's id is none: {error}")))?;
        let wish = Wish { payment: id, refund, amount };
        self.0.ask_refund(tx, payment, &wish, Actor::hearing(CONTEXT, event), Duration::ZERO).await?;
        Ok(())
    }
}

fn decode<M: Message + Name + Default>(event: &Event) -> Result<M, Error> {
    match event.decode::<M>() {
        Some(Ok(message)) => Ok(message),
        Some(Err(error)) => Err(unreadable(event, &error.to_string())),
        None => Err(unreadable(event, "its type is not that of its route")),
    }
}

fn unreadable(event: &Event, why: &str) -> Error {
    Refusal::new(Reason::InvalidFields, format!("the event {} cannot be read: {why}", event.id)).into()
}

//! Payment's events: each fact as its event, with the payment after the change.

use contracts::payment::v1 as proto;
use mesh::{Actor, Event};
use prost::{Message, Name};

use crate::{
    CONTEXT, convert,
    domain::payment::{Fact, Payment},
};

/// The aggregate that every event is about.
const AGGREGATE: &str = "payment";

/// The event of a fact that has become true of `payment`.
pub fn event(payment: &Payment, fact: &Fact, actor: &Actor) -> Event {
    let after = Some(convert::payment(payment));
    match fact {
        Fact::ActionRequired => about(payment, actor, &proto::PaymentActionRequired { payment: after }),
        Fact::Approved => about(payment, actor, &proto::PaymentApproved { payment: after }),
        Fact::Declined => about(payment, actor, &proto::PaymentDeclined { payment: after }),
        Fact::Voided => about(payment, actor, &proto::PaymentVoided { payment: after }),
        Fact::Refunded(refund) => {
            let refund = Some(convert::refund(refund));
            about(payment, actor, &proto::PaymentRefunded { payment: after, refund })
        }
        Fact::RefundFailed(refund) => {
            let refund = Some(convert::refund(refund));
            about(payment, actor, &proto::PaymentRefundFailed { payment: after, refund })
        }
    }
}

fn about<M: Message + Name>(payment: &Payment, actor: &Actor, message: &M) -> Event {
    let sequence = u64::try_from(payment.version).unwrap_or_default();
    Event::new(CONTEXT, AGGREGATE, payment.name(), sequence, payment.update_time, actor, message)
}

//! Payment, as a checkout needs it: a port, and its adapter over the payment context's own API.

use std::time::Duration;

use async_trait::async_trait;
use contracts::{
    payment::v1::{
        CreatePaymentRequest, GetPaymentRequest, Payment, Refund, RefundPaymentRequest, VoidPaymentRequest, payment,
        payment_service_client::PaymentServiceClient, refund,
    },
    types::v1::PaymentMethod,
};
use jiff::Timestamp;
use mesh_foundation::{
    clock,
    error::{Error, Reason, Refusal},
    money::Money,
    types::PaymentAction,
    unicode::clipped,
};
use mesh_transport::client::{Upstream, outgoing, surely_not_sent};
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{
    machine::Outcome,
    reasons,
    record::{Record, refund_id},
};

/// How long the sweeper's questions may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);

/// Characters of why a payment was declined or a refund failed, wherever that is kept.
pub const MAX_REASON_CHARS: u32 = 255;
/// Characters of the page at which a payer has to do something, wherever that is kept.
pub const MAX_ACTION_URI_CHARS: u32 = 2_048;
/// Characters of the label of what was paid with, wherever that is kept.
pub const MAX_LABEL_CHARS: u32 = 60;

/// What is known of a payment after it was asked for or about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentStatus {
    /// What it means for the case.
    pub outcome: Outcome,
    /// `visa 4242`.
    pub label: Option<String>,
    /// Why it was declined.
    pub reason: Option<String>,
    /// What the payer has to do first.
    pub action: Option<PaymentAction>,
    /// When it was approved.
    pub pay_time: Option<Timestamp>,
    /// What to tell the caller when nothing was sent.
    pub refusal: Option<Refusal>,
}

impl PaymentStatus {
    /// Just an outcome.
    pub const fn bare(outcome: Outcome) -> Self {
        Self { outcome, label: None, reason: None, action: None, pay_time: None, refusal: None }
    }
}

/// What became of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refunded {
    /// It is on its way.
    Pending,
    /// The money is back.
    Succeeded,
    /// The provider refused it for good, and why.
    Failed(String),
}

/// Payment, as a checkout needs it. Never called while a transaction is open.
#[async_trait]
pub trait Payments: Send + Sync + 'static {
    /// Why payment would not even be asked now: looked at before a hold is taken, so that an open circuit takes none.
    fn refuses_now(&self) -> Option<Refusal>;
    /// Asks for the payment of the record's newest attempt. Asking again with the same record asks for the same payment.
    async fn create(&self, record: &Record, payment: &str, token: &str, within: Duration) -> PaymentStatus;
    /// Asks about a payment; `None` if there is no such payment.
    async fn get(&self, record: &Record, payment: &str) -> Result<Option<PaymentStatus>, Error>;
    /// Voids a payment, there or not, and tells what stands.
    async fn void(&self, record: &Record, payment: &str) -> Result<PaymentStatus, Error>;
    /// Asks for the one refund of a cancellation, and tells how it stands: also as succeeded if it failed, and all of it went back by
    /// others.
    async fn refund(&self, record: &Record, payment: &str, amount: Money) -> Result<Refunded, Error>;
}

/// The payment context, over the client stack.
pub struct PaymentContext(Upstream);

impl PaymentContext {
    /// The payment context behind `upstream`.
    pub fn new(upstream: Upstream) -> Self {
        Self(upstream)
    }

    fn client(&self) -> PaymentServiceClient<Upstream> {
        PaymentServiceClient::new(self.0.clone())
    }
}

#[async_trait]
impl Payments for PaymentContext {
    fn refuses_now(&self) -> Option<Refusal> {
        self.0.refuses_now()
    }

    async fn create(&self, record: &Record, payment: &str, token: &str, within: Duration) -> PaymentStatus {
        let request = CreatePaymentRequest {
            payment_id: payment.strip_prefix("payments/").unwrap_or(payment).to_owned(),
            payment: Some(Payment {
                case: record.name.clone(),
                payer: record.payer.clone(),
                payee: record.payee.clone(),
                amount: Some(record.total.into()),
                earn_time: Some(clock::to_proto(record.earn_time)),
                ..Payment::default()
            }),
            payment_method: Some(PaymentMethod { token: token.to_owned() }),
        };
        let request = outgoing(request, &record.correlation_id, Instant::now() + within).idempotent();
        match self.client().create_payment(request).await {
            Ok(payment) => seen(payment.get_ref()),
            Err(status) => from_refusal(&status),
        }
    }

    async fn get(&self, record: &Record, payment: &str) -> Result<Option<PaymentStatus>, Error> {
        let request = GetPaymentRequest { name: payment.to_owned() };
        let request = outgoing(request, &record.correlation_id, Instant::now() + ASK_TIMEOUT).idempotent();
        match self.client().get_payment(request).await {
            Ok(payment) => Ok(Some(seen(payment.get_ref()))),
            // Only payment's own word for it counts: a NOT_FOUND of a proxy says nothing about the payment.
            Err(status) if Reason::of(&status) == Some(reasons::PAYMENT_NOT_FOUND) => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    async fn void(&self, record: &Record, payment: &str) -> Result<PaymentStatus, Error> {
        let request = VoidPaymentRequest { name: payment.to_owned(), case: record.name.clone() };
        let request = outgoing(request, &record.correlation_id, Instant::now() + ASK_TIMEOUT).idempotent();
        Ok(seen(self.client().void_payment(request).await?.get_ref()))
    }

    async fn refund(&self, record: &Record, payment: &str, amount: Money) -> Result<Refunded, Error> {
        let request = RefundPaymentRequest {
            name: payment.to_owned(),
            refund_id: refund_id(payment),
            amount: Some(amount.into()),
        };
        let request = outgoing(request, &record.correlation_id, Instant::now() + ASK_TIMEOUT).idempotent();
        let outcome = refunded(self.client().refund_payment(request).await?.get_ref());
        if !matches!(outcome, Refunded::Failed(_)) {
            return Ok(outcome);
        }
        // It may have been asked for again under another id, of which only the payment tells here.
        let request = GetPaymentRequest { name: payment.to_owned() };
        let request = outgoing(request, &record.correlation_id, Instant::now() + ASK_TIMEOUT).idempotent();
        let made_good = covers(self.client().get_payment(request).await?.get_ref(), Some(amount));
        Ok(if made_good { Refunded::Succeeded } else { outcome })
    }
}

/// What a payment says, read for the case.
pub(super) fn seen(payment: &Payment) -> PaymentStatus {
    use payment::State;
    let outcome = match payment.state() {
        State::Approved | State::PartlyRefunded | State::Refunded => Outcome::Approved,
        State::Declined => Outcome::Declined,
        State::Voided => Outcome::Voided,
        State::Pending | State::ActionRequired | State::Unspecified => Outcome::Unknown,
    };
    PaymentStatus {
        outcome,
        label: payment
            .method
            .as_ref()
            .map(|method| clipped(&format!("{} {}", method.brand, method.last4), MAX_LABEL_CHARS)),
        reason: Some(clipped(&payment.decline_reason, MAX_REASON_CHARS)).filter(|reason| !reason.is_empty()),
        action: payment.action.as_ref().map(|action| PaymentAction {
            uri: clipped(&action.uri, MAX_ACTION_URI_CHARS),
            expire_time: action.expire_time.as_ref().and_then(clock::from_proto),
        }),
        pay_time: payment.approve_time.as_ref().and_then(clock::from_proto),
        refusal: None,
    }
}

/// What a refund says.
pub(super) fn refunded(refund: &Refund) -> Refunded {
    match refund.state() {
        refund::State::Succeeded => Refunded::Succeeded,
        refund::State::Failed => Refunded::Failed(clipped(&refund.failure_reason, MAX_REASON_CHARS)),
        refund::State::Pending | refund::State::Unspecified => Refunded::Pending,
    }
}

/// Whether all that a cancellation gives back went back, by whatever refunds.
pub(super) fn covers(payment: &Payment, owed: Option<Money>) -> bool {
    let given_back = payment.refunded_amount.as_ref().and_then(|amount| Money::try_from(amount).ok());
    match (given_back, owed) {
        (Some(given_back), Some(owed)) => given_back.minus(owed).is_ok(),
        _ => false,
    }
}

/// Rule N: what a refused CreatePayment means. Only what was surely not carried out counts as not sent; the rest is unknown, and
/// the sweeper asks.
fn from_refusal(status: &Status) -> PaymentStatus {
    if surely_not_sent(status) {
        return PaymentStatus::bare(Outcome::NotSent);
    }
    match Refusal::from_status(status) {
        Some(refusal) if refusal.reason == reasons::PAYMENT_VOIDED => PaymentStatus::bare(Outcome::Voided),
        Some(refusal) if refusal.reason == reasons::PAYMENT_UNAVAILABLE => PaymentStatus::bare(Outcome::NotSent),
        // Payment read the request and would not have it: it committed nothing, and says what is wrong.
        Some(refusal) if refusal.reason.code() == Code::InvalidArgument => {
            PaymentStatus { refusal: Some(refusal), ..PaymentStatus::bare(Outcome::NotSent) }
        }
        refusal => {
            let reason = refusal.as_ref().map(|refusal| refusal.reason.as_str());
            tracing::warn!(code = ?status.code(), reason, "the payment's outcome is unknown");
            PaymentStatus::bare(Outcome::Unknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use contracts::{payment::v1::Refund, types::v1::PaymentAction as Action};

    use super::*;

    #[test]
    fn a_text_longer_than_its_column_is_clipped_by_characters() {
        let long = "결".repeat(5_000);
        let payment = Payment {
            decline_reason: long.clone(),
            method: Some(payment::Method { brand: long.clone(), ..Default::default() }),
            action: Some(Action { uri: long.clone(), expire_time: None }),
            ..Payment::default()
        };
        let seen = seen(&payment);
        let chars = |text: Option<String>| text.map(|text| text.chars().count());
        assert_eq!(chars(seen.reason), Some(255));
        assert_eq!(chars(seen.label), Some(60));
        assert_eq!(chars(seen.action.map(|action| action.uri)), Some(2_048));
        let refund = Refund { state: refund::State::Failed.into(), failure_reason: long, ..Refund::default() };
        assert_eq!(refunded(&refund), Refunded::Failed("결".repeat(255)));
    }
}

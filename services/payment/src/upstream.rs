//! The provider over its API: the adapter behind the port.

use std::time::Duration;

use async_trait::async_trait;
use contracts::provider::v1::{
    Charge, CreateChargeRequest, GetChargeRequest, RefundChargeRequest, charge, charge_refund,
    provider_service_client::ProviderServiceClient,
};
use mesh::{
    Reason, Refusal,
    checkout::payments::{MAX_ACTION_URI_CHARS, MAX_REASON_CHARS},
    client::{Upstream, outgoing, surely_not_sent},
    clock,
    money::Money,
    types::PaymentAction,
    unicode::clipped,
};
use tokio::time::Instant;
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::{
    domain::provider::{Call, Method, Outcome, PaymentProvider, RefundOutcome},
    reasons,
};

/// When to try again if the circuit does not say.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// The simulated provider, over the client stack.
pub struct SimulatedProvider(Upstream);

impl SimulatedProvider {
    /// The provider behind `upstream`.
    pub fn new(upstream: Upstream) -> Self {
        Self(upstream)
    }

    fn client(&self) -> ProviderServiceClient<Upstream> {
        ProviderServiceClient::new(self.0.clone())
    }
}

#[async_trait]
impl PaymentProvider for SimulatedProvider {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn refuses_now(&self) -> Option<Duration> {
        self.0.refuses_now().map(|refusal| refusal.retry_after.unwrap_or(TRY_AGAIN))
    }

    async fn charge(&self, call: Call<'_>, payment: Uuid, amount: Money, token: &str) -> Outcome {
        let message = CreateChargeRequest {
            charge_id: payment.to_string(),
            amount: Some(amount.into()),
            token: token.to_owned(),
        };
        match self.client().create_charge(request(call, message)).await {
            Ok(charge) => outcome(charge.into_inner()),
            Err(status) if surely_not_sent(&status) => Outcome::NotSent,
            Err(status) => match Refusal::from_status(&status) {
                // The provider's own refusal, not a proxy's: it read the call and rejected it.
                Some(refusal) if refusal.reason.code() == Code::InvalidArgument => Outcome::Refused(refusal),
                _ => unknown("charge", &status),
            },
        }
    }

    async fn look(&self, call: Call<'_>, payment: Uuid) -> Outcome {
        let message = GetChargeRequest { charge_id: payment.to_string() };
        match self.client().get_charge(request(call, message)).await {
            Ok(charge) => outcome(charge.into_inner()),
            Err(status) if Reason::of(&status) == Some(reasons::CHARGE_NOT_FOUND) => Outcome::NotFound,
            Err(status) => unknown("look", &status),
        }
    }

    async fn refund(&self, call: Call<'_>, payment: Uuid, refund: Uuid, amount: Money) -> RefundOutcome {
        use charge_refund::State;
        let message = RefundChargeRequest {
            charge_id: payment.to_string(),
            refund_id: refund.to_string(),
            amount: Some(amount.into()),
        };
        match self.client().refund_charge(request(call, message)).await {
            Ok(refund) => match refund.get_ref().state() {
                State::Succeeded => RefundOutcome::Succeeded,
                State::Failed => {
                    RefundOutcome::Failed { reason: clipped(&refund.get_ref().failure_reason, MAX_REASON_CHARS) }
                }
                State::Pending | State::Unspecified => RefundOutcome::Open,
            },
            Err(status) => match Reason::of(&status) {
                Some(reason) if matches!(reason.code(), Code::FailedPrecondition | Code::InvalidArgument) => {
                    RefundOutcome::Failed { reason: reason.as_str().to_owned() }
                }
                _ => {
                    unknown("refund", &status);
                    RefundOutcome::Open
                }
            },
        }
    }
}

/// Every call has a key, so every call may be sent twice.
fn request<M>(call: Call<'_>, message: M) -> Request<M> {
    outgoing(message, call.correlation_id, Instant::now() + call.within).idempotent().into()
}

fn outcome(charge: Charge) -> Outcome {
    use charge::State;
    match charge.state() {
        // Refunds are in our own books.
        State::Charged | State::PartlyRefunded | State::Refunded => {
            let method = charge.method.unwrap_or_default();
            Outcome::Charged {
                method: Method {
                    kind: clipped(&method.kind, 32),
                    brand: clipped(&method.brand, 32),
                    last4: clipped(&method.last4, 4),
                },
                reference: clipped(&charge.charge_id, 128),
            }
        }
        State::Declined => Outcome::Declined { reason: clipped(&charge.decline_reason, MAX_REASON_CHARS) },
        State::ActionRequired => Outcome::ActionRequired(PaymentAction {
            uri: clipped(&charge.action_uri, MAX_ACTION_URI_CHARS),
            expire_time: charge.action_expire_time.as_ref().and_then(clock::from_proto),
        }),
        State::Processing => Outcome::Processing,
        State::Unspecified => Outcome::Unknown,
    }
}

fn unknown(operation: &str, status: &Status) -> Outcome {
    tracing::warn!(operation, code = ?status.code(), "the provider's answer does not tell the outcome; recovery will retry");
    Outcome::Unknown
}

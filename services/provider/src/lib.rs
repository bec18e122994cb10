//! The simulated payment provider: a party of its own, as a bank is, with its own books. It is served through the same stack as a
//! context, but it is none of ours: it has no events and hears nothing, and payment knows it by its API alone.
//!
//! **Owns** charges, their refunds, and a row for each time that money moved. **Invariants:** an id is charged at most once and
//! refunded at most once, whatever is repeated; no more goes back than was taken; what was accepted is carried out, also after a
//! crash; tokens are not kept.
//!
//! What a token does:
//!
//! | token | the charge | its caller |
//! |---|---|---|
//! | `tok_approve` | is made at once | is answered |
//! | `tok_decline_insufficient_funds`, `tok_decline_expired` | is declined at once | is answered |
//! | `tok_action_required` | waits for CompleteChargeAction, and is declined [`Settings::action_time`] later | is answered ACTION_REQUIRED |
//! | `tok_slow_<ms>` | is made after so many milliseconds, 0 to 60000 | is answered then |
//! | `tok_error` | is not made, and nothing is kept | gets a bare gRPC error |
//! | `tok_timeout_then_approved`, `tok_timeout_then_declined` | is made or declined [`Settings::late_after`] | is never answered |
//! | `tok_refund_declined` | is made at once; its refunds are refused for good | is answered |
//! | `tok_refund_timeout_then_done` | is made at once; its refunds are carried out [`Settings::late_after`] | is answered; the refund's caller never is |
//! | `tok_approved_after_void` | is unknown here for [`Settings::lost_for`], as if its call were on its way, and then made | is never answered |
//!
//! Any other token is refused with this list. The second call with an id finds what the first has made, whatever its token.

mod app;
pub mod audit;
pub mod domain;
mod grpc;
pub mod reasons;
mod store;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use contracts::provider::v1::provider_service_server::{ProviderServiceServer, SERVICE_NAME};
use mesh::{
    Deps, Descriptor, Error, Role,
    auth::access::Rule,
    context::{Parts, Rank},
    page::PageTokens,
};
use tonic::service::Routes;

use self::{app::App, grpc::Api};

/// How late the provider is when a token asks it to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When charges and refunds are carried out whose caller gets no answer.
    pub late_after: Duration,
    /// How long the call of `tok_approved_after_void` is on its way. To do what its name says, longer than payment takes to give up.
    pub lost_for: Duration,
    /// How long a payer has to approve a charge.
    pub action_time: Duration,
    /// The address of the bank's page; a charge's id is put after it.
    pub action_page: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            late_after: Duration::from_secs(2),
            lost_for: Duration::from_secs(25),
            action_time: Duration::from_secs(5 * 60),
            action_page: "https://bank.example/charges/".to_owned(),
        }
    }
}

/// Who pays through this provider.
const PAYMENT: &[&str] = &["payment"];

/// Who may call what. CompleteChargeAction stands for the bank's own page, which asks whoever has its address: the charge's id is
/// the secret in it, and a guest is enough.
const ACCESS: &[Rule] = &[
    Rule::contexts("jumak.provider.v1.ProviderService/CreateCharge", PAYMENT),
    Rule::contexts("jumak.provider.v1.ProviderService/GetCharge", PAYMENT),
    Rule::roles("jumak.provider.v1.ProviderService/CompleteChargeAction", &[Role::Guest, Role::Admin]),
    Rule::contexts("jumak.provider.v1.ProviderService/RefundCharge", PAYMENT),
    Rule::contexts("jumak.provider.v1.ProviderService/GetChargeRefund", PAYMENT),
    Rule::roles_or_contexts("jumak.provider.v1.ProviderService/ListCharges", &[Role::Admin], PAYMENT),
];

/// What the provider is.
pub static DESCRIPTOR: Descriptor = Descriptor {
    name: "provider",
    about: "The simulated payment provider",
    services: &[SERVICE_NAME],
    access: ACCESS,
    rank: Rank::Outside,
    calls: &[],
    cases: None,
    reasons: reasons::ALL,
    reasons_of_others: reasons::OF_OTHERS,
    settings: None,
    hears: None,
    schema: store::SCHEMA,
    assemble: |deps, _| Box::pin(assemble(deps, Settings::default())),
};

/// Puts the provider together.
pub async fn assemble(deps: Deps, settings: Settings) -> Result<Parts, Error> {
    let tokens = PageTokens::of(&deps.database).await?;
    let app = App::new(deps.database, deps.clock, settings);
    let late = Arc::clone(&app);
    let routes = Routes::new(ProviderServiceServer::new(Api::new(app, tokens)));
    Ok(Parts::serving(routes).looping(move |background| late.start(background)))
}

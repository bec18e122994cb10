//! The payment context: charges, refunds, and keeps the ledger.
//!
//! **Owns** payments (one for each attempt to pay for a case), their refunds, and an append-only double-entry
//! [ledger](domain::ledger). The cards are with a provider, behind a [port](domain::provider).
//!
//! **Invariants**
//! - A payment is committed before the provider is called, and its id is the provider's key: money is taken at most once, whatever
//!   is repeated, lost or killed. It is never deleted.
//! - Money that is taken ends in one of two ways: the payment is APPROVED and that is published, or it was VOIDED and the money is
//!   refunded without an event. One conditional update decides which ([`domain::machine`]).
//! - Completed and pending refunds together are never more than the paid amount.
//! - The payer is owed the amount of a failed refund until a refund succeeds; a retry comes out of that amount alone.
//! - The ledger balances, per currency, at every commit.
//! - An unknown outcome is not a failure: the payment stays PENDING, and the recovery loop asks until it is known.
//!
//! **RPCs** CreatePayment, VoidPayment, RefundPayment for contexts, each for its own cases; RetryRefund for the service centre;
//! GetPayment, ListPayments, ListRefunds for payers, payees and agents; ListLedgerEntries for admins.
//!
//! **Events out** PaymentActionRequired, PaymentApproved, PaymentDeclined, PaymentVoided, PaymentRefunded, PaymentRefundFailed.
//! **Events in** requests for refunds: ReservationCancelRequested, ReservationRefundRequested.
//!
//! **Recovery** A payment whose call was sent is asked about with pauses that double up to 30 s (5 s while the payer is on the
//! provider's page). One that the provider does not know [`Settings::give_up_after`] its last call began is voided, and watched. A
//! voided payment that may still be charged is asked about with pauses that double up to a day, for [`Settings::void_watch`]; a
//! charge that is found is booked and given back. A payment that was surely never sent is voided [`Settings::abandon_after`].

mod app;
pub mod audit;
mod convert;
pub mod domain;
mod events;
mod grpc;
pub mod kill;
mod metrics;
mod policies;
pub mod reasons;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod upstream;

use std::sync::Arc;

use contracts::payment::v1::payment_service_server::{PaymentServiceServer, SERVICE_NAME};
use mesh::{
    Deps, Descriptor, Error, Role,
    auth::access::Rule,
    config::AnySection,
    context::{Call, Parts, Rank, Subscription},
    page::PageTokens,
};
use tonic::service::Routes;

pub use domain::pace::Settings;

use self::{app::App, grpc::Api, upstream::SimulatedProvider};

/// The context's name.
const CONTEXT: &str = "payment";
/// The provider's name among the upstreams.
const PROVIDER: &str = "provider";

/// The roles that may read; the WHERE clause decides which payments.
const READERS: &[Role] = &[Role::Guest, Role::Host, Role::Agent, Role::Admin];

/// Who may call what.
const ACCESS: &[Rule] = &[
    Rule::owners("jumak.payment.v1.PaymentService/CreatePayment"),
    Rule::owners("jumak.payment.v1.PaymentService/VoidPayment"),
    Rule::owners("jumak.payment.v1.PaymentService/RefundPayment"),
    Rule::contexts("jumak.payment.v1.PaymentService/RetryRefund", &["servicecenter"]),
    Rule::roles_or_owners("jumak.payment.v1.PaymentService/GetPayment", READERS),
    Rule::roles_or_owners("jumak.payment.v1.PaymentService/ListPayments", READERS),
    Rule::roles_or_owners("jumak.payment.v1.PaymentService/ListRefunds", READERS),
    Rule::roles("jumak.payment.v1.PaymentService/ListLedgerEntries", &[Role::Admin]),
];

/// The context's description.
pub static DESCRIPTOR: Descriptor = Descriptor {
    name: CONTEXT,
    about: "Payments, refunds, the ledger",
    services: &[SERVICE_NAME],
    access: ACCESS,
    rank: Rank::Core,
    calls: &[Call::patient(PROVIDER, |config| config.section::<Settings>().provider_timeout)],
    cases: None,
    reasons: reasons::ALL,
    reasons_of_others: reasons::OF_OTHERS,
    settings: Some(AnySection::of::<Settings>()),
    hears: Some(Subscription::Once),
    schema: store::SCHEMA,
    assemble: |deps, config| Box::pin(assemble(deps, config.section())),
};

/// Builds the context.
pub async fn assemble(deps: Deps, settings: Settings) -> Result<Parts, Error> {
    let provider = Arc::new(SimulatedProvider::new(deps.upstreams.get(PROVIDER)?));
    let tokens = PageTokens::of(&deps.database).await?;
    let app = App::new(deps.database, provider, deps.clock, deps.background, settings)?;
    let recovery = Arc::clone(&app);
    let routes = Routes::new(PaymentServiceServer::new(Api::new(Arc::clone(&app), tokens, deps.owners)));
    let parts = Parts::serving(routes).hearing(policies::hearing(app));
    Ok(parts.looping(move |background| recovery.start(background)))
}

//! Payment and the simulated provider as they are in one process: each behind its own stack, with its own database and key.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use contracts::payment::v1::{
    CreatePaymentRequest, GetPaymentRequest, Payment, RefundPaymentRequest, VoidPaymentRequest, payment,
    payment_service_client::PaymentServiceClient, refund,
};
use contracts::provider::v1::{CompleteChargeActionRequest, provider_service_client::ProviderServiceClient};
use contracts::types::v1::PaymentMethod;
use mesh::{
    Clock, Context, Database, Deps, Descriptor, Reason, Refusal, Role,
    auth::{
        keys::SigningKey,
        token::{Issuer, ServiceTokens},
        verify::{Trust, TrustedIssuer, Verifier},
    },
    background::Background,
    client::{InProcess, Limits, TokenSource, Upstream, Upstreams, outgoing},
    config::LimitsConfig,
    context::Parts,
    fields::name,
    money::Money,
    server::ContextService,
};
use servers::engine::Databases;
use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;

use super::{CASE, GUEST, HOST, owners};
use crate::{audit, reasons};

/// One process, with the contexts that a test starts in it.
struct House {
    databases: Databases,
    registry: InProcess,
    issuer: SigningKey,
    reservation: SigningKey,
    payment: SigningKey,
    background: Background,
}

/// A person's token, for every callee.
struct Person(String);

impl TokenSource for Person {
    fn token(&self, _: &str) -> Result<String, mesh::Error> {
        Ok(self.0.clone())
    }
}

/// Times short enough for a test, in the order in which they have to be.
fn settings() -> crate::Settings {
    crate::Settings {
        provider_timeout: Duration::from_secs(1),
        recovery_interval: Duration::from_millis(50),
        give_up_after: Duration::from_millis(1_500),
        ..crate::Settings::default()
    }
}

fn late() -> provider::Settings {
    provider::Settings {
        late_after: Duration::from_millis(1_200),
        lost_for: Duration::from_secs(4),
        ..provider::Settings::default()
    }
}

impl House {
    async fn open() -> Self {
        let [issuer, reservation, payment] = std::array::from_fn(|_| SigningKey::generate());
        let house = Self {
            databases: Databases::new(),
            registry: InProcess::new(),
            issuer,
            reservation,
            payment,
            background: Background::new(),
        };
        house.start_provider().await;
        house.start_payment().await;
        house
    }

    async fn start_provider(&self) {
        let database = self.database(&provider::DESCRIPTOR).await;
        let parts = provider::assemble(self.deps("provider", database.clone()), late()).await.expect("a context");
        self.serve(&provider::DESCRIPTOR, database, parts);
    }

    async fn start_payment(&self) {
        let database = self.database(&crate::DESCRIPTOR).await;
        let parts = crate::assemble(self.deps("payment", database.clone()), settings()).await.expect("a context");
        self.serve(&crate::DESCRIPTOR, database, parts);
    }

    fn serve(&self, descriptor: &'static Descriptor, database: Database, parts: Parts) {
        let context = Context { descriptor, database, owners: owners().into(), parts };
        let callers = [("reservation", &self.reservation), ("payment", &self.payment)];
        let verifier = Verifier::new(Trust {
            context: descriptor.name.to_owned(),
            issuers: vec![TrustedIssuer {
                name: "jumak".to_owned(),
                audience: "jumak".to_owned(),
                keys: vec![self.issuer.public().clone()],
            }],
            contexts: BTreeMap::from(callers.map(|(name, key)| (name.to_owned(), vec![key.public().clone()]))),
            hint: String::new(),
        });
        let service = ContextService::new(&context, verifier, &LimitsConfig::default()).expect("a service");
        self.registry.register(descriptor.name, service.in_process());
        (context.parts.start)(&self.background);
    }

    async fn database(&self, descriptor: &Descriptor) -> Database {
        let url = self.databases.url(descriptor.name).await.expect("a database");
        let database = Database::connect(&url, 4).await.expect("a connection");
        descriptor.schema.migrate(&database).await.expect("migrated");
        database
    }

    fn deps(&self, name: &str, database: Database) -> Deps {
        let tokens = Arc::new(ServiceTokens::new(name, self.payment.clone()));
        let upstreams = Upstreams::in_process(name.to_owned(), self.registry.clone(), tokens, patient());
        Deps {
            database,
            upstreams,
            owners: owners().into(),
            clock: Clock::system(),
            background: self.background.clone(),
        }
    }

    fn upstream(&self, name: &str, tokens: Arc<dyn TokenSource>, callee: &str) -> Upstream {
        Upstreams::in_process(name.to_owned(), self.registry.clone(), tokens, patient())
            .get(callee)
            .expect("an upstream")
    }

    /// As reservation calls it.
    fn client(&self) -> PaymentServiceClient<Upstream> {
        let tokens = Arc::new(ServiceTokens::new("reservation", self.reservation.clone()));
        PaymentServiceClient::new(self.upstream("reservation", tokens, "payment"))
    }

    async fn pay(&self, id: u128, token: &str) -> Result<Payment, Status> {
        let request = CreatePaymentRequest {
            payment_id: Uuid::from_u128(id).to_string(),
            payment: Some(Payment {
                case: CASE.to_owned(),
                payer: GUEST.to_owned(),
                payee: HOST.to_owned(),
                amount: Some(Money::new(90_000, "KRW").expect("money").into()),
                ..Payment::default()
            }),
            payment_method: Some(PaymentMethod { token: token.to_owned() }),
        };
        Ok(self.client().create_payment(outgoing(request, "case-1", soon())).await?.into_inner())
    }

    async fn void(&self, id: u128) -> payment::State {
        let request = VoidPaymentRequest { name: name("payments", Uuid::from_u128(id)), case: CASE.to_owned() };
        let voided = self.client().void_payment(outgoing(request, "case-1", soon())).await;
        voided.expect("voided").get_ref().state()
    }

    async fn refund(&self, id: u128) -> refund::State {
        let request = RefundPaymentRequest {
            name: name("payments", Uuid::from_u128(id)),
            refund_id: Uuid::from_u128(1_000 + id).to_string(),
            amount: None,
        };
        let refund = self.client().refund_payment(outgoing(request, "case-1", soon())).await;
        refund.expect("a refund").get_ref().state()
    }

    async fn state(&self, id: u128) -> payment::State {
        let request = GetPaymentRequest { name: name("payments", Uuid::from_u128(id)) };
        let payment = self.client().get_payment(outgoing(request, "case-1", soon())).await;
        payment.expect("a payment").get_ref().state()
    }

    /// Waits until the payment is in that state.
    async fn comes_to(&self, id: u128, state: payment::State) {
        self.until(&format!("payment {id} is {state:?}"), async || self.state(id).await == state).await;
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds().await {
            assert!(Instant::now() < deadline, "{what}: not within 20 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How often the provider took money for a payment, and how much of it went back.
    async fn at_the_provider(&self, id: u128) -> (u32, i64) {
        let database = self.database(&provider::DESCRIPTOR).await;
        let charges = provider::audit::charges(&database).await.expect("database");
        let found = charges.into_iter().find(|audited| audited.charge.id == Uuid::from_u128(id).to_string());
        found.map_or((0, 0), |audited| (audited.times_taken, audited.given_back_minor))
    }

    async fn clearing(&self) -> i64 {
        let database = self.database(&crate::DESCRIPTOR).await;
        let balances = audit::balances(&database).await.expect("database");
        balances.iter().filter(|balance| balance.account == "guest_clearing").map(|balance| balance.debit_minor).sum()
    }
}

/// No breaker and no retries: the tests are about what is under the stack.
fn patient() -> Limits {
    Limits { attempts: 1, breaker_failures: u32::MAX, ..Limits::default() }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[tokio::test]
async fn each_token_ends_as_it_says() {
    use payment::State::{Approved, Declined, Pending};
    let house = House::open().await;
    let cases = [
        (1, "tok_approve", Approved, Approved),
        (2, "tok_decline_insufficient_funds", Declined, Declined),
        (3, "tok_decline_expired", Declined, Declined),
        (4, "tok_slow_20", Approved, Approved),
        (5, "tok_slow_1500", Pending, Approved),
        (6, "tok_timeout_then_approved", Pending, Approved),
        (7, "tok_timeout_then_declined", Pending, Declined),
        (8, "tok_error", Pending, payment::State::Voided),
    ];
    let house = &house;
    // Each on the heap: eight of them are too many for a test's stack.
    let play = |(id, token, at_once, in_the_end)| {
        Box::pin(async move {
            let paid = house.pay(id, token).await.unwrap_or_else(|status| panic!("{token}: {status:?}"));
            assert_eq!(paid.state(), at_once, "{token}");
            house.comes_to(id, in_the_end).await;
            let taken = u32::from(in_the_end == Approved);
            assert_eq!(house.at_the_provider(id).await, (taken, 0), "{token}");
        })
    };
    futures::future::join_all(cases.map(play)).await;
}

#[tokio::test]
async fn an_unknown_token_is_told_the_ones_that_there_are() {
    let house = House::open().await;
    let status = house.pay(1, "tok_aprove").await.expect_err("refused");
    let refusal = Refusal::from_status(&status).expect("ours");
    assert_eq!(refusal.reason, Reason::INVALID_FIELDS);
    let (path, what) = &refusal.violations[0];
    assert_eq!(path, "payment_method.token");
    assert!(what.contains("tok_approve") && what.contains("tok_slow_<ms>"), "{what}");
    assert_eq!(house.pay(1, "tok_approve").await.expect("another token").state(), payment::State::Approved);
}

#[tokio::test]
async fn a_payer_approves_in_the_banks_page() {
    let house = House::open().await;
    let waiting = house.pay(1, "tok_action_required").await.expect("an answer");
    assert_eq!(waiting.state(), payment::State::ActionRequired);
    let charge_id = Uuid::from_u128(1).to_string();
    assert!(waiting.action.expect("an action").uri.ends_with(&charge_id));

    let issuer = Issuer::new("jumak", "jumak", house.issuer.clone());
    let token = issuer.mint_user("guest", &[Role::Guest], Duration::from_secs(60)).expect("a token");
    let mut bank = ProviderServiceClient::new(house.upstream("bank", Arc::new(Person(token)), "provider"));
    let approve = CompleteChargeActionRequest { charge_id, approve: true };
    bank.complete_charge_action(outgoing(approve, "case-1", soon())).await.expect("approved");
    house.comes_to(1, payment::State::Approved).await;
}

#[tokio::test]
async fn a_charge_that_arrives_after_the_void_is_given_back() {
    let house = House::open().await;
    assert_eq!(house.pay(1, "tok_approved_after_void").await.expect("unknown").state(), payment::State::Pending);
    assert_eq!(house.void(1).await, payment::State::Voided);
    assert_eq!(house.at_the_provider(1).await, (0, 0), "it is still on its way");
    house.until("the late charge is given back", async || house.at_the_provider(1).await == (1, 90_000)).await;
    house.until("the books are settled", async || house.clearing().await == 0).await;
    assert_eq!(house.state(1).await, payment::State::Voided);
}

#[tokio::test]
async fn refunds_end_as_their_token_says() {
    let house = House::open().await;
    for (id, token) in [(1, "tok_approve"), (2, "tok_refund_declined"), (3, "tok_refund_timeout_then_done")] {
        assert_eq!(house.pay(id, token).await.expect("paid").state(), payment::State::Approved);
    }
    assert_eq!(house.refund(1).await, refund::State::Succeeded);
    assert_eq!(house.refund(2).await, refund::State::Failed);
    assert_eq!(house.refund(3).await, refund::State::Pending);
    house.comes_to(3, payment::State::Refunded).await;
    for (id, back) in [(1, 90_000), (2, 0), (3, 90_000)] {
        assert_eq!(house.at_the_provider(id).await, (1, back));
    }
    assert_eq!(house.clearing().await, -90_000, "the refund that was refused is still owed");
}

#[tokio::test]
async fn with_the_provider_gone_payment_says_so_and_works_again_when_it_is_back() {
    let house = House::open().await;
    house.registry.remove("provider");
    let status = house.pay(1, "tok_approve").await.expect_err("held off");
    assert_eq!(Refusal::from_status(&status).expect("ours").reason, reasons::PAYMENT_UNAVAILABLE);
    house.start_provider().await;
    assert_eq!(house.pay(1, "tok_approve").await.expect("paid").state(), payment::State::Approved);
    assert_eq!(house.at_the_provider(1).await, (1, 0));
}

#[tokio::test]
async fn a_late_charge_survives_a_restart_of_both() {
    let house = House::open().await;
    house.pay(1, "tok_timeout_then_approved").await.expect("unknown");
    let House { databases, registry, issuer, reservation, payment, background } = house;
    // Everything that ran is gone: only the databases and the keys are left.
    background.drain(Duration::from_secs(1)).await;
    registry.remove("payment");
    registry.remove("provider");
    let house =
        House { databases, registry: InProcess::new(), issuer, reservation, payment, background: Background::new() };
    house.start_provider().await;
    house.start_payment().await;
    house.comes_to(1, payment::State::Approved).await;
    assert_eq!(house.at_the_provider(1).await, (1, 0));
}

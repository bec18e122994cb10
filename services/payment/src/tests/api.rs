//! The API: who may ask, what is checked, and how pages go on.

use contracts::{
    google::r#type::Money as ProtoMoney,
    payment::v1::{
        CreatePaymentRequest, GetPaymentRequest, ListLedgerEntriesRequest, ListPaymentsRequest, ListRefundsRequest,
        Payment, RefundPaymentRequest, VoidPaymentRequest, ledger_entry, payment,
        payment_service_server::{PaymentService, SERVICE_NAME},
    },
    types::v1::PaymentMethod,
};
use mesh::types::PaymentAction;
use mesh::{Caller, Principal, Reason, Refusal, Role, auth::access::AccessTable, page::PageTokens, server::contracts};
use tonic::{Request, Status};
use uuid::Uuid;

use super::{Bench, CASE, GUEST, HOST, bench, charged, context, declined, order, owners, user};
use crate::{ACCESS, app::Order, domain::provider::Outcome, grpc::Api, reasons};

impl Bench {
    pub(super) async fn api(&self) -> Api {
        let tokens = PageTokens::of(&self.database).await.expect("tokens");
        Api::new(self.app.clone(), tokens, owners().into())
    }
}

pub(super) fn by<T>(caller: &Caller, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller.clone());
    request
}

fn said(status: &Status) -> Refusal {
    Refusal::from_status(status).unwrap_or_else(|| panic!("no refusal of ours: {status:?}"))
}

fn name(id: u128) -> String {
    format!("payments/{}", Uuid::from_u128(id))
}

fn good() -> CreatePaymentRequest {
    CreatePaymentRequest {
        payment_id: Uuid::from_u128(1).to_string(),
        payment: Some(Payment {
            case: CASE.to_owned(),
            payer: GUEST.to_owned(),
            payee: HOST.to_owned(),
            amount: Some(ProtoMoney { currency_code: "KRW".to_owned(), units: 90_000, nanos: 0 }),
            ..Payment::default()
        }),
        payment_method: Some(PaymentMethod { token: "tok".to_owned() }),
    }
}

#[test]
fn every_method_has_its_rule() {
    let table = AccessTable::new(ACCESS, &owners()).expect("one rule each");
    let differences = table.differences(contracts().expect("contracts"), &[SERVICE_NAME]);
    assert_eq!(differences, mesh::auth::access::Differences::default());
}

#[test]
fn contexts_pay_people_read_and_the_ledger_is_for_admins() {
    let table = AccessTable::new(ACCESS, &owners()).expect("one rule each");
    let people: Vec<_> = Role::ALL
        .into_iter()
        .map(|role| (role.name(), Principal::User { name: GUEST.to_owned(), roles: vec![role] }))
        .collect();
    let contexts = ["reservation", "order", "rental", "servicecenter", "room", "gateway"]
        .map(|name| (name, Principal::Context { name: name.to_owned() }));
    let cases = ["reservation", "order", "rental"];
    let readers = ["guest", "host", "agent", "admin", "reservation", "order", "rental"];
    for (method, may) in [
        ("CreatePayment", &cases[..]),
        ("VoidPayment", &cases[..]),
        ("RefundPayment", &cases[..]),
        ("RetryRefund", &["servicecenter"][..]),
        ("GetPayment", &readers[..]),
        ("ListPayments", &readers[..]),
        ("ListRefunds", &readers[..]),
        ("ListLedgerEntries", &["admin"][..]),
    ] {
        for (who, principal) in people.iter().chain(&contexts) {
            let allowed = table.check(&format!("{SERVICE_NAME}/{method}"), principal).is_ok();
            assert_eq!(allowed, may.contains(who), "{who} calls {method}");
        }
    }
}

#[tokio::test]
async fn all_faults_of_a_request_are_told_at_once_by_their_paths() {
    let bench = bench().await;
    let bad = CreatePaymentRequest {
        payment_id: "NO-UUID".to_owned(),
        payment: Some(Payment {
            case: "orders/0190a5d8-0000-7000-8000-000000000001".to_owned(),
            payer: "guest".to_owned(),
            payee: String::new(),
            amount: Some(ProtoMoney { currency_code: "KRW".to_owned(), units: 0, nanos: 0 }),
            earn_time: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
            ..Payment::default()
        }),
        payment_method: Some(PaymentMethod { token: "t".repeat(256) }),
    };
    let status = bench.api().await.create_payment(by(&context("reservation"), bad)).await.expect_err("faults");
    let refusal = said(&status);
    assert_eq!(refusal.reason, Reason::INVALID_FIELDS);
    let mut paths: Vec<_> = refusal.violations.iter().map(|(path, _)| path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "payment.amount",
            "payment.case",
            "payment.earn_time",
            "payment.payee",
            "payment.payer",
            "payment_id",
            "payment_method.token",
        ]
    );
}

#[tokio::test]
async fn a_context_pays_for_cases_of_its_own_only() {
    let bench = bench().await;
    let api = bench.api().await;
    for caller in [context("order"), context("rental")] {
        let status = api.create_payment(by(&caller, good())).await.expect_err("not its case");
        assert_eq!(said(&status).violations[0].0, "payment.case");
        let void = VoidPaymentRequest { name: name(1), case: CASE.to_owned() };
        let status = api.void_payment(by(&caller, void)).await.expect_err("not its case");
        assert_eq!(said(&status).violations[0].0, "case");
    }
    for caller in [user(GUEST, &[Role::Admin]), context("room")] {
        let status = api.create_payment(by(&caller, good())).await.expect_err("not for them");
        assert_eq!(said(&status).reason, Reason::ROLE_REQUIRED);
    }
    assert_eq!(bench.till.charge_calls(), 0);
}

#[tokio::test]
async fn a_payment_shows_all_that_its_contract_promises() {
    let bench = bench().await;
    let api = bench.api().await;
    bench.till.says(charged());
    let paid = api.create_payment(by(&context("reservation"), good())).await.expect("paid").into_inner();
    assert_eq!(paid.state(), payment::State::Approved);
    assert_eq!((paid.name.as_str(), paid.case.as_str(), paid.version), (name(1).as_str(), CASE, 2));
    assert_eq!((paid.provider.as_str(), paid.provider_reference.as_str()), ("till", "ch_1"));
    let method = paid.method.expect("what was paid with");
    assert_eq!((method.kind.as_str(), method.brand.as_str(), method.last4.as_str()), ("card", "visa", "4242"));
    let refunded = paid.refunded_amount.expect("zero included");
    assert_eq!((refunded.currency_code.as_str(), refunded.units), ("KRW", 0));

    let refund = RefundPaymentRequest { name: name(1), refund_id: Uuid::from_u128(11).to_string(), amount: None };
    let refund = api.refund_payment(by(&context("reservation"), refund)).await.expect("refunded").into_inner();
    assert_eq!(refund.name, format!("{}/refunds/{}", name(1), Uuid::from_u128(11)));
    assert_eq!(refund.amount.expect("an amount").units, 90_000);
}

#[tokio::test]
async fn a_tombstone_has_a_case_and_no_bill() {
    let bench = bench().await;
    let void = VoidPaymentRequest { name: name(1), case: CASE.to_owned() };
    let voided = bench.api().await.void_payment(by(&context("reservation"), void)).await.expect("voided").into_inner();
    assert_eq!((voided.state(), voided.case.as_str()), (payment::State::Voided, CASE));
    assert_eq!((voided.payer.as_str(), voided.amount, voided.refunded_amount), ("", None, None));
}

#[tokio::test]
async fn a_payment_is_found_by_those_whom_it_concerns_and_nobody_else() {
    let bench = bench().await;
    let api = bench.api().await;
    bench.approved(1).await;
    for (caller, sees) in [
        (user(GUEST, &[Role::Guest]), true),
        (user(HOST, &[Role::Host]), true),
        (user("users/agent", &[Role::Agent]), true),
        (user("users/admin", &[Role::Admin]), true),
        (user("users/another", &[Role::Guest, Role::Host]), false),
        (context("reservation"), true),
        (context("order"), false),
    ] {
        let got = api.get_payment(by(&caller, GetPaymentRequest { name: name(1) })).await;
        assert_eq!(got.is_ok(), sees, "{caller:?} gets");
        if let Err(status) = got {
            assert_eq!(said(&status).reason, reasons::PAYMENT_NOT_FOUND);
        }
        let refunds = ListRefundsRequest { parent: name(1), ..ListRefundsRequest::default() };
        assert_eq!(api.list_refunds(by(&caller, refunds)).await.is_ok(), sees, "{caller:?} lists refunds");
        let listed = api.list_payments(by(&caller, ListPaymentsRequest::default())).await.expect("a list");
        assert_eq!(listed.into_inner().payments.len(), usize::from(sees), "{caller:?} lists");
    }
}

#[tokio::test]
async fn pages_show_every_payment_once_the_newest_first() {
    let bench = bench().await;
    let api = bench.api().await;
    for id in 1..=7 {
        bench.approved(id).await;
        // Two of them share their time.
        if id != 3 {
            bench.clock.advance(jiff::SignedDuration::from_secs(1));
        }
    }
    let caller = user(GUEST, &[Role::Guest]);
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListPaymentsRequest { page_size: 2, page_token, ..ListPaymentsRequest::default() };
        let page = api.list_payments(by(&caller, request)).await.expect("a page").into_inner();
        assert!(!page.payments.is_empty(), "no page is empty");
        seen.extend(page.payments.into_iter().map(|payment| payment.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1].map(name));

    let request = ListPaymentsRequest { page_size: 2, ..ListPaymentsRequest::default() };
    let first = api.list_payments(by(&caller, request)).await.expect("a page").into_inner();
    let stolen = ListPaymentsRequest { page_token: first.next_page_token, ..ListPaymentsRequest::default() };
    let status = api.list_payments(by(&user(HOST, &[Role::Host]), stolen)).await.expect_err("another's list");
    assert_eq!(said(&status).reason, Reason::PAGE_TOKEN_INVALID);
}

#[tokio::test]
async fn payments_are_listed_by_their_case() {
    let bench = bench().await;
    bench.approved(1).await;
    let other = Order { case: "reservations/0190a5d8-0000-7000-8000-000000000002".to_owned(), ..order(2) };
    bench.till.says(declined());
    bench.create(other.clone()).await.expect("declined");
    let request = ListPaymentsRequest { case: other.case, ..ListPaymentsRequest::default() };
    let listed = bench.api().await.list_payments(by(&context("reservation"), request)).await.expect("a list");
    let names: Vec<_> = listed.into_inner().payments.into_iter().map(|payment| payment.name).collect();
    assert_eq!(names, [name(2)]);
}

#[tokio::test]
async fn refunds_are_listed_the_newest_first_and_a_reversal_among_them() {
    let bench = bench().await;
    let api = bench.api().await;
    bench.approved(1).await;
    for id in 11..=13 {
        bench.clock.advance(jiff::SignedDuration::from_secs(1));
        bench.refund(1, id, Some(10_000)).await.expect("a refund");
    }
    let caller = user(GUEST, &[Role::Guest]);
    let request = ListRefundsRequest { parent: name(1), page_size: 2, ..ListRefundsRequest::default() };
    let page = api.list_refunds(by(&caller, request.clone())).await.expect("a page").into_inner();
    let rest = ListRefundsRequest { page_token: page.next_page_token, ..request };
    let rest = api.list_refunds(by(&caller, rest)).await.expect("a page").into_inner();
    let names: Vec<_> = page.refunds.into_iter().chain(rest.refunds).map(|refund| refund.name).collect();
    assert_eq!(names, [13, 12, 11].map(|id| format!("{}/refunds/{}", name(1), Uuid::from_u128(id))));
    assert_eq!(rest.next_page_token, "");

    bench.till.loses_answer(charged());
    bench.create(order(2)).await.expect("pending");
    bench.void(2).await.expect("voided");
    bench.pass(5).await;
    let request = ListRefundsRequest { parent: name(2), ..ListRefundsRequest::default() };
    let reversed = api.list_refunds(by(&caller, request)).await.expect("a page").into_inner();
    assert_eq!(reversed.refunds.len(), 1, "a guest sees that what was charged is back");
}

#[tokio::test]
async fn the_ledger_is_listed_the_oldest_first_by_payment_and_account() {
    let bench = bench().await;
    let api = bench.api().await;
    bench.approved(1).await;
    bench.approved(2).await;
    bench.refund(1, 11, Some(30_000)).await.expect("a refund");
    let admin = user("users/admin", &[Role::Admin]);
    let list = async |request: ListLedgerEntriesRequest| {
        api.list_ledger_entries(by(&admin, request)).await.expect("a page").into_inner()
    };
    let of_one = list(ListLedgerEntriesRequest { payment: name(1), ..ListLedgerEntriesRequest::default() }).await;
    let lines: Vec<_> = of_one
        .ledger_entries
        .iter()
        .map(|entry| (entry.account.as_str(), entry.side(), entry.amount.as_ref().map_or(0, |amount| amount.units)))
        .collect();
    use ledger_entry::Side::{Credit, Debit};
    assert_eq!(
        lines,
        [
            ("provider", Debit, 90_000),
            ("payable/users/host", Credit, 90_000),
            ("payable/users/host", Debit, 30_000),
            ("guest_clearing", Credit, 30_000),
            ("guest_clearing", Debit, 30_000),
            ("provider", Credit, 30_000),
        ]
    );
    assert_eq!(of_one.ledger_entries[0].transaction, of_one.ledger_entries[1].transaction);
    assert_ne!(of_one.ledger_entries[1].transaction, of_one.ledger_entries[2].transaction);

    let first = list(ListLedgerEntriesRequest { page_size: 5, ..ListLedgerEntriesRequest::default() }).await;
    let request = ListLedgerEntriesRequest { page_token: first.next_page_token, ..ListLedgerEntriesRequest::default() };
    let rest = list(request).await;
    assert_eq!((first.ledger_entries.len(), rest.ledger_entries.len()), (5, 3));
    let account = ListLedgerEntriesRequest { account: "guest_clearing".to_owned(), ..Default::default() };
    assert_eq!(list(account).await.ledger_entries.len(), 2);
}

#[tokio::test]
async fn what_the_payer_has_to_do_is_shown_while_it_has_to_be_done() {
    let bench = bench().await;
    let api = bench.api().await;
    let uri = "https://bank.example/1".to_owned();
    let expire_time = Some(super::now());
    bench.till.says(Outcome::ActionRequired(PaymentAction { uri: uri.clone(), expire_time }));
    let waiting = api.create_payment(by(&context("reservation"), good())).await.expect("waiting").into_inner();
    let action = waiting.action.expect("an action");
    assert_eq!((action.uri, action.expire_time), (uri, expire_time.map(mesh::clock::to_proto)));
    bench.till.becomes(1, charged());
    let paid = api.create_payment(by(&context("reservation"), good())).await.expect("paid").into_inner();
    assert_eq!((paid.state(), paid.action), (payment::State::Approved, None));
}

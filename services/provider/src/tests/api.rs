//! The provider's API.

use contracts::{
    google::r#type::Money as ProtoMoney,
    provider::v1::{
        CreateChargeRequest, GetChargeRequest, ListChargesRequest, RefundChargeRequest, charge,
        provider_service_server::{ProviderService, SERVICE_NAME},
    },
};
use mesh::{
    Principal, Refusal, Role,
    auth::access::{AccessTable, Differences},
    clock::to_proto,
    page::PageTokens,
    server::contracts,
};
use tonic::Request;

use super::{Bench, bench, now};
use crate::{ACCESS, grpc::Api, reasons};

impl Bench {
    async fn api(&self) -> Api {
        Api::new(self.app.clone(), PageTokens::of(&self.database).await.expect("tokens"))
    }
}

fn create(id: &str, token: &str) -> Request<CreateChargeRequest> {
    Request::new(CreateChargeRequest {
        charge_id: id.to_owned(),
        amount: Some(ProtoMoney { currency_code: "USD".to_owned(), units: 10, nanos: 500_000_000 }),
        token: token.to_owned(),
    })
}

#[test]
fn every_method_has_its_rule_and_only_the_banks_page_is_for_people() {
    let table = AccessTable::new(ACCESS, &[]).expect("one rule each");
    assert_eq!(table.differences(contracts().expect("contracts"), &[SERVICE_NAME]), Differences::default());

    let payment = Principal::Context { name: "payment".to_owned() };
    let reservation = Principal::Context { name: "reservation".to_owned() };
    let person = |role| Principal::User { name: "users/x".to_owned(), roles: vec![role] };
    for (method, for_payment, roles) in [
        ("CreateCharge", true, &[][..]),
        ("GetCharge", true, &[]),
        ("CompleteChargeAction", false, &[Role::Guest, Role::Admin]),
        ("RefundCharge", true, &[]),
        ("GetChargeRefund", true, &[]),
        ("ListCharges", true, &[Role::Admin]),
    ] {
        let may = |principal: &Principal| table.check(&format!("{SERVICE_NAME}/{method}"), principal).is_ok();
        assert_eq!(may(&payment), for_payment, "payment calls {method}");
        assert!(!may(&reservation), "reservation calls {method}");
        for role in Role::ALL {
            assert_eq!(may(&person(role)), roles.contains(&role), "{} calls {method}", role.name());
        }
    }
}

#[tokio::test]
async fn a_charge_shows_all_that_its_contract_promises() {
    let bench = bench().await;
    let api = bench.api().await;
    let charged = api.create_charge(create("a", "tok_approve")).await.expect("charged").into_inner();
    assert_eq!((charged.charge_id.as_str(), charged.state()), ("a", charge::State::Charged));
    let amount = charged.amount.expect("an amount");
    assert_eq!((amount.units, amount.nanos), (10, 500_000_000));
    assert_eq!(charged.refunded_amount.expect("zero included").units, 0);
    assert_eq!(charged.method.expect("a method").last4, "4242");
    assert_eq!(charged.create_time, Some(to_proto(now())));
    assert_eq!((charged.action_uri.as_str(), charged.action_expire_time), ("", None));

    let waiting = api.create_charge(create("b", "tok_action_required")).await.expect("waiting").into_inner();
    assert_eq!(waiting.action_uri, "https://bank.example/charges/b");
    assert_eq!(waiting.action_expire_time, Some(to_proto(now() + jiff::SignedDuration::from_mins(5))));
}

#[tokio::test]
async fn all_faults_of_a_request_are_told_at_once() {
    let bench = bench().await;
    let api = bench.api().await;
    let bad = CreateChargeRequest { charge_id: "no id".to_owned(), amount: None, token: String::new() };
    let status = api.create_charge(Request::new(bad)).await.expect_err("faults");
    let refusal = Refusal::from_status(&status).expect("ours");
    let paths: Vec<_> = refusal.violations.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["charge_id", "token", "amount"]);

    let bad = RefundChargeRequest { charge_id: String::new(), refund_id: "r".repeat(65), amount: None };
    let status = api.refund_charge(Request::new(bad)).await.expect_err("faults");
    let refusal = Refusal::from_status(&status).expect("ours");
    let paths: Vec<_> = refusal.violations.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["charge_id", "refund_id", "amount"]);
}

#[tokio::test]
async fn what_never_arrived_is_told_so() {
    let bench = bench().await;
    let status = bench.api().await.get_charge(Request::new(GetChargeRequest { charge_id: "a".to_owned() })).await;
    let refusal = Refusal::from_status(&status.expect_err("unknown")).expect("ours");
    assert_eq!(refusal.reason, reasons::CHARGE_NOT_FOUND);
}

#[tokio::test]
async fn charges_are_listed_once_the_oldest_first_with_their_refunds() {
    let bench = bench().await;
    let api = bench.api().await;
    for id in ["a", "b", "c", "d"] {
        api.create_charge(create(id, "tok_approve")).await.expect("charged");
        // Two of them share their time.
        if id != "b" {
            bench.clock.advance(jiff::SignedDuration::from_secs(1));
        }
    }
    for (charge, refund) in [("b", "r1"), ("b", "r2"), ("d", "r3")] {
        let amount = Some(ProtoMoney { currency_code: "USD".to_owned(), units: 1, nanos: 0 });
        let request = RefundChargeRequest { charge_id: charge.to_owned(), refund_id: refund.to_owned(), amount };
        api.refund_charge(Request::new(request)).await.expect("a refund");
    }
    bench.hangs_up("lost", "tok_approved_after_void").await;

    let page = async |page_token: String| {
        let request = ListChargesRequest { page_size: 2, page_token };
        let page = api.list_charges(Request::new(request)).await.expect("a page").into_inner();
        let charges: Vec<_> = page.charges.into_iter().map(|charge| charge.charge_id).collect();
        let refunds: Vec<_> = page.refunds.into_iter().map(|refund| refund.refund_id).collect();
        (charges, refunds, page.next_page_token)
    };
    let (charges, refunds, next) = page(String::new()).await;
    assert_eq!((charges, refunds), (vec!["a".to_owned(), "b".to_owned()], vec!["r1".to_owned(), "r2".to_owned()]));
    let (charges, refunds, next) = page(next).await;
    assert_eq!((charges, refunds), (vec!["c".to_owned(), "d".to_owned()], vec!["r3".to_owned()]));
    assert_eq!(next, "", "the call that is on its way is not told of");
}

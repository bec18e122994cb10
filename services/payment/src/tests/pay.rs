//! CreatePayment.

use std::time::Duration;

use mesh::types::PaymentAction;
use mesh::{Reason, Refusal};

use super::{GUEST, HOST, bench, bill, charged, declined, order, reason, refusal, till::Till};
use crate::{
    app::Order,
    domain::{
        machine::{Standing, State},
        payment::Bill,
        provider::Outcome,
    },
    reasons,
};

#[tokio::test]
async fn an_approved_payment_is_told_once_and_stands_in_the_ledger() {
    let bench = bench().await;
    let payment = bench.approved(1).await;
    assert_eq!(payment.version, 2);
    assert!(payment.approve_time.is_some());
    assert_eq!(bench.told().await, [("approved".to_owned(), 2)]);
    assert_eq!(bench.balance("provider").await, 90_000);
    assert_eq!(bench.balance(&format!("payable/{HOST}")).await, -90_000);
}

#[tokio::test]
async fn a_declined_payment_is_an_answer_and_moves_no_money() {
    let bench = bench().await;
    bench.till.says(declined());
    let payment = bench.create(order(1)).await.expect("an answer");
    assert_eq!((payment.state(), payment.decline_reason.as_deref()), (State::Declined, Some("INSUFFICIENT_FUNDS")));
    assert_eq!(bench.names_told().await, ["declined"]);
    assert_eq!(bench.balance("provider").await, 0);
}

#[tokio::test]
async fn the_same_call_again_answers_what_stands_and_charges_nothing_more() {
    let bench = bench().await;
    bench.approved(1).await;
    let again = bench.create(order(1)).await.expect("an answer");
    assert_eq!(again.state(), State::Approved);
    assert_eq!(bench.till.charge_calls(), 1);
    assert_eq!(bench.names_told().await, ["approved"]);
}

#[tokio::test]
async fn an_id_stands_for_one_case_payer_payee_and_amount() {
    let bench = bench().await;
    bench.approved(1).await;
    let other_case = "reservations/0190a5d8-0000-7000-8000-000000000002";
    for other in [
        Order { case: other_case.to_owned(), ..order(1) },
        Order { bill: bill(90_001), ..order(1) },
        Order { bill: Bill { payer: HOST.to_owned(), ..bill(90_000) }, ..order(1) },
        Order { bill: Bill { payee: GUEST.to_owned(), ..bill(90_000) }, ..order(1) },
    ] {
        assert_eq!(reason(bench.create(other).await), Reason::REQUEST_ID_REUSED);
    }
    assert_eq!(bench.till.charge_calls(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_pending_and_the_next_call_joins_it() {
    let bench = bench().await;
    bench.till.loses_answer(charged());
    let pending = bench.create(order(1)).await.expect("no failure: the outcome is not known yet");
    assert_eq!(pending.state(), State::Pending);
    assert!(bench.told().await.is_empty());

    let joined = bench.create(order(1)).await.expect("an answer");
    assert_eq!(joined.state(), State::Approved);
    assert_eq!(bench.balance("provider").await, 90_000);
}

#[tokio::test]
async fn a_payer_who_has_to_act_is_told_where_and_then_has_paid() {
    let bench = bench().await;
    let action = PaymentAction { uri: "https://bank.example/1".to_owned(), expire_time: None };
    bench.till.says(Outcome::ActionRequired(action.clone()));
    let waiting = bench.create(order(1)).await.expect("an answer");
    assert_eq!((waiting.state(), waiting.action), (State::ActionRequired, Some(action)));

    bench.till.becomes(1, charged());
    let paid = bench.create(order(1)).await.expect("an answer");
    assert_eq!((paid.state(), paid.action), (State::Approved, None));
    assert_eq!(bench.told().await, [("action_required".to_owned(), 2), ("approved".to_owned(), 3)]);
}

#[tokio::test]
async fn with_the_circuit_open_a_new_payment_leaves_nothing_behind() {
    let bench = bench().await;
    bench.till.refuses();
    let refused = refusal(bench.create(order(1)).await.expect_err("held off"));
    assert_eq!(refused.reason, reasons::PAYMENT_UNAVAILABLE);
    assert_eq!(refused.retry_after, Some(Duration::from_secs(7)));
    assert!(crate::audit::payments(&bench.database).await.expect("database").is_empty());
}

#[tokio::test]
async fn with_the_circuit_open_a_payment_that_may_be_charged_is_answered_as_it_stands() {
    let bench = bench().await;
    bench.till.loses_answer(charged());
    bench.create(order(1)).await.expect("pending");
    bench.approved(2).await;
    bench.till.refuses();
    assert_eq!(bench.create(order(1)).await.expect("as it stands").state(), State::Pending);
    assert_eq!(bench.create(order(2)).await.expect("as it stands").state(), State::Approved);
    bench.void(1).await.expect("voided");
    assert_eq!(reason(bench.create(order(1)).await), reasons::PAYMENT_VOIDED);
}

#[tokio::test]
async fn a_call_that_was_surely_not_sent_is_held_off_and_may_be_made_again() {
    let bench = bench().await;
    bench.till.never_gets_it(Outcome::NotSent);
    let refused = refusal(bench.create(order(1)).await.expect_err("held off"));
    assert_eq!(refused.reason, reasons::PAYMENT_UNAVAILABLE);
    assert!(refused.retry_after.is_some());
    assert_eq!(bench.payment(1).await.standing, Standing { state: State::Pending, calls: 0 });

    assert_eq!(bench.approved(1).await.state(), State::Approved);
}

#[tokio::test]
async fn a_call_not_sent_after_one_that_may_have_been_is_unknown() {
    let bench = bench().await;
    bench.till.never_gets_it(Outcome::Unknown);
    bench.create(order(1)).await.expect("pending");
    bench.till.never_gets_it(Outcome::NotSent);
    assert_eq!(bench.create(order(1)).await.expect("no promise is made").state(), State::Pending);
    assert_eq!(bench.payment(1).await.standing.calls, 2);
}

#[tokio::test]
async fn a_token_that_the_provider_does_not_know_is_told_by_its_field_and_another_may_be_sent() {
    let bench = bench().await;
    let mut unread = Refusal::new(Reason::INVALID_FIELDS, "the provider does not know this token");
    unread.violations.push(("token".to_owned(), "is none of tok_approve".to_owned()));
    bench.till.never_gets_it(Outcome::Refused(unread));
    let refused = refusal(bench.create(order(1)).await.expect_err("refused"));
    assert_eq!(refused.reason, Reason::INVALID_FIELDS);
    assert_eq!(refused.violations, [("payment_method.token".to_owned(), "is none of tok_approve".to_owned())]);

    assert_eq!(bench.approved(1).await.state(), State::Approved);
}

#[tokio::test]
async fn a_caller_who_hangs_up_changes_nothing() {
    let bench = bench().await;
    bench.till.holds(charged());
    {
        let create = bench.create(order(1));
        tokio::pin!(create);
        tokio::select! {
            _ = &mut create => panic!("the provider has not answered"),
            () = bench.till.has_one_held() => {}
        }
    }
    assert_eq!(bench.state(1).await, State::Pending);
    let mut commits = bench.database.commits();
    bench.till.let_go();
    let recorded = async {
        while bench.state(1).await == State::Pending {
            commits.changed().await.expect("open");
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recorded).await.expect("the call goes on without its caller");
    assert_eq!(bench.state(1).await, State::Approved);
    assert_eq!(bench.names_told().await, ["approved"]);
}

#[tokio::test]
async fn two_calls_at_once_take_money_once_and_tell_once() {
    let bench = bench().await;
    bench.till.says(charged());
    let (one, other) = tokio::join!(bench.create(order(1)), bench.create(order(1)));
    assert_eq!(one.expect("an answer").state(), State::Approved);
    assert_eq!(other.expect("an answer").state(), State::Approved);
    assert_eq!(bench.names_told().await, ["approved"]);
    assert_eq!(bench.balance("provider").await, 90_000);
}

#[tokio::test]
async fn a_database_that_fails_after_the_charge_is_a_pending_payment_and_no_failure() {
    let bench = bench().await;
    bench.till.holds(charged());
    let create = bench.create(order(1));
    tokio::pin!(create);
    tokio::select! {
        _ = &mut create => panic!("the provider has not answered"),
        () = bench.till.has_one_held() => {}
    }
    bench.database.clone().close().await;
    bench.till.let_go();
    assert_eq!(create.await.expect("the outcome is unknown, not an error").state(), State::Pending);
}

#[tokio::test]
async fn settings_that_would_take_a_call_under_way_for_lost_are_refused() {
    let bench = bench().await;
    let settings = crate::Settings {
        give_up_after: Duration::from_secs(3),
        provider_timeout: Duration::from_secs(3),
        ..crate::Settings::default()
    };
    let app = crate::app::App::new(
        bench.database.clone(),
        std::sync::Arc::new(Till::default()),
        bench.clock.clone(),
        mesh::background::Background::new(),
        settings,
    );
    assert!(app.is_err());
}

//! The recovery loop, after whatever was lost.

use jiff::SignedDuration;
use mesh::types::PaymentAction;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use servers::engine::Engine;
use uuid::Uuid;

use super::{bench, charged, declined, order};
use crate::{
    domain::{
        machine::State,
        provider::{Outcome, RefundOutcome},
        refund::RefundState,
    },
    store::entity::payment,
};

#[tokio::test]
async fn a_payment_whose_answer_was_lost_is_found_out_and_told() {
    let bench = bench().await;
    bench.till.loses_answer(charged());
    bench.create(order(1)).await.expect("pending");
    bench.till.loses_answer(declined());
    bench.create(order(2)).await.expect("pending");
    bench.pass(5).await;
    assert_eq!((bench.state(1).await, bench.state(2).await), (State::Approved, State::Declined));
    assert_eq!(bench.names_told().await.len(), 2);
    bench.pass(60).await;
    assert_eq!(bench.names_told().await.len(), 2, "told once");
    assert_eq!(bench.till.looks(), 2, "asked no more");
}

#[tokio::test]
async fn while_the_caller_waits_for_the_provider_nobody_else_asks() {
    let bench = bench().await;
    bench.till.loses_answer(charged());
    bench.create(order(1)).await.expect("pending");
    bench.pass(3).await;
    assert_eq!(bench.till.looks(), 0);
}

#[tokio::test]
async fn a_call_that_is_answered_after_the_loop_took_its_payment_up_is_written_down_whole() {
    let bench = bench().await;
    let action = PaymentAction { uri: "https://bank.example/1".to_owned(), expire_time: None };
    bench.till.holds(Outcome::ActionRequired(action.clone()));
    let create = bench.create(order(1));
    tokio::pin!(create);
    tokio::select! {
        _ = &mut create => panic!("the provider has not answered"),
        () = bench.till.has_one_held() => {}
    }
    bench.till.is_down();
    bench.pass(10).await;
    assert!(bench.payment(1).await.attempts > 1, "it was taken up, and nothing was learned");
    bench.till.let_go();
    let told = create.await.expect("an answer");
    assert_eq!((told.state(), told.attempts), (State::ActionRequired, 0));
    assert_eq!(bench.payment(1).await, told, "what was answered is what stands");
    assert_eq!(bench.payment(1).await.action, Some(action));
}

#[tokio::test]
async fn a_crash_before_the_call_ends_in_a_voided_payment_within_half_a_minute() {
    let bench = bench().await;
    bench.till.holds(charged());
    {
        // The call is committed; the process dies before the provider is reached.
        let create = bench.create(order(1));
        tokio::pin!(create);
        tokio::select! {
            _ = &mut create => panic!("the provider has not answered"),
            () = bench.till.has_one_held() => {}
        }
    }
    bench.till.becomes(1, Outcome::NotFound);
    let bench = bench.restart().await;
    bench.pass(14).await;
    assert_eq!(bench.state(1).await, State::Pending, "the call may still be on its way");
    bench.pass(2).await;
    assert_eq!(bench.state(1).await, State::Voided);
    assert_eq!(bench.names_told().await, ["voided"]);

    bench.till.becomes(1, charged());
    bench.pass(40).await;
    assert_eq!(bench.till.given_back(1), 90_000, "it was on its way after all, and is given back");
    assert_eq!(bench.names_told().await, ["voided"]);
}

#[tokio::test]
async fn a_crash_after_the_call_ends_in_what_the_provider_did() {
    let bench = bench().await;
    bench.till.loses_answer(charged());
    bench.create(order(1)).await.expect("pending");
    let bench = bench.restart().await;
    bench.pass(5).await;
    assert_eq!(bench.state(1).await, State::Approved);
    assert_eq!(bench.till.charge_calls(), 1);
}

#[tokio::test]
async fn a_crash_around_a_refund_gives_the_money_back_once() {
    let bench = bench().await;
    bench.approved(1).await;
    bench.till.refund_says(RefundOutcome::Open);
    bench.refund(1, 11, None).await.expect("pending");
    let bench = bench.restart().await;
    bench.pass(5).await;
    assert_eq!(bench.refund_states().await, [RefundState::Succeeded]);
    assert_eq!(bench.till.given_back(1), 90_000);
    assert_eq!(bench.names_told().await, ["approved", "refunded"]);
}

#[tokio::test]
async fn an_outage_of_any_length_changes_nothing_and_ends_by_itself() {
    let bench = bench().await;
    bench.till.loses_answer(charged());
    bench.create(order(1)).await.expect("pending");
    bench.approved(2).await;
    bench.till.is_down();
    bench.refund(2, 11, None).await.expect("pending");
    bench.pass(300).await;
    assert_eq!((bench.state(1).await, bench.state(2).await), (State::Pending, State::Approved));
    assert!(bench.till.looks() < 30, "a provider that is down is asked less and less: {}", bench.till.looks());

    bench.till.recovers();
    bench.pass(31).await;
    assert_eq!((bench.state(1).await, bench.state(2).await), (State::Approved, State::Refunded));
}

#[tokio::test]
async fn a_payer_who_approves_at_the_bank_and_closes_the_page_has_paid() {
    let bench = bench().await;
    bench
        .till
        .says(Outcome::ActionRequired(PaymentAction { uri: "https://bank.example/1".to_owned(), expire_time: None }));
    bench.create(order(1)).await.expect("waiting");
    bench.pass(120).await;
    assert_eq!(bench.state(1).await, State::ActionRequired, "the bank says when that is over");
    bench.till.becomes(1, charged());
    bench.pass(6).await;
    assert_eq!(bench.state(1).await, State::Approved);
}

#[tokio::test]
async fn a_payment_whose_call_was_never_sent_is_voided_when_nobody_comes_back_to_it() {
    let bench = bench().await;
    bench.till.never_gets_it(Outcome::NotSent);
    bench.create(order(1)).await.expect_err("held off");
    bench.clock.advance(SignedDuration::from_mins(59));
    bench.settle().await;
    assert_eq!(bench.state(1).await, State::Pending);
    bench.clock.advance(SignedDuration::from_mins(2));
    bench.settle().await;
    assert_eq!(bench.state(1).await, State::Voided);
    assert_eq!((bench.till.looks(), bench.payment(1).await.next_attempt_time), (0, None));
}

#[tokio::test]
async fn a_question_that_was_not_sent_says_nothing_about_the_charge() {
    let bench = bench().await;
    bench.till.never_gets_it(Outcome::Unknown);
    bench.create(order(1)).await.expect("pending");
    bench.till.becomes(1, Outcome::NotSent);
    bench.pass(20).await;
    assert_eq!(bench.payment(1).await.standing.calls, 1, "the call may still be on its way");
    assert_eq!(bench.state(1).await, State::Pending);
}

#[tokio::test]
async fn two_recovery_loops_share_the_work() {
    let bench = bench().await;
    for id in 1..=20 {
        bench.till.loses_answer(charged());
        bench.create(order(id)).await.expect("pending");
    }
    bench.clock.advance(SignedDuration::from_secs(5));
    let (one, other) = tokio::join!(bench.app.recover_once(), bench.app.recover_once());
    assert_eq!(one.expect("a look") + other.expect("a look"), 20);
    assert_eq!(bench.till.looks(), 20, "each was claimed by one of them");
    assert_eq!(bench.names_told().await, ["approved"; 20]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_up_no_other_and_is_no_reason_to_hurry() {
    let bench = bench().await;
    for id in 1..=70 {
        bench.till.loses_answer(charged());
        bench.create(order(id)).await.expect("pending");
    }
    bench.approved(100).await;
    bench.till.refund_says(RefundOutcome::Open);
    bench.refund(100, 11, None).await.expect("pending");
    // More of them than are taken up at a time, and the longest due.
    payment::Entity::update_many()
        .col_expr(payment::Column::State, Expr::value("NOBODY_KNOWS"))
        .filter(payment::Column::Id.lte(Uuid::from_u128(69)))
        .exec(bench.database.for_migrations())
        .await
        .expect("broken");

    bench.clock.advance(SignedDuration::from_secs(5));
    assert_eq!(bench.app.recover_once().await.expect("a look"), 65, "64 that cannot be read, and a refund");
    assert_eq!(bench.refund_states().await, [RefundState::Succeeded]);
    assert_eq!(bench.app.recover_once().await.expect("a look"), 6, "the rest of them, and the payment behind them");
    assert_eq!(bench.state(70).await, State::Approved);
    assert_eq!(bench.app.recover_once().await.expect("a look"), 0, "none is looked at again at once");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_not_asked_without_a_pause() {
    let bench = bench().await;
    bench.till.loses_answer(charged());
    bench.create(order(1)).await.expect("pending");
    let engine = Engine::chosen().expect("an engine");
    let no_updates = engine.to_refuse("UPDATE", "payment");
    bench.database.for_migrations().execute_unprepared(&no_updates).await.expect("trigger");
    bench.clock.advance(SignedDuration::from_secs(5));
    assert_eq!(bench.app.recover_once().await.expect("a look"), 0, "nothing was done");
    assert_eq!(bench.till.looks(), 0, "what is not claimed is not asked about");
    bench.database.for_migrations().execute_unprepared(&engine.to_refuse_no_more("payment")).await.expect("trigger");
    assert_eq!(bench.app.recover_once().await.expect("a look"), 1);
    assert_eq!(bench.state(1).await, State::Approved);
}

#[tokio::test]
async fn a_provider_that_contradicts_itself_is_not_believed() {
    let bench = bench().await;
    bench.till.holds(charged());
    let first = bench.create(order(1));
    let second = async {
        bench.till.has_one_held().await;
        bench.till.becomes(1, declined());
        assert_eq!(bench.create(order(1)).await.expect("an answer").state(), State::Declined);
        bench.till.let_go();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.expect("nobody knows").state(), State::Pending);
    assert_eq!(bench.state(1).await, State::Declined);
    assert_eq!((bench.balance("provider").await, bench.names_told().await), (0, vec!["declined".to_owned()]));
}

//! What each token does, and that an id does it once.

use std::time::Duration;

use jiff::SignedDuration;
use mesh::{Reason, Refusal};
use proptest::prelude::*;
use servers::engine::FreshDatabase;
use tonic::Code;

use super::{bench, reason, reason_of, won};
use crate::{
    domain::{
        charge::{Charge, RefundState, State},
        token::{MAX_SLOW_MS, TOKENS, Token},
    },
    reasons,
};

/// How long a test waits for an answer that is not to come.
const A_WHILE: Duration = Duration::from_millis(20);

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

#[tokio::test]
async fn approve_takes_money_at_once() {
    let bench = bench().await;
    assert_eq!(bench.charge("a", "tok_approve").await.expect("charged").state, State::Charged);
    assert_eq!(bench.moved("a").await, (1, 0));
}

#[tokio::test]
async fn decline_says_why_and_takes_nothing() {
    let bench = bench().await;
    for (token, why) in
        [("tok_decline_insufficient_funds", "INSUFFICIENT_FUNDS"), ("tok_decline_expired", "CARD_EXPIRED")]
    {
        let charge = bench.charge(token, token).await.expect("an answer");
        assert_eq!((charge.state, charge.decline_reason.as_str()), (State::Declined, why));
        assert_eq!(bench.moved(token).await, (0, 0));
    }
}

#[tokio::test]
async fn action_required_waits_for_the_payer() {
    let bench = bench().await;
    for (id, approve, ends) in [("a", true, State::Charged), ("b", false, State::Declined)] {
        assert_eq!(bench.charge(id, "tok_action_required").await.expect("an answer").state, State::ActionRequired);
        assert_eq!(bench.app.complete_action(id, approve).await.expect("done").state, ends);
        assert_eq!(bench.app.complete_action(id, !approve).await.expect("as it stands").state, ends);
        bench.pass(seconds(3_600)).await;
        assert_eq!((bench.state(id).await, bench.moved(id).await.0), (ends, u32::from(approve)));
    }
}

#[tokio::test]
async fn action_required_is_declined_when_its_time_is_over() {
    let bench = bench().await;
    bench.charge("a", "tok_action_required").await.expect("an answer");
    bench.pass(seconds(299)).await;
    assert_eq!(bench.state("a").await, State::ActionRequired);
    bench.pass(seconds(1)).await;
    let charge = bench.app.get("a").await.expect("a charge");
    assert_eq!((charge.state, charge.decline_reason.as_str()), (State::Declined, "ACTION_EXPIRED"));
    assert_eq!(bench.app.complete_action("a", true).await.expect("too late").state, State::Declined);
    assert_eq!(bench.moved("a").await, (0, 0));
}

#[test]
fn what_two_carry_out_at_once_is_carried_out_by_the_first() {
    let Some(Token::Charges(script)) = Token::parse("tok_action_required") else { panic!("a script") };
    let now = super::now();
    let mut charge = Charge::arrive("a".to_owned(), won(1_000), script, State::Processing, now, now);
    let minute = Duration::from_secs(60);
    assert_eq!(charge.carry_out(now, minute), (true, None));
    assert_eq!(charge.carry_out(now, minute), (false, None), "the payer has a minute");
    assert_eq!(charge.state, State::ActionRequired);
}

#[tokio::test]
async fn slow_is_processing_until_then_also_for_a_caller_who_hangs_up() {
    let bench = bench().await;
    bench.hangs_up("a", "tok_slow_60000").await;
    assert_eq!(bench.charge("a", "tok_slow_60000").await.expect("as it stands").state, State::Processing);
    bench.pass(seconds(59)).await;
    assert_eq!(bench.state("a").await, State::Processing);
    bench.pass(seconds(1)).await;
    assert_eq!((bench.state("a").await, bench.moved("a").await), (State::Charged, (1, 0)));
}

#[tokio::test]
async fn slow_answers_a_caller_who_waits() {
    let bench = super::Bench::at(FreshDatabase::new().await.expect("a database"), mesh::Clock::system()).await;
    assert_eq!(bench.charge("a", "tok_slow_30").await.expect("charged").state, State::Charged);
}

#[tokio::test]
async fn error_is_a_bare_status_and_leaves_nothing() {
    let bench = bench().await;
    let status = bench.charge("a", "tok_error").await.expect_err("an error");
    assert_eq!((status.code(), reason(&status)), (Code::Internal, None));
    assert_eq!(reason_of(bench.app.get("a").await), reasons::CHARGE_NOT_FOUND);
}

#[tokio::test]
async fn timeout_then_approved_or_declined_is_carried_out_though_nobody_is_answered() {
    let bench = bench().await;
    for (token, ends) in [("tok_timeout_then_approved", State::Charged), ("tok_timeout_then_declined", State::Declined)]
    {
        bench.hangs_up(token, token).await;
        assert_eq!(bench.state(token).await, State::Processing);
        bench.pass(seconds(2)).await;
        assert_eq!((bench.state(token).await, bench.moved(token).await.0), (ends, u32::from(ends == State::Charged)));
    }
}

#[tokio::test]
async fn approved_after_void_is_unknown_until_it_arrives() {
    let bench = bench().await;
    bench.hangs_up("a", "tok_approved_after_void").await;
    let again = tokio::time::timeout(A_WHILE, bench.charge("a", "tok_approve")).await;
    assert!(again.is_err(), "whoever calls again is lost as well: {again:?}");
    assert_eq!(reason_of(bench.app.get("a").await), reasons::CHARGE_NOT_FOUND);
    assert_eq!(reason(&bench.refund("a", "r", 1).await.expect_err("unknown")), Some(reasons::CHARGE_NOT_FOUND));
    assert_eq!(reason_of(bench.app.complete_action("a", true).await), reasons::CHARGE_NOT_FOUND);
    bench.pass(seconds(25)).await;
    assert_eq!((bench.state("a").await, bench.moved("a").await), (State::Charged, (1, 0)));
}

#[tokio::test]
async fn refund_declined_charges_and_never_gives_back() {
    let bench = bench().await;
    bench.charge("a", "tok_refund_declined").await.expect("charged");
    let refund = bench.refund("a", "r", 1_000).await.expect("an answer");
    assert_eq!((refund.state, refund.failure_reason.as_str()), (RefundState::Failed, "REFUND_DECLINED"));
    assert_eq!((bench.state("a").await, bench.moved("a").await), (State::Charged, (1, 0)));
    assert_eq!(bench.refund("a", "r2", 1_000).await.expect("asked again").state, RefundState::Failed);
}

#[tokio::test]
async fn refund_timeout_then_done_gives_back_though_nobody_is_answered() {
    let bench = bench().await;
    bench.charge("a", "tok_refund_timeout_then_done").await.expect("charged");
    bench.hangs_up_on_refund("a", "r", 1_000).await;
    assert_eq!(bench.refund("a", "r", 1_000).await.expect("as it stands").state, RefundState::Pending);
    bench.pass(seconds(2)).await;
    assert_eq!(bench.app.get_refund("a", "r").await.expect("a refund").state, RefundState::Succeeded);
    assert_eq!((bench.state("a").await, bench.moved("a").await), (State::Refunded, (1, 1_000)));
}

#[tokio::test]
async fn any_other_token_is_refused_with_the_ones_that_there_are() {
    let bench = bench().await;
    for token in ["tok_aprove", "", "tok_slow_", "tok_slow_-1", "tok_slow_+1", "tok_slow_60001", "TOK_APPROVE"] {
        let refusal = Refusal::from_status(&bench.charge("a", token).await.expect_err("refused")).expect("ours");
        assert_eq!(refusal.reason, Reason::INVALID_FIELDS, "{token}");
        assert!(TOKENS.iter().all(|token| refusal.message.contains(token)), "{refusal}");
    }
    for token in TOKENS {
        assert!(Token::parse(&token.replace("<ms>", "0")).is_some(), "{token}");
    }
    assert!(Token::parse(&format!("tok_slow_{MAX_SLOW_MS}")).is_some());
}

#[tokio::test]
async fn an_id_is_charged_once_whatever_its_second_call_brings() {
    let bench = bench().await;
    bench.charge("a", "tok_approve").await.expect("charged");
    for token in ["tok_approve", "tok_decline_expired", "tok_error", "no token at all"] {
        assert_eq!(bench.charge("a", token).await.expect("as it stands").state, State::Charged, "{token}");
    }
    let status = bench.app.charge("a", won(2_000), "tok_approve").await.expect_err("another amount");
    assert_eq!(reason(&status), Some(Reason::REQUEST_ID_REUSED));
    assert_eq!(bench.moved("a").await, (1, 0));
}

#[tokio::test]
async fn calls_that_race_charge_an_id_once() {
    let bench = bench().await;
    let calls = (0..8).map(|_| bench.charge("a", "tok_approve"));
    let states: Vec<_> =
        futures::future::join_all(calls).await.into_iter().map(|charge| charge.map(|c| c.state)).collect();
    // A call that lost the race may read the charge before it is carried out.
    assert!(states.iter().all(|state| matches!(state, Ok(State::Charged | State::Processing))), "{states:?}");
    assert_eq!((bench.state("a").await, bench.moved("a").await), (State::Charged, (1, 0)));
}

#[tokio::test]
async fn a_refund_gives_back_once_for_each_id_and_never_more_than_was_taken() {
    let bench = bench().await;
    bench.charge("a", "tok_approve").await.expect("charged");
    for _ in 0..2 {
        assert_eq!(bench.refund("a", "r", 400).await.expect("a refund").state, RefundState::Succeeded);
    }
    assert_eq!(bench.state("a").await, State::PartlyRefunded);
    let status = bench.refund("a", "r", 300).await.expect_err("another amount");
    assert_eq!(reason(&status), Some(Reason::REQUEST_ID_REUSED));
    let status = bench.refund("a", "r2", 601).await.expect_err("too much");
    assert_eq!(reason(&status), Some(reasons::REFUND_EXCEEDS_PAYMENT));
    bench.refund("a", "r3", 600).await.expect("the rest");
    assert_eq!((bench.state("a").await, bench.moved("a").await), (State::Refunded, (1, 1_000)));
}

#[tokio::test]
async fn what_was_not_charged_cannot_be_refunded() {
    let bench = bench().await;
    bench.charge("a", "tok_decline_expired").await.expect("declined");
    assert_eq!(reason(&bench.refund("a", "r", 1).await.expect_err("refused")), Some(Reason::ILLEGAL_TRANSITION));
    assert_eq!(reason(&bench.refund("b", "r", 1).await.expect_err("refused")), Some(reasons::CHARGE_NOT_FOUND));
    assert_eq!(reason_of(bench.app.get_refund("a", "r").await), reasons::REFUND_NOT_FOUND);
}

#[tokio::test]
async fn what_was_accepted_is_carried_out_after_a_restart() {
    let bench = bench().await;
    bench.hangs_up("a", "tok_timeout_then_approved").await;
    bench.hangs_up("b", "tok_approved_after_void").await;
    bench.charge("c", "tok_refund_timeout_then_done").await.expect("charged");
    bench.hangs_up_on_refund("c", "r", 1_000).await;
    let bench = bench.restart().await;
    bench.pass(seconds(25)).await;
    for (id, moved) in [("a", (1, 0)), ("b", (1, 0)), ("c", (1, 1_000))] {
        assert_eq!(bench.moved(id).await, moved, "{id}");
    }
}

#[tokio::test]
async fn the_loop_is_told_when_to_look_next() {
    let bench = bench().await;
    assert_eq!(bench.app.carry_out_due().await.expect("database"), None);
    bench.hangs_up("a", "tok_approved_after_void").await;
    bench.hangs_up("b", "tok_timeout_then_approved").await;
    assert_eq!(bench.app.carry_out_due().await.expect("database"), Some(super::now() + seconds(2)));
    bench.pass(seconds(2)).await;
    assert_eq!(bench.app.carry_out_due().await.expect("database"), Some(super::now() + seconds(25)));
}

#[tokio::test]
async fn the_running_loop_carries_out_what_is_late_by_itself() {
    let kept = FreshDatabase::new().await.expect("a database");
    let bench = super::Bench::at(kept, mesh::Clock::system()).await;
    let background = mesh::background::Background::new();
    bench.app.clone().start(&background);
    let mut commits = bench.database.commits();
    bench.hangs_up("a", "tok_slow_200").await;
    let charged = async {
        while bench.state("a").await != State::Charged {
            commits.changed().await.expect("open");
        }
    };
    tokio::time::timeout(Duration::from_secs(5), charged).await.expect("well before the longest pause");
    background.drain(Duration::from_secs(1)).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_of_calls_refunds_and_time_an_id_moves_money_once(
        script in prop::collection::vec((0_u8..4, 0_usize..11, 0_i64..600), 1..25)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let mut bench = bench().await;
            for (step, which, minor) in script {
                match step {
                    0 => {
                        let token = TOKENS[which].replace("<ms>", "1");
                        drop(tokio::time::timeout(A_WHILE, bench.charge("a", &token)).await);
                    }
                    1 => {
                        let id = format!("r{}", which % 4);
                        drop(tokio::time::timeout(A_WHILE, bench.refund("a", &id, minor.max(1))).await);
                    }
                    2 => bench.pass(seconds(minor)).await,
                    _ => bench = bench.restart().await,
                }
            }
            bench.pass(seconds(3_600)).await;
            for audited in crate::audit::charges(&bench.database).await.expect("database") {
                let charge = &audited.charge;
                let took = matches!(charge.state, State::Charged | State::PartlyRefunded | State::Refunded);
                prop_assert_eq!(audited.times_taken, u32::from(took));
                prop_assert_eq!(audited.given_back_minor, charge.refunded.minor());
                prop_assert_eq!(charge.committed, charge.refunded, "nothing is left to be done");
                prop_assert!(charge.refunded.minor() <= charge.amount.minor());
            }
            Ok(())
        })?;
    }
}

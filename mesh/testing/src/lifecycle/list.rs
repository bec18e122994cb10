//! The list of the rules.

/// One test for each rule of the lifecycle, on the cases of a [`Seller`](crate::lifecycle::Seller).
#[macro_export]
macro_rules! lifecycle_rules {
    // The cases of this seller may have been begun by somebody else, who decides whether their payers can still cancel them.
    (judged $seller:ty) => {
        $crate::lifecycle_rules! { $seller:
            rule_k_asking_gives_nothing_back_and_promises_nothing,
            rule_k_what_was_stopped_is_cancelled_and_gives_back_what_was_promised_when_it_was_asked,
            rule_k_what_was_begun_stays_as_if_nobody_had_asked,
            rule_k_whoever_asks_waits_for_the_verdict,
            rule_k_a_wish_that_nobody_decides_is_answered_as_it_stands,
            rule_k_a_request_is_answered_by_the_verdict_however_often_it_is_sent,
            rule_k_each_of_two_requests_is_answered_by_the_verdict_that_both_waited_for,
            rule_k_whoever_but_the_payer_needs_no_judge_and_replaces_the_wish,
            rule_k_a_verdict_that_nobody_waits_for_changes_nothing,
            rule_k_of_two_contrary_verdicts_the_first_stands,
            rule_k_a_step_before_the_verdict_leaves_the_wish_standing,
            rule_k_what_is_asked_while_paying_is_confirmed_and_cancelled_in_one,
        }
    };
    ($seller:ty) => {
        $crate::lifecycle_rules! { $seller:
            a_hold_reads_back_as_it_was_made_and_its_unit_is_taken,
            a_paid_case_is_confirmed_and_keeps_its_unit,
            a_declined_case_gives_its_unit_back_at_once,
            a_case_that_finds_no_unit_is_refused_and_nothing_of_it_stays,
            what_is_told_names_the_case_its_version_and_its_business_case,
            a_case_is_found_by_those_who_may_see_it_alone,
            a_payer_has_a_bounded_number_of_open_holds,
            rule_t_an_outcome_that_comes_twenty_times_is_one_transition,
            rule_t_units_are_given_back_once_however_often_it_is_told_that_a_case_has_ended,
            rule_t_units_are_given_back_in_a_transaction_that_settles_nothing_else,
            rule_t_of_two_contrary_outcomes_the_first_stands_and_the_units_agree,
            rule_n_an_unknown_outcome_keeps_the_units,
            rule_n_only_what_was_surely_not_sent_gives_the_units_back,
            rule_n_an_open_circuit_takes_no_hold,
            rule_d_a_caller_who_hangs_up_changes_nothing,
            rule_o_money_for_a_case_that_has_ended_is_asked_back_once,
            rule_o_money_of_an_earlier_attempt_is_asked_back_and_the_case_stays_paid,
            rule_o_the_approval_that_paid_for_a_case_is_not_given_back_however_late_it_is_heard,
            rule_a_a_declined_card_leaves_the_hold_for_another,
            rule_a_paying_again_while_the_outcome_is_unknown_asks_for_the_same_payment,
            rule_a_an_attempt_that_was_not_sent_stays_open_until_the_hold_expires,
            rule_a_a_voided_attempt_ends_the_case,
            rule_a_a_hold_whose_time_is_over_is_not_paid,
            rule_a_a_payer_whose_card_was_declined_is_told_so_whatever_came_of_the_next_one,
            a_payment_that_needs_the_payer_says_so_and_waits,
            rule_r_the_same_request_in_sequence_is_one_case,
            rule_r_the_same_request_in_parallel_is_one_case,
            rule_r_another_request_under_the_same_id_is_refused,
            rule_r_another_principal_has_ids_of_their_own,
            rule_r_a_decline_is_replayed_and_not_tried_again,
            rule_r_a_request_that_failed_before_the_hold_leaves_no_record,
            rule_r_an_unavailable_payment_frees_the_id_for_another_try,
            rule_r_while_the_case_is_pending_the_same_request_joins_its_payment,
            rule_r_whoever_settles_stores_the_answer,
            rule_r_a_hold_is_replayed_as_it_was_first_answered,
            rule_r_a_cancellation_is_replayed_as_it_was_first_answered,
            rule_r_an_answer_that_was_stored_at_settling_is_replayed_as_it_was_after_a_cancellation,
            rule_r_nobody_waits_for_a_call_that_is_long_over,
            rule_r_a_stop_waits_for_nobody_who_only_waits_for_others,
            rule_r_a_caller_who_hangs_up_waits_for_others_no_longer,
            rule_r_of_two_callers_both_wait_whoever_was_counted_first,
            rule_n_a_retry_that_was_not_sent_does_not_end_the_payment_under_way,
            rule_r_a_request_sent_to_two_replicas_at_once_has_one_answer_however_long_payment_takes,
            rule_s_the_sweeper_finds_an_approval_that_nobody_heard_of,
            rule_s_a_payment_that_is_not_there_is_voided_before_the_units_go,
            rule_s_past_the_expiry_the_sweeper_voids_and_obeys,
            rule_s_a_case_that_makes_progress_is_looked_at_as_often_as_a_new_one,
            rule_s_an_undecided_payment_is_not_voided_before_the_expiry,
            rule_s_with_payment_out_of_reach_the_hold_stays_even_past_its_expiry,
            rule_s_an_unpaid_hold_expires_by_itself_without_asking_anybody,
            rule_s_a_case_that_cannot_be_read_holds_up_no_other_and_is_no_reason_to_hurry,
            rule_s_a_database_that_takes_no_writes_is_not_asked_without_a_pause,
            rule_l_of_ten_sweepers_at_once_one_asks_about_a_case,
            rule_l_two_sweepers_at_once_settle_a_case_once,
            rule_c_cancelling_gives_the_unit_back_at_once_and_asks_for_the_promised_refund,
            rule_c_a_hold_is_cancelled_at_once_without_asking_payment,
            rule_c_the_cancellation_is_complete_when_the_refund_is,
            rule_c_a_refund_refused_for_good_is_shown_and_never_called_complete,
            rule_c_cancelling_while_the_payment_is_under_way_ends_by_its_outcome,
            rule_c_a_case_that_ended_unpaid_cannot_be_cancelled,
            rule_c_cancelling_for_nothing_back_is_complete_without_payment,
            rule_c_when_the_time_for_it_is_over_the_payer_cannot_cancel,
            rule_c_a_payer_who_never_had_a_moment_for_cancelling_gets_everything_back,
            rule_c_after_asking_to_cancel_a_retry_calls_payment_no_more,
            rule_c_whoever_but_the_payer_cancels_gives_everything_back,
            rule_c_each_party_can_cancel_for_as_long_as_the_case_is_open_to_it,
            rule_c_of_a_payer_who_did_not_come_others_say_so_and_the_policy_says_what_comes_back,
            rule_c_only_the_system_says_that_what_was_sold_is_gone,
            rule_c_a_failed_refund_is_made_good_by_others_that_give_all_of_it_back,
            rule_c_a_failed_refund_is_made_good_when_the_sweeper_finds_the_money_given_back,
            an_approval_for_a_case_that_is_not_here_is_not_passed_over,
            a_step_is_written_and_told_once_and_leaves_the_lifecycle_as_it_was,
            rule_t_a_step_that_is_heard_twenty_times_at_once_is_one,
            a_step_belongs_to_its_business_case_whoever_takes_it,
            rule_r_a_request_for_a_step_is_answered_the_same_however_often_it_is_sent,
            nothing_goes_on_that_is_not_confirmed,
            a_step_that_is_refused_leaves_nothing_behind_and_its_request_may_try_again,
            a_step_cannot_reach_into_the_lifecycle,
            a_stranger_finds_no_case_to_go_on_with,
            the_last_unit_is_sold_once_over_several_replicas,
            rule_t_a_step_and_a_cancellation_at_once_happen_one_after_the_other,
        }
    };
    ($seller:ty: $($rule:ident,)*) => { $(
        #[tokio::test]
        async fn $rule() {
            $crate::lifecycle::rules::$rule::<$seller>().await;
        }
    )* };
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    /// A rule that is not on the list is run by no context.
    #[test]
    fn every_rule_is_on_the_list() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lifecycle");
        let list = fs::read_to_string(folder.join("list.rs")).unwrap();
        let mut rules = BTreeSet::new();
        for file in fs::read_dir(folder.join("rules")).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let names = text.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('<').next());
            rules.extend(names.map(str::to_owned));
        }
        assert!(rules.len() > 60, "{rules:?}");
        let missing: Vec<_> = rules.iter().filter(|rule| !list.contains(&format!(" {rule},\n"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

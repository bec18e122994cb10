mod breaks;
mod house;
mod live;
mod payment_courses;
mod shown;

use std::collections::BTreeSet;

use jiff::ToSpan;
use mesh::{clock::from_micros, driver::MAX_FAILURES};
use payment::domain::{
    machine::State as PaymentState,
    payment::Payment,
    refund::{Kind, Refund, RefundState},
};
use uuid::Uuid;

use self::{
    breaks::{breaks, open_request},
    house::{
        TOTAL, at, booking_of, charge_of, event_of, in_order, just_now, long_ago, nothing, payment_of, refund_of,
        stay_of,
    },
};
use super::{Finding, Reading, ReportedTask, Rule, Verdict, check, judge, report};

fn rules_of(findings: &[Finding]) -> BTreeSet<Rule> {
    findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn consistent_books_pass_every_rule_and_every_rule_checks_something() {
    let verdict = judge(&in_order());
    assert_eq!(verdict.findings, []);
    // The fixture has no open requests, so that rule checks nothing.
    let idle: Vec<_> = Rule::ALL.iter().filter(|rule| verdict.checked(**rule) == 0).collect();
    assert_eq!(idle, [&Rule::RequestsAnswered]);
}

#[test]
fn each_broken_record_is_found_by_exactly_the_rules_that_it_breaks() {
    for (what, break_it, expected) in breaks() {
        let mut books = in_order();
        break_it(&mut books);
        let findings = check(&books);
        assert_eq!(rules_of(&findings), expected.iter().copied().collect(), "{what}: {findings:#?}");
    }
}

#[test]
fn every_rule_finds_a_fault_that_no_other_rule_finds() {
    let alone: BTreeSet<Rule> = breaks()
        .filter_map(|(_, _, expected)| match expected {
            [rule] => Some(*rule),
            _ => None,
        })
        .collect();
    assert_eq!(Rule::ALL.iter().filter(|rule| !alone.contains(rule)).collect::<Vec<_>>(), Vec::<&Rule>::new());
}

/// Work in progress is a finding only after the grace period.
#[test]
fn work_in_progress_is_no_finding_within_the_grace_period() {
    let under_way: &[fn(&mut Reading)] = &[
        |books| {
            let event = event_of(books, at::CONFIRMED);
            (event.occur_time, event.is_published) = (just_now(), false);
            stay_of(books, at::CONFIRMED).version = 1;
            booking_of(books, at::CONFIRMED).case.state = "PENDING".to_owned();
            // No consumer has handled it yet.
            event_of(books, at::CONFIRMED).id = Uuid::from_u128(12);
        },
        |books| {
            // Voided a moment ago, and charged after that.
            let payment = payment_of(books, at::EXPIRED);
            (payment.standing.calls, payment.update_time) = (1, just_now());
            let charge = charge_of(books, at::EXPIRED);
            (charge.given_back_minor, charge.charge.create_time) = (0, just_now());
            books.refunds.retain(|refund| refund.kind != Kind::Reversal);
        },
        |books| {
            let case = books.cases[at::PAYING].name.clone();
            books.open_requests.push(open_request(Some(&case), 1));
            // The provider has taken the money, and payment does not know it yet.
            charge_of(books, at::PAYING).times_taken = 1;
        },
        |books| charge_of(books, at::CANCELLING).given_back_minor = TOTAL,
        |books| books.my_page = None,
        |books| {
            // A room has changed, and no consumer has handled the event yet.
            let event = books.events.iter_mut().find(|event| event.context == "room").unwrap();
            (event.occur_time, event.id) = (just_now(), Uuid::from_u128(13));
            (books.rooms[0].version, books.rooms[0].details.units) = (2, 3);
        },
        // An empty system.
        |books| *books = nothing(),
    ];
    for (number, change) in under_way.iter().enumerate() {
        let mut books = in_order();
        change(&mut books);
        assert_eq!(check(&books), [], "number {number}");
    }
}

#[test]
fn only_findings_of_both_readings_are_reported() {
    let look = |break_it: fn(&mut Reading)| -> Verdict {
        let mut books = in_order();
        break_it(&mut books);
        judge(&books)
    };
    let first = look(|books| {
        books.nights[0].taken = 0;
        books.events[0].is_published = false;
    });
    // The same night is wrong again with another figure; the late event has been published; another event is late now.
    let second = look(|books| {
        books.nights[0].taken = 3;
        books.nights[0].capacity = 3;
        books.nights[0].offered = 3;
        books.events[1].is_published = false;
    });
    let both = second.confirming(&first);
    assert_eq!(rules_of(&both.findings), [Rule::UnitsTaken].into());
}

#[test]
fn the_reversal_of_a_late_charge_may_take_as_long_as_the_charge_was_late() {
    let mut books = in_order();
    books.refunds.retain(|refund| refund.kind != Kind::Reversal);
    charge_of(&mut books, at::EXPIRED).given_back_minor = 0;
    payment_of(&mut books, at::EXPIRED).standing.calls = 1;
    let voided = payment_of(&mut books, at::EXPIRED).update_time;
    charge_of(&mut books, at::EXPIRED).charge.create_time = voided + 40.minutes();
    assert_eq!(check(&books), [], "20 minutes after a charge that came 40 minutes late");
    charge_of(&mut books, at::EXPIRED).charge.create_time = voided + 25.minutes();
    assert_eq!(rules_of(&check(&books)), [Rule::VoidedUncharged].into());
}

/// The case has not handled the refund's event yet.
#[test]
fn a_cancellation_is_no_finding_after_its_refund_was_retried_and_succeeded() {
    let mut books = in_order();
    let failed = refund_of(&mut books, at::CANCELLING);
    failed.state = RefundState::Failed;
    let retried = Refund { id: Uuid::from_u128(77), state: RefundState::Succeeded, ..failed.clone() };
    books.refunds.push(retried);
    let given = &mut payment_of(&mut books, at::CANCELLING).bill.as_mut().unwrap().1;
    (given.refunding, given.refunded) = (given.refunded, given.refunding);
    assert!(!rules_of(&check(&books)).contains(&Rule::CancellationsEnd));
}

#[test]
fn the_fixture_has_the_states_that_its_constants_name() {
    let mut books = in_order();
    let state = |books: &mut Reading, place| Payment::state(payment_of(books, place));
    assert_eq!(state(&mut books, at::CONFIRMED), PaymentState::Approved);
    assert_eq!(state(&mut books, at::CANCELLED), PaymentState::Refunded);
    assert_eq!(state(&mut books, at::EXPIRED), PaymentState::Voided);
    assert_eq!(state(&mut books, at::PAYING), PaymentState::Pending);
    assert!(from_micros(books.cases[at::HELD].hold_expire_micros) > books.time);
}

/// Of a process that is down nothing is expected, and the report says when it was seen.
#[test]
fn the_tasks_of_a_process_that_is_down_are_shown_and_are_no_findings() {
    let mut books = in_order();
    let report = &mut books.tasks[0].report;
    (report.turn_time, report.failures, report.problem) =
        (Some(long_ago()), MAX_FAILURES, Some("disk full".to_owned()));
    let report = report.clone();
    assert_eq!(check(&books).len(), 1);
    let seen = report.report_time;
    for (live, now) in [(true, seen + 3.minutes()), (false, seen)] {
        books.tasks = vec![ReportedTask::read(report.clone(), live, now)];
        assert_eq!(check(&books), []);
        let text = report::text(&judge(&books), &books);
        let line = format!(
            "reservation.sweeper: failed at {}, {MAX_FAILURES} in a row: disk full; the process is down, last seen at {seen}",
            long_ago()
        );
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn a_finding_about_a_task_says_what_is_wrong_and_what_to_do() {
    let sentence = |change: fn(&mut ReportedTask)| {
        let mut books = in_order();
        change(&mut books.tasks[0]);
        check(&books).remove(0).to_string()
    };
    let still = sentence(|task| task.report.turn_time = Some(long_ago()));
    assert!(still.contains("reservation.sweeper") && still.contains("restart the process"), "{still}");
    let failing = sentence(|task| {
        (task.report.failures, task.report.problem) = (7, Some("the disk is full".to_owned()));
    });
    assert!(failing.contains("its last 7 turns failed (the disk is full)"), "{failing}");
    let mut books = in_order();
    let report = &mut books.tasks[0].report;
    // Ten rests of 20 s, and a minute.
    report.turn_time = Some(report.report_time - 260.seconds());
    assert_eq!(check(&books), [], "it may take that long");
}

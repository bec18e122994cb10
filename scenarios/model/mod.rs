//! Every interleaving of one case, explored ([`search`]): the lifecycle's and payment's own transition functions, run against each other by a
//! search that lets handlers crash, calls arrive late, and events come any number of times in any order.
//!
//! Within its bounds (two attempts, two crashes, one retry, one sweep at a time) it visits every reachable state and checks the books
//! in each. The same search with one rule left out must find a history that breaks them; otherwise it would prove nothing.
//!
//! [`judge`] does the same for a cancellation of something that somebody else may have begun to bring (rule K).

mod books;
mod explore;
mod judge;
mod search;
mod world;

use self::search::{LeftOut, Search};

#[test]
fn no_interleaving_of_one_case_breaks_the_books() {
    match (Search { left_out: LeftOut::Nothing }).run() {
        Ok(states) => assert!(states > 500_000, "the search visited only {states} states"),
        Err(history) => panic!("{history}"),
    }
}

#[test]
fn each_rule_left_out_is_caught() {
    for rule in [
        LeftOut::EveryCallIsCounted,
        LeftOut::EveryCallIsCountedAndLateApprovalRefunded,
        LeftOut::TheApprovalThatPaidIsNoOrphan,
        LeftOut::OneAttemptAtATime,
        LeftOut::UnitsBackOnCancel,
        LeftOut::CommitBeforeProvider,
        LeftOut::VoidReversed,
        LeftOut::VoidEndsTheCase,
        LeftOut::NotSentKeepsTheAttemptOpen,
        LeftOut::TheUpdateIsConditional,
    ] {
        let outcome = (Search { left_out: rule }).run();
        assert!(outcome.is_err(), "{rule:?} was left out, and {outcome:?} states are all well");
    }
}

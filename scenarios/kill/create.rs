//! Create with a payment method: all or nothing.

use contracts::reservation::v1::reservation::State::{Confirmed, Rejected};
use jumak::house::Member;
use mesh::{
    checkout::kill::{AFTER_HOLD, AFTER_SETTLE, BEFORE_PAY, BEFORE_SETTLE},
    consumer::BEFORE_ACK,
    relay::AFTER_PUBLISH,
};
use payment::kill::{AFTER_PROVIDER, BEFORE_PROVIDER};

use super::{IsGone, Repeats, Table, all, guest::Step, row, scene::Scene};

/// The provider takes a moment, so that the hold's event is published by itself, before the others.
pub static APPROVED: Table = Table {
    scene: Scene::Nothing,
    script: &[Step::Book("tok_slow_500")],
    rows: &[
        // The provider was not asked: whoever repeats the call is booked, and otherwise it is given up.
        row(AFTER_HOLD, 1, Repeats, Confirmed),
        row(AFTER_HOLD, 1, IsGone, Rejected),
        row(BEFORE_PAY, 1, Repeats, Confirmed),
        row(BEFORE_PAY, 1, IsGone, Rejected),
        row(BEFORE_PROVIDER, 1, Repeats, Confirmed),
        row(BEFORE_PROVIDER, 1, IsGone, Rejected),
        // It was asked, and has charged: that is found out.
        row(AFTER_PROVIDER, 1, Repeats, Confirmed),
        row(AFTER_PROVIDER, 1, IsGone, Confirmed),
        row(BEFORE_SETTLE, 1, Repeats, Confirmed),
        row(BEFORE_SETTLE, 1, IsGone, Confirmed),
        row(AFTER_SETTLE, 1, Repeats, Confirmed),
        row(AFTER_SETTLE, 1, IsGone, Confirmed),
        // Its hold, the payment's approval and its confirmation are published, and heard by those who hear of them.
        row(AFTER_PUBLISH, 1, Repeats, Confirmed),
        row(AFTER_PUBLISH, 2, IsGone, Confirmed),
        row(AFTER_PUBLISH, 3, IsGone, Confirmed),
        row(BEFORE_ACK, 1, Repeats, Confirmed),
        row(BEFORE_ACK, 2, Repeats, Confirmed),
        row(BEFORE_ACK, 3, IsGone, Confirmed),
        row(BEFORE_ACK, 4, IsGone, Confirmed),
        row(BEFORE_ACK, 5, IsGone, Confirmed),
    ],
    shared: &[
        (AFTER_PUBLISH, Member::RESERVATION, 2),
        (AFTER_PUBLISH, Member::PAYMENT, 1),
        (BEFORE_ACK, Member::ROOM, 2),
        (BEFORE_ACK, Member::RESERVATION, 1),
        (BEFORE_ACK, Member::MYPAGE, 2),
    ],
};

/// It is declined at once, so that nobody hears of one thing after the other for sure.
pub static DECLINED: Table = Table {
    scene: Scene::Nothing,
    script: &[Step::Book("tok_decline_insufficient_funds")],
    rows: &[
        row(AFTER_HOLD, 1, Repeats, Rejected),
        row(BEFORE_PROVIDER, 1, Repeats, Rejected),
        row(AFTER_PROVIDER, 1, Repeats, Rejected),
        row(AFTER_PROVIDER, 1, IsGone, Rejected),
        row(BEFORE_SETTLE, 1, Repeats, Rejected),
        row(BEFORE_SETTLE, 1, IsGone, Rejected),
        row(AFTER_SETTLE, 1, IsGone, Rejected),
        row(BEFORE_ACK, 3, IsGone, Rejected),
    ],
    shared: &[],
};

#[tokio::test]
async fn z4_a_booking_killed_anywhere_is_confirmed_and_charged_once_or_rejected_and_free() {
    all(&APPROVED).await;
}

#[tokio::test]
async fn z4_a_declined_booking_killed_anywhere_is_rejected_and_free() {
    all(&DECLINED).await;
}

//! Create with a payment method: all or nothing.

use contracts::reservation::v1::reservation::State::{Confirmed, Rejected};
use jumak::house::Member::{Mypage, Payment, Reservation, Room};
use mesh::killpoint::KillPoint::{
    AfterHold, AfterProvider, AfterPublish, AfterSettle, BeforeAck, BeforePay, BeforeProvider, BeforeSettle,
};

use super::{IsGone, Repeats, Table, all, guest::Step, row, scene::Scene};

/// The provider takes a moment, so that the hold's event is published by itself, before the others.
pub static APPROVED: Table = Table {
    scene: Scene::Nothing,
    script: &[Step::Book("tok_slow_500")],
    rows: &[
        // The provider was not asked: whoever repeats the call is booked, and otherwise it is given up.
        row(AfterHold, 1, Repeats, Confirmed),
        row(AfterHold, 1, IsGone, Rejected),
        row(BeforePay, 1, Repeats, Confirmed),
        row(BeforePay, 1, IsGone, Rejected),
        row(BeforeProvider, 1, Repeats, Confirmed),
        row(BeforeProvider, 1, IsGone, Rejected),
        // It was asked, and has charged: that is found out.
        row(AfterProvider, 1, Repeats, Confirmed),
        row(AfterProvider, 1, IsGone, Confirmed),
        row(BeforeSettle, 1, Repeats, Confirmed),
        row(BeforeSettle, 1, IsGone, Confirmed),
        row(AfterSettle, 1, Repeats, Confirmed),
        row(AfterSettle, 1, IsGone, Confirmed),
        // Its hold, the payment's approval and its confirmation are published, and heard by those who hear of them.
        row(AfterPublish, 1, Repeats, Confirmed),
        row(AfterPublish, 2, IsGone, Confirmed),
        row(AfterPublish, 3, IsGone, Confirmed),
        row(BeforeAck, 1, Repeats, Confirmed),
        row(BeforeAck, 2, Repeats, Confirmed),
        row(BeforeAck, 3, IsGone, Confirmed),
        row(BeforeAck, 4, IsGone, Confirmed),
        row(BeforeAck, 5, IsGone, Confirmed),
    ],
    shared: &[
        (AfterPublish, Reservation, 2),
        (AfterPublish, Payment, 1),
        (BeforeAck, Room, 2),
        (BeforeAck, Reservation, 1),
        (BeforeAck, Mypage, 2),
    ],
};

/// It is declined at once, so that nobody hears of one thing after the other for sure.
pub static DECLINED: Table = Table {
    scene: Scene::Nothing,
    script: &[Step::Book("tok_decline_insufficient_funds")],
    rows: &[
        row(AfterHold, 1, Repeats, Rejected),
        row(BeforeProvider, 1, Repeats, Rejected),
        row(AfterProvider, 1, Repeats, Rejected),
        row(AfterProvider, 1, IsGone, Rejected),
        row(BeforeSettle, 1, Repeats, Rejected),
        row(BeforeSettle, 1, IsGone, Rejected),
        row(AfterSettle, 1, IsGone, Rejected),
        row(BeforeAck, 3, IsGone, Rejected),
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

//! Cancelling, and the refund that follows.

use contracts::reservation::v1::reservation::State::Cancelled;
use jumak::house::Member::{Mypage, Payment, Reservation, Room};
use mesh::killpoint::KillPoint::{AfterCancel, AfterPublish, AfterRefund, BeforeAck, BeforeRefund};

use super::{IsGone, Repeats, Table, all, guest::Step, row, scene::Scene};

/// Cancelled with a refund.
pub static CONFIRMED: Table = Table {
    scene: Scene::Confirmed,
    script: &[Step::Cancel],
    rows: &[
        row(AfterCancel, 1, Repeats, Cancelled),
        row(AfterCancel, 1, IsGone, Cancelled),
        row(BeforeRefund, 1, Repeats, Cancelled),
        row(BeforeRefund, 1, IsGone, Cancelled),
        row(AfterRefund, 1, Repeats, Cancelled),
        row(AfterRefund, 1, IsGone, Cancelled),
        // The request to cancel, the refund and the cancellation are published, and heard by those who hear of them.
        row(AfterPublish, 1, Repeats, Cancelled),
        row(AfterPublish, 2, Repeats, Cancelled),
        row(AfterPublish, 3, IsGone, Cancelled),
        row(BeforeAck, 1, Repeats, Cancelled),
        row(BeforeAck, 2, Repeats, Cancelled),
        row(BeforeAck, 3, IsGone, Cancelled),
        row(BeforeAck, 4, IsGone, Cancelled),
        row(BeforeAck, 5, IsGone, Cancelled),
        row(BeforeAck, 6, IsGone, Cancelled),
    ],
    // The cancellation comes about after the request for it was published, hence by itself.
    shared: &[
        (AfterPublish, Reservation, 2),
        (AfterPublish, Payment, 1),
        (BeforeAck, Room, 1),
        (BeforeAck, Reservation, 1),
        (BeforeAck, Payment, 1),
        (BeforeAck, Mypage, 1),
    ],
};

/// Cancelled before anything was paid.
pub static HELD: Table = Table {
    scene: Scene::Held,
    script: &[Step::Cancel],
    rows: &[
        row(AfterCancel, 1, Repeats, Cancelled),
        row(AfterPublish, 1, IsGone, Cancelled),
        row(BeforeAck, 1, IsGone, Cancelled),
        row(BeforeAck, 2, IsGone, Cancelled),
    ],
    shared: &[(AfterPublish, Reservation, 1), (BeforeAck, Room, 1), (BeforeAck, Mypage, 1)],
};

#[tokio::test]
async fn z4_a_cancellation_killed_anywhere_is_refunded_once() {
    all(&CONFIRMED).await;
}

#[tokio::test]
async fn z4_a_hold_whose_cancellation_is_killed_anywhere_is_let_go() {
    all(&HELD).await;
}

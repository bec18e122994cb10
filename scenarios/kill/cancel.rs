//! Cancelling, and the refund that follows.

use contracts::reservation::v1::reservation::State::Cancelled;
use jumak::house::Member;
use mesh::{checkout::kill::AFTER_CANCEL, consumer::BEFORE_ACK, relay::AFTER_PUBLISH};
use payment::kill::{AFTER_REFUND, BEFORE_REFUND};

use super::{IsGone, Repeats, Table, all, guest::Step, row, scene::Scene};

/// Cancelled with a refund.
pub static CONFIRMED: Table = Table {
    scene: Scene::Confirmed,
    script: &[Step::Cancel],
    rows: &[
        row(AFTER_CANCEL, 1, Repeats, Cancelled),
        row(AFTER_CANCEL, 1, IsGone, Cancelled),
        row(BEFORE_REFUND, 1, Repeats, Cancelled),
        row(BEFORE_REFUND, 1, IsGone, Cancelled),
        row(AFTER_REFUND, 1, Repeats, Cancelled),
        row(AFTER_REFUND, 1, IsGone, Cancelled),
        // The request to cancel, the refund and the cancellation are published, and heard by those who hear of them.
        row(AFTER_PUBLISH, 1, Repeats, Cancelled),
        row(AFTER_PUBLISH, 2, Repeats, Cancelled),
        row(AFTER_PUBLISH, 3, IsGone, Cancelled),
        row(BEFORE_ACK, 1, Repeats, Cancelled),
        row(BEFORE_ACK, 2, Repeats, Cancelled),
        row(BEFORE_ACK, 3, IsGone, Cancelled),
        row(BEFORE_ACK, 4, IsGone, Cancelled),
        row(BEFORE_ACK, 5, IsGone, Cancelled),
        row(BEFORE_ACK, 6, IsGone, Cancelled),
    ],
    // The cancellation comes about after the request for it was published, hence by itself.
    shared: &[
        (AFTER_PUBLISH, Member::RESERVATION, 2),
        (AFTER_PUBLISH, Member::PAYMENT, 1),
        (BEFORE_ACK, Member::ROOM, 1),
        (BEFORE_ACK, Member::RESERVATION, 1),
        (BEFORE_ACK, Member::PAYMENT, 1),
        (BEFORE_ACK, Member::MYPAGE, 1),
    ],
};

/// Cancelled before anything was paid.
pub static HELD: Table = Table {
    scene: Scene::Held,
    script: &[Step::Cancel],
    rows: &[
        row(AFTER_CANCEL, 1, Repeats, Cancelled),
        row(AFTER_PUBLISH, 1, IsGone, Cancelled),
        row(BEFORE_ACK, 1, IsGone, Cancelled),
        row(BEFORE_ACK, 2, IsGone, Cancelled),
    ],
    shared: &[(AFTER_PUBLISH, Member::RESERVATION, 1), (BEFORE_ACK, Member::ROOM, 1), (BEFORE_ACK, Member::MYPAGE, 1)],
};

#[tokio::test]
async fn z4_a_cancellation_killed_anywhere_is_refunded_once() {
    all(&CONFIRMED).await;
}

#[tokio::test]
async fn z4_a_hold_whose_cancellation_is_killed_anywhere_is_let_go() {
    all(&HELD).await;
}

//! Cancelling, and the refund that follows.

use contracts::reservation::v1::reservation::State::Cancelled;
use mesh::killpoint::KillPoint::{AfterCancel, AfterPublish, AfterRefund, BeforeAck, BeforeRefund};

use super::{IsGone, Repeats, Row, all, guest::Step, row, scene::Scene};

pub const CONFIRMED: &[Row] = &[
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
];

pub const HELD: &[Row] = &[
    row(AfterCancel, 1, Repeats, Cancelled),
    row(AfterPublish, 1, IsGone, Cancelled),
    row(BeforeAck, 1, IsGone, Cancelled),
    row(BeforeAck, 2, IsGone, Cancelled),
];

#[tokio::test]
async fn z4_a_cancellation_killed_anywhere_is_refunded_once() {
    all(Scene::Confirmed, &[Step::Cancel], CONFIRMED).await;
}

#[tokio::test]
async fn z4_a_hold_whose_cancellation_is_killed_anywhere_is_let_go() {
    all(Scene::Held, &[Step::Cancel], HELD).await;
}

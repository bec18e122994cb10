//! A hold, and paying for it.

use contracts::reservation::v1::reservation::State::{Confirmed, Expired, Rejected};
use jumak::house::Member::{Mypage, Payment, Reservation, Room};
use mesh::killpoint::KillPoint::{
    AfterHold, AfterProvider, AfterPublish, AfterSettle, BeforeAck, BeforePay, BeforeProvider, BeforeSettle,
};

use super::{IsGone, Repeats, Table, all, guest::Step, row, scene::Scene};

/// Paid with a card that takes a moment, as in `create`.
pub static APPROVED: Table = Table {
    scene: Scene::Nothing,
    script: &[Step::Hold, Step::Pay("tok_slow_500")],
    rows: &[
        row(AfterHold, 1, Repeats, Confirmed),
        row(BeforePay, 1, Repeats, Confirmed),
        // A voided call may still be charged for a moment: no other card is tried beside it.
        row(BeforePay, 1, IsGone, Rejected),
        row(BeforeProvider, 1, Repeats, Confirmed),
        row(BeforeProvider, 1, IsGone, Rejected),
        row(AfterProvider, 1, Repeats, Confirmed),
        row(AfterProvider, 1, IsGone, Confirmed),
        row(BeforeSettle, 1, Repeats, Confirmed),
        row(BeforeSettle, 1, IsGone, Confirmed),
        row(AfterSettle, 1, Repeats, Confirmed),
        row(AfterSettle, 1, IsGone, Confirmed),
        row(AfterPublish, 1, Repeats, Confirmed),
        row(AfterPublish, 2, IsGone, Confirmed),
        row(AfterPublish, 3, IsGone, Confirmed),
        row(BeforeAck, 2, Repeats, Confirmed),
        row(BeforeAck, 3, IsGone, Confirmed),
        row(BeforeAck, 5, IsGone, Confirmed),
    ],
    shared: &[(AfterPublish, Reservation, 2), (AfterPublish, Payment, 1), (BeforeAck, Room, 2), (BeforeAck, Mypage, 2)],
};

/// Holds that nobody comes back to before their time is over.
pub static NEVER_PAID: Table = Table {
    scene: Scene::ShortHolds,
    script: &[Step::Hold],
    rows: &[
        row(AfterHold, 1, IsGone, Expired),
        row(AfterPublish, 1, IsGone, Expired),
        row(BeforeAck, 1, IsGone, Expired),
        row(BeforeAck, 2, IsGone, Expired),
    ],
    shared: &[(AfterPublish, Reservation, 1), (BeforeAck, Room, 2), (BeforeAck, Mypage, 2)],
};

#[tokio::test]
async fn z4_a_hold_whose_payment_is_killed_anywhere_is_charged_once_or_not_at_all() {
    all(&APPROVED).await;
}

#[tokio::test]
async fn z2_a_hold_killed_anywhere_expires_when_nobody_pays() {
    all(&NEVER_PAID).await;
}

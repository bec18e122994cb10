//! A hold, and paying for it.

use contracts::reservation::v1::reservation::State::{Confirmed, Expired, Rejected};
use jumak::house::Member;
use mesh::{
    checkout::kill::{AFTER_HOLD, AFTER_SETTLE, BEFORE_PAY, BEFORE_SETTLE},
    consumer::BEFORE_ACK,
    relay::AFTER_PUBLISH,
};
use payment::kill::{AFTER_PROVIDER, BEFORE_PROVIDER};

use super::{IsGone, Repeats, Table, all, guest::Step, row, scene::Scene};

/// Paid with a card that takes a moment, as in `create`.
pub static APPROVED: Table = Table {
    scene: Scene::Nothing,
    script: &[Step::Hold, Step::Pay("tok_slow_500")],
    rows: &[
        row(AFTER_HOLD, 1, Repeats, Confirmed),
        row(BEFORE_PAY, 1, Repeats, Confirmed),
        // A voided call may still be charged for a moment: no other card is tried beside it.
        row(BEFORE_PAY, 1, IsGone, Rejected),
        row(BEFORE_PROVIDER, 1, Repeats, Confirmed),
        row(BEFORE_PROVIDER, 1, IsGone, Rejected),
        row(AFTER_PROVIDER, 1, Repeats, Confirmed),
        row(AFTER_PROVIDER, 1, IsGone, Confirmed),
        row(BEFORE_SETTLE, 1, Repeats, Confirmed),
        row(BEFORE_SETTLE, 1, IsGone, Confirmed),
        row(AFTER_SETTLE, 1, Repeats, Confirmed),
        row(AFTER_SETTLE, 1, IsGone, Confirmed),
        row(AFTER_PUBLISH, 1, Repeats, Confirmed),
        row(AFTER_PUBLISH, 2, IsGone, Confirmed),
        row(AFTER_PUBLISH, 3, IsGone, Confirmed),
        row(BEFORE_ACK, 2, Repeats, Confirmed),
        row(BEFORE_ACK, 3, IsGone, Confirmed),
        row(BEFORE_ACK, 5, IsGone, Confirmed),
    ],
    shared: &[
        (AFTER_PUBLISH, Member::RESERVATION, 2),
        (AFTER_PUBLISH, Member::PAYMENT, 1),
        (BEFORE_ACK, Member::ROOM, 2),
        (BEFORE_ACK, Member::MYPAGE, 2),
    ],
};

/// Holds that nobody comes back to before their time is over.
pub static NEVER_PAID: Table = Table {
    scene: Scene::ShortHolds,
    script: &[Step::Hold],
    rows: &[
        row(AFTER_HOLD, 1, IsGone, Expired),
        row(AFTER_PUBLISH, 1, IsGone, Expired),
        row(BEFORE_ACK, 1, IsGone, Expired),
        row(BEFORE_ACK, 2, IsGone, Expired),
    ],
    shared: &[(AFTER_PUBLISH, Member::RESERVATION, 1), (BEFORE_ACK, Member::ROOM, 2), (BEFORE_ACK, Member::MYPAGE, 2)],
};

#[tokio::test]
async fn z4_a_hold_whose_payment_is_killed_anywhere_is_charged_once_or_not_at_all() {
    all(&APPROVED).await;
}

#[tokio::test]
async fn z2_a_hold_killed_anywhere_expires_when_nobody_pays() {
    all(&NEVER_PAID).await;
}

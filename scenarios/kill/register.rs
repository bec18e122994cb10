//! A room is registered, and booked at once.

use contracts::reservation::v1::reservation::State::Confirmed;
use jumak::house::Member;
use mesh::{consumer::BEFORE_ACK, relay::AFTER_PUBLISH};

use super::{Repeats, Table, all, guest::Step, row, scene::Scene};

/// The room is published, and heard by those who hear of it. What follows is dealt with in the other tables.
pub static REGISTERED: Table = Table {
    scene: Scene::Nothing,
    script: &[Step::Register, Step::Book("tok_slow_500")],
    rows: &[
        row(AFTER_PUBLISH, 1, Repeats, Confirmed),
        row(BEFORE_ACK, 1, Repeats, Confirmed),
        row(BEFORE_ACK, 2, Repeats, Confirmed),
    ],
    shared: &[(AFTER_PUBLISH, Member::ROOM, 1), (BEFORE_ACK, Member::RESERVATION, 1), (BEFORE_ACK, Member::MYPAGE, 1)],
};

#[tokio::test]
async fn z5_a_room_whose_registration_is_killed_anywhere_is_there_once_and_can_be_booked() {
    all(&REGISTERED).await;
}

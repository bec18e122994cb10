//! The sweeper, when rows and writes fail it.

use mesh::checkout::State;
use sea_orm::{ConnectionTrait, EntityTrait, sea_query::Expr};
use servers::engine::Engine;

use super::House;
use crate::store::entity::reservation::{Column, Entity};

#[tokio::test]
async fn a_case_that_cannot_be_read_holds_up_no_other_and_is_no_reason_to_hurry() {
    let house = House::with_units(100).await;
    for _ in 0..70 {
        house.booked(None).await;
    }
    // More of them than are taken up at a time, and the longest due.
    Entity::update_many()
        .col_expr(Column::State, Expr::value("NOBODY_KNOWS"))
        .exec(house.database.for_migrations())
        .await
        .expect("broken");
    house.wait(1);
    let healthy = house.booked(None).await;

    house.wait(601);
    assert_eq!(house.checkout.sweep_once().await.expect("swept"), 64, "all that are taken up at a time");
    assert_eq!(house.checkout.sweep_once().await.expect("swept"), 7, "the rest of them, and the case behind them");
    assert_eq!(house.state(&healthy.name).await, State::Expired);
    assert_eq!(house.checkout.sweep_once().await.expect("swept"), 0, "none is looked at again at once");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_not_asked_without_a_pause() {
    let house = House::with_units(1).await;
    let held = house.booked(None).await;
    house.wait(601);
    let engine = Engine::chosen().expect("an engine");
    let no_updates = engine.to_refuse("UPDATE", "reservation");
    house.database.for_migrations().execute_unprepared(&no_updates).await.expect("trigger");
    assert_eq!(house.checkout.sweep_once().await.expect("swept"), 0, "nothing was done");
    house
        .database
        .for_migrations()
        .execute_unprepared(&engine.to_refuse_no_more("reservation"))
        .await
        .expect("trigger");
    assert_eq!(house.checkout.sweep_once().await.expect("swept"), 1);
    assert_eq!(house.state(&held.name).await, State::Expired);
}

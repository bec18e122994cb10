//! One unit, and a thousand who want it.

use std::sync::Arc;

use contracts::{provider::v1::charge, reservation::v1::reservation::State};

use tokio::sync::Notify;

use super::{guests, insists, race, units_left};
use crate::support::{Inn, nights::two_nights};

const RACERS: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_of_a_thousand_clients_who_want_the_last_unit_one_gets_it() {
    let inn = Inn::open().await;
    let room = inn.host("hana").registers_a_room(1).await;
    let request = two_nights(&room, Some("tok_approve"));
    let runners = guests(&inn, RACERS).await.into_iter().map(|guest| (guest, request.clone())).collect();

    let outcomes = race(runners).await;
    let (sold, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let sold: Vec<_> = sold.into_iter().flatten().collect();
    assert_eq!(sold.len(), 1, "{sold:#?}");
    assert_eq!(sold[0].state(), State::Confirmed);
    assert_eq!(refused.len(), RACERS - 1);
    for refusal in refused.into_iter().filter_map(Result::err) {
        assert_eq!(units_left(&refusal), 0);
    }
    let (charges, refunds) = inn.provider_books().await;
    assert_eq!(charges.iter().map(|charge| charge.state()).collect::<Vec<_>>(), [charge::State::Charged]);
    assert_eq!(refunds, []);
    inn.audit().await;
    inn.close().await;
}

/// One writes at a time. Who cannot have it anyway does not stand in that queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_too_late_is_told_so_while_others_write() {
    let inn = Inn::open().await;
    let room = inn.host("hana").registers_a_room(1).await;
    let request = two_nights(&room, Some("tok_approve"));
    insists(&inn.guest("alice"), &request).await.expect("the last unit");

    let database = inn.database("reservation").await;
    let (begun, over) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, ends) = (begun.clone(), over.clone());
    let writes = tokio::spawn(async move {
        database
            .transact("a long time", |_| async {
                begins.notify_one();
                ends.notified().await;
                Ok(())
            })
            .await
    });
    begun.notified().await;
    let refusal = insists(&inn.guest("bob"), &request).await.expect_err("sold out");
    assert_eq!(units_left(&refusal), 0);
    over.notify_one();
    writes.await.expect("it ends").expect("it commits");
    inn.close().await;
}

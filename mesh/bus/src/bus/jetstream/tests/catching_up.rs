use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mesh_testing::events;

use super::support::{TIMING, assert_one_effect_each, connect, eventually, has_settled, hears, server};
use crate::{
    bus::SharedBus,
    consumer,
    testbed::{Testbed, wiring},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_was_away_for_ten_thousand_events_catches_up() {
    let nats = server().await;
    let bus: SharedBus = Arc::new(connect(&nats, "stay").await);
    let sent = events("room", 10_000);
    let begun = Instant::now();
    bus.publish(&sent).await.unwrap();
    println!("published: {:.0}/s", sent.len() as f64 / begun.elapsed().as_secs_f64());

    let testbed = Testbed::new();
    let (stay, wiring) = (testbed.database("stay.db").await, wiring(&bus));
    let begun = Instant::now();
    consumer::start_at(TIMING, "stay", stay.clone(), hears(|_| false), &wiring).await.unwrap();
    eventually("it has caught up", async || has_settled(&*bus, "stay", &stay, sent.len()).await).await;
    println!("caught up: {:.0}/s", sent.len() as f64 / begun.elapsed().as_secs_f64());
    assert_one_effect_each(&stay, &sent).await;
    wiring.background.drain(Duration::from_secs(2)).await;
}

use super::*;

#[tokio::test]
async fn an_event_that_the_bus_refuses_waits_longer_each_time_and_the_others_get_on() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let clock = Clock::manual(Clock::system().now());
    let switch = Arc::new(Switch::default());
    switch.to(Some(&bus));
    let sent = events("room", 5);
    switch.refuse(&sent[..1]);
    commit(&database, &sent).await;
    let mut relay = relay(&database, &(switch.clone() as SharedBus), &clock);
    let refused = async |relay: &mut Relay| matches!(relay.publish_batch().await, Err(RelayError::Refused(1)));
    assert_eq!(relay.publish_batch().await.unwrap(), 5);
    assert_eq!(hear(&bus).await, [2, 3, 4, 5]);
    assert_eq!(unpublished(&database).await, 1);
    assert_eq!(relay.publish_batch().await.unwrap(), 0, "it has to wait");

    clock.advance(SignedDuration::from_secs(10));
    assert!(refused(&mut relay).await, "it is tried again");
    clock.advance(SignedDuration::from_secs(9));
    assert_eq!(relay.publish_batch().await.unwrap(), 0, "it has waited for 10 s, and waits for 10 s more");
    switch.refuse(&[]);
    clock.advance(SignedDuration::from_secs(2));
    assert_eq!(relay.publish_batch().await.unwrap(), 1);
    assert_eq!(hear(&bus).await, [1]);
    assert_eq!(unpublished(&database).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_goes_on_at_once_after_a_refusal_and_stops_with_it_in_the_outbox() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let switch = Arc::new(Switch::default());
    switch.to(Some(&bus));
    let sent = events("room", 300);
    switch.refuse(&sent[..1]);
    commit(&database, &sent).await;
    let wiring = wiring(&(switch.clone() as SharedBus));
    start("room", database.clone(), &wiring);
    eventually("the others are marked", async || unpublished(&database).await == 1).await;
    wiring.background.drain(Duration::from_secs(20)).await;
    assert_eq!(unpublished(&database).await, 1, "it stays for whoever starts next");
    assert_eq!(hear(&bus).await.len(), 299);
}

#[tokio::test]
async fn events_that_are_refused_keep_no_other_of_their_batch() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let switch = Arc::new(Switch::default());
    switch.to(Some(&bus));
    let sent = events("room", 20);
    switch.refuse(&sent[5..15]);
    commit(&database, &sent).await;
    let mut relay = relay(&database, &(switch.clone() as SharedBus), &Clock::system());
    // They are named one by one, and all others are marked nevertheless.
    assert_eq!(relay.publish_batch().await.unwrap(), 20);
    assert_eq!(unpublished(&database).await, 10);
    assert!(hear(&bus).await.into_iter().eq((1..=5).chain(16..=20)));
}

#[tokio::test]
async fn the_lag_is_that_of_the_oldest_event_also_while_it_is_refused() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let clock = Clock::manual(Clock::system().now());
    let switch = Arc::new(Switch::default());
    switch.to(Some(&bus));
    let mut relay = relay(&database, &(switch.clone() as SharedBus), &clock);
    assert_eq!(relay.lag_seconds().await.unwrap(), 0.0);
    let sent = events("room", 3);
    switch.refuse(&sent[..1]);
    commit(&database, &sent).await;
    clock.advance(SignedDuration::from_secs(100));
    relay.publish_batch().await.unwrap();
    assert_eq!(relay.publish_batch().await.unwrap(), 0, "nothing is due");
    assert!(relay.lag_seconds().await.unwrap() >= 99.0);
    switch.refuse(&[]);
    clock.advance(SignedDuration::from_secs(200));
    relay.publish_batch().await.unwrap();
    assert_eq!(relay.lag_seconds().await.unwrap(), 0.0);
}

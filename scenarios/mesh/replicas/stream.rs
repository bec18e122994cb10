//! What the broker's stream holds, heard once from its beginning.

use std::{collections::HashMap, time::Duration};

use jiff::SignedDuration;
use mesh::bus::{Bus, ConsumerSpec};

use crate::{mesh::bus::operator, support::Inn};

/// Messages that are fetched at once.
const BATCH: usize = 256;
/// How long nothing comes when there is nothing more.
const SILENCE: Duration = Duration::from_secs(1);

/// The stream holds each event of every outbox, once, and nothing else.
pub async fn assert_holds_each_event_once(inn: &Inn) {
    let mut times: HashMap<String, u32> = HashMap::new();
    let bus = operator(inn).await;
    let spec = ConsumerSpec {
        name: "counter".to_owned(),
        filters: vec!["jumak.>".to_owned()],
        ack_wait: Duration::from_secs(60),
    };
    let mut member = bus.subscribe(spec).await.expect("a consumer");
    loop {
        let fetched = member.fetch(BATCH, SILENCE).await.expect("messages");
        if fetched.is_empty() {
            break;
        }
        let handles: Vec<u64> = fetched.iter().map(|delivery| delivery.handle).collect();
        for delivery in fetched {
            let id = delivery.headers.into_iter().find(|(name, _)| name == "ce-id").expect("an id").1;
            *times.entry(id).or_default() += 1;
        }
        member.ack(&handles).await.expect("acknowledged");
    }
    let told = jumak::audit::read(inn.folder(), inn.config(), SignedDuration::ZERO).await.expect("the books").events;
    let expected: HashMap<String, u32> = told.iter().map(|told| (told.id.to_string(), 1)).collect();
    assert_eq!(times, expected);
}

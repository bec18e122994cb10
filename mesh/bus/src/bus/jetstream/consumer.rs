//! Durable consumers of the stream.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    consumer::{AckPolicy, Consumer, DeliverPolicy, ReplayPolicy, pull::Config},
    stream::ConsumerErrorKind,
};

use super::{layout, link::Link};
use crate::bus::{BusError, ConsumerSpec, matches};

/// Messages that may be delivered to all members of a consumer and not acknowledged: ten fetches of a hundred. No more are delivered
/// until some are acknowledged.
const MAX_ACK_PENDING: i64 = 1_000;
/// Concurrent fetches of all members; a further one is refused.
const MAX_WAITING: i64 = 512;

/// The consumer; created if it is missing, and updated if its filters have changed.
pub(super) async fn join(link: &Link, spec: &ConsumerSpec) -> Result<Consumer<Config>, BusError> {
    if !layout::is_token(&spec.name) {
        return Err(BusError::new("subscribe", "a consumer's name must consist of letters, digits, - and _"));
    }
    link.make_ready().await?;
    let context = link.context();
    let subject = layout::api("CONSUMER.CREATE", &format!("{}.{}", layout::STREAM, spec.name));
    let make = async { Ok(context.create_consumer_on_stream(config(spec), layout::STREAM).await?) };
    link.run("subscribe", subject, make).await
}

/// Deletes the consumer and its place, if it exists.
pub(super) async fn forget(link: &Link, name: &str) -> Result<(), BusError> {
    link.make_ready().await?;
    let subject = layout::api("CONSUMER.DELETE", &format!("{}.{name}", layout::STREAM));
    let delete = async {
        match link.context().delete_consumer_from_stream(name, layout::STREAM).await {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                ConsumerErrorKind::JetStream(why) if why.error_code() == ErrorCode::CONSUMER_NOT_FOUND => Ok(()),
                _ => Err(error.into()),
            },
        }
    };
    link.run("forget", subject, delete).await
}

/// How many messages of the consumer are not acknowledged.
pub(super) async fn pending(link: &Link, name: &str) -> Result<u64, BusError> {
    link.make_ready().await?;
    let subject = layout::api("CONSUMER.INFO", &format!("{}.{name}", layout::STREAM));
    let look = async {
        let consumer: Consumer<Config> = link.context().get_consumer_from_stream(name, layout::STREAM).await?;
        let info = consumer.cached_info();
        Ok(info.num_pending + info.num_ack_pending as u64)
    };
    link.run("pending", subject, look).await
}

fn config(spec: &ConsumerSpec) -> Config {
    let mut filters = reduced(&spec.filters);
    filters.push(layout::replay_subject(&spec.name, ">"));
    Config {
        durable_name: Some(spec.name.clone()),
        filter_subjects: filters,
        deliver_policy: DeliverPolicy::All,
        replay_policy: ReplayPolicy::Instant,
        ack_policy: AckPolicy::Explicit,
        ack_wait: spec.ack_wait.max(Duration::from_millis(1)),
        // No limit: the consumer decides when to give a message up, and gives a reason.
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        max_waiting: MAX_WAITING,
        ..Config::default()
    }
}

/// Removes filters that another one includes: NATS accepts no overlapping filters.
fn reduced(filters: &[String]) -> Vec<String> {
    let included = |at: usize, filter: &String| {
        filters.iter().enumerate().any(|(other, by)| {
            let same = by == filter;
            other != at && includes(by, filter) && (!same || other < at)
        })
    };
    filters.iter().enumerate().filter(|(at, filter)| !included(*at, filter)).map(|(_, filter)| filter.clone()).collect()
}

/// Whether every route that `filter` matches is matched by `by`.
fn includes(by: &str, filter: &str) -> bool {
    (by.ends_with('>') || !filter.ends_with('>')) && matches(by, filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_filters_are_reduced() {
        for (filters, expected) in [
            (&["jumak.room.>", "jumak.>", "jumak.room.v1.room.created"][..], &["jumak.>"][..]),
            (&["jumak.room.>", "jumak.room.>"], &["jumak.room.>"]),
            (&["jumak.room.>", "jumak.payment.>"], &["jumak.room.>", "jumak.payment.>"]),
            (&["jumak.*.v1.room.created", "jumak.room.v1.room.created"], &["jumak.*.v1.room.created"]),
            (&["jumak.*", "jumak.>"], &["jumak.>"]),
        ] {
            let filters: Vec<String> = filters.iter().map(ToString::to_string).collect();
            assert_eq!(reduced(&filters), expected);
        }
    }
}

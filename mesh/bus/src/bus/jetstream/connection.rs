//! Connects to the broker, and logs and counts what happens to the connection.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{ConnectOptions, Event, ServerError};
use mesh_foundation::telemetry::metrics;
use opentelemetry::KeyValue;
use tokio::sync::{broadcast, watch};

use super::{
    layout,
    link::{Link, Refusal, WAIT},
};
use crate::{bus::BusError, config::BusConfig};

/// How often the broker is pinged. After two pings without an answer the connection is given up.
const PING: Duration = Duration::from_secs(10);
/// The first wait between two attempts to connect; the very first attempt does not wait.
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// The longest such wait.
const MAX_DELAY: Duration = Duration::from_secs(2);
/// Refusals that are buffered for slow receivers.
const REFUSALS: usize = 64;
/// Refused subjects that are remembered, so that each is logged once.
const MAX_SAID: usize = 256;

/// The prefix of a client's reply subjects. Not NATS's `_INBOX`, which all clients would share.
pub(super) fn inbox_prefix(client: &str) -> String {
    format!("_INBOX_{client}")
}

pub(super) async fn connect(config: &BusConfig, client: &str) -> Result<Link, BusError> {
    let failed = |cause: super::Cause| BusError::new("connect", cause);
    let urls = config.urls();
    if urls.is_empty() {
        return Err(failed("bus.url is not set".into()));
    }
    let (refusals, _) = broadcast::channel(REFUSALS);
    let disconnects = watch::Sender::new(0);
    let observer = Arc::new(Observer {
        client: client.to_owned(),
        away: AtomicBool::new(false),
        said: Mutex::default(),
        refusals: refusals.clone(),
        disconnects: disconnects.clone(),
    });
    let mut options = ConnectOptions::new()
        .name(format!("jumak {client}"))
        .custom_inbox_prefix(inbox_prefix(client))
        // The process and the broker may start in any order.
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(delay)
        .connection_timeout(WAIT)
        .request_timeout(Some(WAIT))
        .ping_interval(PING)
        .event_callback(move |event| {
            observer.observe(&event);
            std::future::ready(())
        });
    if let Some(user) = &config.user {
        let password = config.password().map_err(|error| failed(error.into()))?.unwrap_or_default();
        options = options.user_and_password(user.clone(), password);
    }
    let client = secured(options, config).connect(urls).await.map_err(|error| failed(error.into()))?;
    Ok(Link::new(client, config.replicas, refusals, disconnects))
}

/// Requires encryption for every server if the configuration demands it: discovered servers have no scheme, and would otherwise be
/// connected to in clear.
fn secured(mut options: ConnectOptions, config: &BusConfig) -> ConnectOptions {
    if let Some(authority) = &config.ca_file {
        options = options.add_root_certificates(authority.clone());
    }
    options.require_tls(config.requires_tls())
}

/// Doubles, with jitter, so that a cluster that comes back does not get all its clients at once.
fn delay(attempts: usize) -> Duration {
    let Some(doublings) = attempts.checked_sub(2) else { return Duration::ZERO };
    let full = FIRST_DELAY.saturating_mul(1 << doublings.min(16)).min(MAX_DELAY);
    full.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

/// Logs and counts the events of the connection.
struct Observer {
    client: String,
    /// Whether it was logged that the broker cannot be reached.
    away: AtomicBool,
    /// The refused subjects that were logged on this connection.
    said: Mutex<HashSet<String>>,
    refusals: broadcast::Sender<Refusal>,
    /// How often the connection was lost. A change tells waiters that their answer will not come.
    disconnects: watch::Sender<u64>,
}

impl Observer {
    fn observe(&self, event: &Event) {
        let what = match event {
            Event::Connected => "connected",
            Event::Disconnected => "disconnected",
            Event::LameDuckMode => "lame_duck",
            Event::Draining => "draining",
            Event::Closed => "closed",
            Event::SlowConsumer(_) => "slow_consumer",
            Event::ServerError(ServerError::Other(text)) => match refusal(text) {
                Some(refusal) => return self.refused(refusal),
                None => "server_error",
            },
            Event::ServerError(_) => "server_error",
            Event::ClientError(_) => "client_error",
        };
        match event {
            Event::Connected | Event::Draining | Event::Closed => tracing::info!(client = %self.client, "bus: {event}"),
            // One line for an outage, and not one for each attempt to reconnect.
            Event::ClientError(_) if self.away.swap(true, Ordering::Relaxed) => {
                tracing::debug!(client = %self.client, "bus: {event}");
            }
            _ => tracing::warn!(client = %self.client, "bus: {event}"),
        }
        if matches!(event, Event::Disconnected) {
            self.disconnects.send_modify(|count| *count += 1);
        }
        if matches!(event, Event::Connected) {
            self.away.store(false, Ordering::Relaxed);
            // The permissions may have changed.
            self.said().clear();
        }
        let labels = [KeyValue::new("client", self.client.clone()), KeyValue::new("event", what)];
        metrics().bus_connection.add(1, &labels);
    }

    fn refused(&self, refusal: Refusal) {
        let Refusal { subject, publishing } = &refusal;
        // Logged once, because a relay retries often; the metric counts each.
        if self.is_news(subject) {
            tracing::error!(client = %self.client, subject, publishing, "the broker refused a subject: the user lacks the permission");
        } else {
            tracing::debug!(client = %self.client, subject, publishing, "the broker refused a subject again");
        }
        metrics().bus_refusals.add(1, &[KeyValue::new("client", self.client.clone())]);
        // Nobody may be waiting.
        drop(self.refusals.send(refusal));
    }

    /// Whether the refusal of the subject has yet to be logged.
    fn is_news(&self, subject: &str) -> bool {
        let mut said = self.said();
        said.len() < MAX_SAID && said.insert(subject.to_owned())
    }

    fn said(&self) -> MutexGuard<'_, HashSet<String>> {
        // A set is consistent after every call.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal in a server's error: `Permissions Violation for Publish to "jumak.room.v1.room.created"`.
fn refusal(text: &str) -> Option<Refusal> {
    let what = text.trim_matches('\'').strip_prefix("Permissions Violation for ")?;
    let (_, quoted) = what.split_once('"')?;
    let (subject, _) = quoted.split_once('"')?;
    Some(Refusal { subject: layout::of_account(subject), publishing: what.starts_with("Publish") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_logged_once_for_each_subject_and_connection() {
        let observer = Observer {
            client: "room".to_owned(),
            away: AtomicBool::new(false),
            said: Mutex::default(),
            refusals: broadcast::channel(1).0,
            disconnects: watch::Sender::new(0),
        };
        assert!(observer.is_news("jumak.room.v1.x"));
        assert!(!observer.is_news("jumak.room.v1.x"));
        assert!(observer.is_news("jumak.room.v1.y"));
        observer.observe(&Event::Connected);
        assert!(observer.is_news("jumak.room.v1.x"));
        for subject in 0..2 * MAX_SAID {
            observer.is_news(&subject.to_string());
        }
        assert!(observer.said().len() <= MAX_SAID);
    }

    #[test]
    fn a_refusal_is_told_from_other_errors() {
        let publishing = refusal("Permissions Violation for Publish to \"jumak.room.v1.x\"").unwrap();
        assert_eq!((publishing.subject.as_str(), publishing.publishing), ("jumak.room.v1.x", true));
        let inbox = refusal("'Permissions Violation for Subscription to \"_INBOX.>\" using queue \"q\"'").unwrap();
        assert_eq!((inbox.subject.as_str(), inbox.publishing), ("_INBOX.>", false));
        let request = refusal("Permissions Violation for Publish to \"$JS.JUMAK.API.STREAM.DELETE.X\"").unwrap();
        assert_eq!(request.subject, "$JS.API.STREAM.DELETE.X", "as we called it");
        assert!(refusal("Maximum Connections Exceeded").is_none());
    }

    #[test]
    fn discovered_servers_are_connected_to_in_clear_only_if_encryption_is_not_required() {
        for (url, ca_file, encrypted) in [
            ("nats://a:4222", None, false),
            ("nats://a:4222", Some("ca.pem".into()), true),
            ("tls://a:4222,tls://b:4222", None, true),
        ] {
            let config = BusConfig { url: Some(url.to_owned()), ca_file, ..BusConfig::default() };
            // The only way to look into the options.
            let options = format!("{:?}", secured(ConnectOptions::new(), &config));
            assert!(options.contains(&format!("\"tls_required\": {encrypted}")), "{url}: {options}");
        }
    }

    #[test]
    fn the_backoff_of_reconnecting_grows_up_to_a_bound() {
        assert_eq!((delay(0), delay(1)), (Duration::ZERO, Duration::ZERO));
        assert!(delay(2) <= FIRST_DELAY && delay(2) >= FIRST_DELAY / 2);
        for attempts in 3..100 {
            assert!(delay(attempts) <= MAX_DELAY);
        }
        assert!(delay(100) >= MAX_DELAY / 2);
    }
}

//! One member of a durable consumer.
//!
//! A fetch is one pull request with an inbox of its own: `no_wait` and an expiry together make the broker wait for the first message
//! and then send what is there, up to the maximum. Nothing is asked for ahead of a fetch: a member that is busy would sit on messages
//! that another one could handle.
//!
//! While it waits, the broker has to say from time to time that it is still there. If it does not, the pull may have been lost with a
//! leader or a connection, and the fetch fails, to be made again.

use std::{collections::HashMap, time::Duration};

use async_nats::{
    Message, StatusCode, Subject, Subscriber,
    jetstream::{
        self, AckKind,
        consumer::{
            Consumer,
            pull::{BatchConfig, Config},
        },
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use mesh_foundation::{in_transaction::assert_no_transaction, telemetry::metrics};
use opentelemetry::KeyValue;
use tokio::time::{Instant, timeout};

use super::{Cause, consumer, dead_letters, envelope, layout, link::Link};
use crate::bus::{BusError, ConsumerSpec, Delivery, Subscription};

/// The most messages of one fetch.
const MAX_FETCH: usize = 500;
/// How often the broker says that it is still there. It takes no more than half of a wait.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long it may be silent beyond what it said.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait when the broker says that others are before us.
const OTHERS_FIRST: Duration = Duration::from_millis(50);
/// How long a delivery is remembered after its lease has ended: whoever is late may still acknowledge it.
const REMEMBER: Duration = Duration::from_secs(60);

pub(super) struct Member {
    link: Link,
    spec: ConsumerSpec,
    /// Absent after a failure: the consumer may be gone, and is made again.
    consumer: Option<Consumer<Config>>,
    /// What was delivered and not settled, by its place in the stream. The broker bounds how much that can be.
    held: HashMap<u64, Held>,
}

/// A delivery that is not settled.
struct Held {
    /// Where it is acknowledged.
    reply: String,
    delivery: Delivery,
    until: Instant,
}

/// What a wait for a pull's next message came to.
enum Pulled {
    Message(Box<Held>),
    Heartbeat,
    /// There is no more now.
    End,
}

impl Member {
    pub(super) async fn join(link: Link, spec: ConsumerSpec) -> Result<Self, BusError> {
        let consumer = consumer::join(&link, &spec).await?;
        Ok(Self { link, spec, consumer: Some(consumer), held: HashMap::new() })
    }

    async fn fetch_until(&mut self, max: usize, deadline: Instant) -> Result<Vec<Delivery>, BusError> {
        loop {
            let wait = deadline.saturating_duration_since(Instant::now());
            let fetched = self.pull(max, wait).await?;
            if !fetched.is_empty() || Instant::now() + OTHERS_FIRST >= deadline {
                return Ok(fetched);
            }
            tokio::time::sleep(OTHERS_FIRST).await;
        }
    }

    /// One pull request, to its end.
    async fn pull(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError> {
        let heartbeat = if wait >= 2 * HEARTBEAT { HEARTBEAT } else { Duration::ZERO };
        let silence = if heartbeat.is_zero() { wait + GRACE } else { 2 * HEARTBEAT + GRACE };
        // Looked at from before the question: a broker that is gone says nothing any more, and its silence takes long to notice.
        let mut lost = self.link.disconnects();
        let mut messages = self.ask(max, wait, heartbeat).await?;
        let mut fetched = Vec::new();
        while fetched.len() < max {
            let pulled = tokio::select! {
                // What has come is taken first.
                biased;
                next = timeout(silence, messages.next()) => match next {
                    Ok(Some(message)) => self.read(message),
                    Ok(None) => Err("the connection was closed".into()),
                    Err(_) => {
                        metrics().bus_stalls.add(1, &[KeyValue::new("consumer", self.spec.name.clone())]);
                        Err(format!("the broker has been silent for {silence:?}").into())
                    }
                },
                _ = lost.changed() => Err("the connection was lost".into()),
            };
            match pulled {
                Ok(Pulled::Heartbeat) => {}
                Ok(Pulled::End) => break,
                Ok(Pulled::Message(held)) => {
                    fetched.push(held.delivery.clone());
                    self.held.insert(held.delivery.handle, *held);
                }
                Err(cause) => {
                    self.link.failed();
                    self.consumer = None;
                    // What has come is handled first; the next fetch will meet the same trouble.
                    if fetched.is_empty() {
                        return Err(BusError::new("fetch", cause));
                    }
                    break;
                }
            }
        }
        Ok(fetched)
    }

    async fn ask(&mut self, max: usize, wait: Duration, heartbeat: Duration) -> Result<Subscriber, BusError> {
        if self.consumer.is_none() {
            self.consumer = Some(consumer::join(&self.link, &self.spec).await?);
        }
        let Some(consumer) = &self.consumer else { return Err(BusError::new("fetch", "there is no consumer")) };
        let subject = layout::api("CONSUMER.MSG.NEXT", &format!("{}.{}", layout::STREAM, self.spec.name));
        let batch = BatchConfig {
            batch: max,
            // Without an expiry it does not wait at all.
            expires: (wait >= Duration::from_millis(1)).then_some(wait),
            no_wait: true,
            idle_heartbeat: heartbeat,
            ..BatchConfig::default()
        };
        let client = self.link.client();
        let ask = async {
            let inbox = Subject::from(client.new_inbox());
            let messages = client.subscribe(inbox.clone()).await?;
            consumer.request_batch(batch, inbox).await?;
            Ok(messages)
        };
        let asked = self.link.run("fetch", subject, ask).await;
        if asked.is_err() {
            self.consumer = None;
        }
        asked
    }

    /// A message is what can be acknowledged; anything else is the broker's own word. The status alone does not tell: whoever publishes
    /// may put one there.
    fn read(&self, message: Message) -> Result<Pulled, Cause> {
        let Some(reply) = message.reply.as_ref().filter(|reply| reply.starts_with("$JS.ACK.")) else {
            return status(&message);
        };
        let reply = reply.to_string();
        let message = jetstream::Message { message, context: self.link.context().clone() };
        let info = message.info()?;
        Ok(Pulled::Message(Box::new(Held {
            delivery: Delivery {
                handle: info.stream_sequence,
                route: layout::route(&message.subject).to_owned(),
                headers: message.headers.as_ref().map(envelope::pairs).unwrap_or_default(),
                data: message.payload.to_vec(),
                deliveries: u32::try_from(info.delivered).unwrap_or(u32::MAX),
            },
            reply,
            until: Instant::now() + self.spec.ack_wait + REMEMBER,
        })))
    }

    /// Tells the broker what became of a delivery, and waits until it has heard it.
    async fn settle(&mut self, what: &'static str, handle: u64, kind: AckKind) -> Result<(), BusError> {
        let Some(held) = self.held.get(&handle) else { return Ok(()) };
        let (link, reply) = (&self.link, held.reply.clone());
        let told = async { link.request(reply, None, Bytes::from(kind)).await.map(drop) };
        link.run(what, format!("$JS.ACK.{}.{}.", layout::STREAM, self.spec.name), told).await?;
        self.held.remove(&handle);
        Ok(())
    }
}

#[async_trait]
impl Subscription for Member {
    async fn fetch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError> {
        assert_no_transaction("fetch");
        let now = Instant::now();
        self.held.retain(|_, held| held.until > now);
        self.fetch_until(max.clamp(1, MAX_FETCH), Instant::now() + wait).await
    }

    async fn ack(&mut self, handles: &[u64]) -> Result<(), BusError> {
        assert_no_transaction("ack");
        let (link, word) = (&self.link, Bytes::from(AckKind::Ack));
        let replies = handles.iter().filter_map(|handle| self.held.get(handle)).map(|held| held.reply.clone());
        let replies: Vec<String> = replies.collect();
        // An answer to each would be another message for each, and change nothing: one that got lost is delivered again either way.
        let send = async {
            for reply in replies {
                link.client().publish(reply, word.clone()).await?;
            }
            Ok(link.client().flush().await?)
        };
        link.run("ack", format!("$JS.ACK.{}.{}.", layout::STREAM, self.spec.name), send).await?;
        for handle in handles {
            self.held.remove(handle);
        }
        Ok(())
    }

    async fn nak(&mut self, handle: u64, delay: Duration) -> Result<(), BusError> {
        assert_no_transaction("nak");
        self.settle("nak", handle, AckKind::Nak(Some(delay))).await
    }

    async fn dead_letter(&mut self, handle: u64, reason: &str) -> Result<(), BusError> {
        assert_no_transaction("dead letter");
        let Some(held) = self.held.get(&handle) else { return Ok(()) };
        // First there, then not here: between the two it is in both, and a second attempt finds it there.
        dead_letters::bury(&self.link, &self.spec.name, &held.delivery, reason).await?;
        self.settle("dead letter", handle, AckKind::Term).await
    }
}

/// What the broker says about a pull.
fn status(message: &Message) -> Result<Pulled, Cause> {
    let description = message.description.as_deref().unwrap_or_default();
    match message.status {
        Some(StatusCode::IDLE_HEARTBEAT) => Ok(Pulled::Heartbeat),
        Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => Ok(Pulled::End),
        // All that may be unacknowledged is with members that are still at it.
        Some(StatusCode::REQUEST_TERMINATED) if description == "Exceeded MaxAckPending" => Ok(Pulled::End),
        status => {
            let status = status.map_or(0, |status| status.as_u16());
            Err(format!("the broker ended the pull: {status} {description}").into())
        }
    }
}

//! One member of a durable consumer.
//!
//! A fetch is one pull request with its own inbox: `no_wait` together with an expiry makes the broker wait for the first message and
//! then send what is available, up to the maximum. Nothing is requested ahead of a fetch, because a busy member would hold messages that
//! another member could handle.
//!
//! While a fetch waits, the broker sends heartbeats. If they stop, the pull may have been lost with a leader or a connection, and the
//! fetch fails and is made again.

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
/// How often the broker sends a heartbeat. NATS allows at most half of a wait.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How late a heartbeat may be.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait when the broker has too many waiting fetches.
const OTHERS_FIRST: Duration = Duration::from_millis(50);
/// How long a delivery is remembered after its lease has ended, so that a late acknowledgement is still sent.
const REMEMBER: Duration = Duration::from_secs(60);

pub(super) struct Member {
    link: Link,
    spec: ConsumerSpec,
    /// None after a failure: the consumer may be gone, and is created again.
    consumer: Option<Consumer<Config>>,
    /// The deliveries that are not settled, by their positions. The broker bounds their number.
    held: HashMap<u64, Held>,
}

/// A delivery that is not settled.
struct Held {
    /// The subject of its acknowledgement.
    reply: String,
    delivery: Delivery,
    until: Instant,
}

/// The next answer to a pull.
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
        // Watched from before the request: a lost connection is noticed much sooner than missing heartbeats.
        let mut lost = self.link.disconnects();
        let mut messages = self.ask(max, wait, heartbeat).await?;
        let mut fetched = Vec::new();
        while fetched.len() < max {
            let pulled = tokio::select! {
                // Messages that have arrived are taken first.
                biased;
                next = timeout(silence, messages.next()) => match next {
                    Ok(Some(message)) => self.read(message),
                    Ok(None) => Err("the connection was closed".into()),
                    Err(_) => {
                        metrics().bus_stalls.add(1, &[KeyValue::new("consumer", self.spec.name.clone())]);
                        Err(format!("the broker has sent nothing for {silence:?}").into())
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
                    // Messages that have arrived are handled first; the next fetch will meet the same failure.
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

    /// An answer that can be acknowledged is a message; any other is a status of the broker. The status header alone does not tell,
    /// because a publisher can set one.
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
                deliveries: u32::try_from(info.delivered)?,
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
        // First store the dead letter, then end the delivery: in between it is in both, and a second attempt finds it stored.
        dead_letters::bury(&self.link, &self.spec.name, &held.delivery, reason).await?;
        self.settle("dead letter", handle, AckKind::Term).await
    }
}

/// The broker's status of a pull.
fn status(message: &Message) -> Result<Pulled, Cause> {
    let description = message.description.as_deref().unwrap_or_default();
    match message.status {
        Some(StatusCode::IDLE_HEARTBEAT) => Ok(Pulled::Heartbeat),
        Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => Ok(Pulled::End),
        // The limit of unacknowledged messages is reached: members are still handling them.
        Some(StatusCode::REQUEST_TERMINATED) if description == "Exceeded MaxAckPending" => Ok(Pulled::End),
        status => {
            let status = status.map_or(0, |status| status.as_u16());
            Err(format!("the broker ended the pull: {status} {description}").into())
        }
    }
}
